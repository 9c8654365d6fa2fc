//! What each role sees of raffles: no person's name, and no page of administrators.

use holdfast::base::identity::Role;

use super::{NO_FIELDS, buy, drawn, open, page, pat, root, sold, tickets};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: no_one_sees_another_persons_name,
            a_participant_never_gets_the_page_of_administrators,
            each_role_sees_its_own_pages
    ]
}

async fn no_one_sees_another_persons_name(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 4, 2).await;
    sold(&workspace, id, "Hidden Person", 2).await;
    let people = [pat(&workspace).await, workspace.session(Role::Agent, "Ann").await];
    let look = async || {
        for person in &people {
            for path in ["/", "/raffles"].into_iter().map(str::to_owned).chain([
                format!("/raffles/{id}"),
                format!("/raffles/{id}/proof"),
                format!("/raffles/{id}/tickets"),
            ]) {
                let text = person.get(&path).send().await.text().to_owned();
                assert!(!text.contains("Hidden") && !text.contains("Root"), "{path}: {text}");
            }
            let path = format!("/raffles/{id}/live?seen=");
            let text = person.get(&path).header("hx-request", "true").send().await.expect(200);
            assert!(!text.text().contains("Hidden"), "{}", text.text());
        }
    };
    look().await;
    let refused = buy(&people[0], id, "", "3", true).await.expect(409);
    assert!(!refused.text().contains("Hidden"));
    let number = drawn(&workspace, id).await;
    look().await;
    let html = page(&people[0], id).await;
    assert!(html.contains(&format!("Ticket <strong>{number}</strong>")), "{html}");
}

async fn a_participant_never_gets_the_page_of_administrators(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 10, 2).await;
    let pat = pat(&workspace).await;
    buy(&pat, id, "", "1", true).await.expect(200);
    let mine = tickets(&workspace, id).await[0].number;
    sold(&workspace, id, "Hidden Person", 1).await;
    // The fields of the list of administrators, with a version that is not the ticket's.
    let form = [("version", "999"), ("cursor", "")];
    let path = format!("/raffles/{id}/tickets/{mine}/cancel");
    let answer = pat.post(&path).form(&form).send().await.expect(303);
    assert_eq!(answer.header("location"), format!("/raffles/{id}"));
    let part = pat.post(&path).header("hx-request", "true").form(&form).send().await.expect(200);
    assert!(part.text().contains("data-live") && !part.text().contains("Hidden"), "{}", part.text());
}

async fn each_role_sees_its_own_pages(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 4, 2).await;
    let (root, pat) = (root(&workspace).await, pat(&workspace).await);
    let ann = workspace.session(Role::Agent, "Ann").await;
    for person in [&pat, &ann] {
        for path in ["/raffles/new".to_owned(), format!("/raffles/{id}/tickets")] {
            person.get(&path).send().await.expect(403);
        }
        let draw = person.post(&format!("/raffles/{id}/draw")).header("sec-fetch-site", "same-origin");
        draw.form(NO_FIELDS).send().await.expect(403);
        let html = person.get("/raffles").send().await.expect(200).text().to_owned();
        assert!(html.contains("Autumn") && html.contains("4 of 4 left") && !html.contains("New raffle"));
        assert!(!page(person, id).await.contains("sales, and draw"));
    }
    assert!(root.get("/raffles").send().await.expect(200).text().contains("New raffle"));
    assert!(page(&root, id).await.contains("sales, and draw"));
    // Participants start here, and only here.
    let start = pat.get("/").send().await.expect(200).text().to_owned();
    assert!(start.contains("Welcome, Pat Doe") && start.contains("Autumn"), "{start}");
    let visitor = workspace.visitor();
    visitor.get(&format!("/raffles/{id}")).send().await.expect(303);
    environment.wire().reset();
    visitor.get("/raffles/verify").send().await.expect(200);
    assert_eq!(environment.wire().total(), 0, "the browser checks the proof without the store");
}
