//! Returning a ticket: people return their own, administrators any, and never one that was sold again since.

use holdfast::raffles::domain::TicketNumber;

use super::{NO_FIELDS, buy, open, pat, root, sold, tickets};
use crate::support::html::field;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: an_administrator_cancels_only_the_ticket_on_the_page,
            a_cancellation_sent_twice_leaves_the_next_sale_of_the_number,
            returning_a_ticket_that_is_gone_is_not_an_error
    ]
}

async fn an_administrator_cancels_only_the_ticket_on_the_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 1, 1).await;
    let sam = sold(&workspace, id, "Sam First", 1).await;
    let root = root(&workspace).await;
    let path = format!("/raffles/{id}/tickets");
    let html = root.get(&path).send().await.expect(200).text().to_owned();
    assert!(html.contains("Sam First") && html.contains("1 of 1 sold"), "{html}");
    let version = field(&html, "version");
    // Sam returns the ticket, and Mia buys the same number.
    let one: TicketNumber = 1.try_into().unwrap();
    workspace.app.raffles().cancel(id, one, None, &sam, None).await.unwrap();
    sold(&workspace, id, "Mia Second", 1).await;

    let cancel = format!("{path}/1/cancel");
    let stale = [("version", version.as_str()), ("cursor", "")];
    let row = root.post(&cancel).header("hx-request", "true").form(&stale).send().await.expect(409);
    let row = row.text();
    assert!(row.contains("sold again to Mia Second") && !row.contains("<html"), "{row}");
    let plain = root.post(&cancel).form(&stale).send().await.expect(409);
    assert!(plain.text().contains("<html") && plain.text().contains("to Mia Second"));
    assert_eq!(tickets(&workspace, id).await.len(), 1);
    let fresh = [("version", field(row, "version")), ("cursor", String::new())];
    let done = root.post(&cancel).form(&fresh).send().await.expect(303);
    assert_eq!(done.header("location"), path);
    assert!(tickets(&workspace, id).await.is_empty());
    root.post(&cancel).form(&fresh).send().await.expect(303);
    let html = root.get(&path).send().await.expect(200).text().to_owned();
    for words in ["Ticket 1 of Mia Second returned", "Ticket 1 of Sam First returned", "Opened"] {
        assert!(html.contains(words), "{words} in {html}");
    }
}

async fn a_cancellation_sent_twice_leaves_the_next_sale_of_the_number(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 1, 1).await;
    sold(&workspace, id, "Sam First", 1).await;
    let root = root(&workspace).await;
    let path = format!("/raffles/{id}/tickets");
    let html = root.get(&path).send().await.expect(200).text().to_owned();
    let form = [("version", field(&html, "version")), ("cursor", String::new())];
    let cancel = async || root.post(&format!("{path}/1/cancel")).form(&form).send().await;
    cancel().await.expect(303);
    sold(&workspace, id, "Mia Second", 1).await;
    let again = cancel().await.expect(303);
    assert_eq!(again.header("location"), path);
    let html = root.get(&path).send().await.expect(200).text().to_owned();
    assert!(html.contains("That ticket was already returned."), "{html}");
    assert!(html.contains("Mia Second") && html.contains("1 of 1 sold"), "{html}");
}

async fn returning_a_ticket_that_is_gone_is_not_an_error(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 10, 2).await;
    let pat = pat(&workspace).await;
    buy(&pat, id, "", "1", true).await.expect(200);
    let mine = tickets(&workspace, id).await[0].number;
    let cancel = async |number: TicketNumber| {
        let path = format!("/raffles/{id}/tickets/{number}/cancel");
        pat.post(&path)
            .header("hx-request", "true")
            .form(NO_FIELDS)
            .send()
            .await
            .expect(200)
            .text()
            .to_owned()
    };
    assert!(cancel(mine).await.contains(&format!("Ticket {mine} is back in the pool.")));
    assert!(cancel(mine).await.contains(&format!("Ticket {mine} is no longer yours.")));
    // Another person's ticket is treated as not found and stays sold.
    sold(&workspace, id, "Sam", 1).await;
    let theirs = tickets(&workspace, id).await[0].number;
    assert!(cancel(theirs).await.contains("is no longer yours."));
    assert_eq!(tickets(&workspace, id).await.len(), 1);
}
