//! The form of a new raffle: its errors, and the end of the sale in New York time.

use super::root;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: errors_in_a_raffle_are_shown_beside_their_fields;
        embedded: a_sale_ends_at_new_york_time_on_both_nights_of_clock_changes
    ]
}

async fn errors_in_a_raffle_are_shown_beside_their_fields(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let root = root(&workspace).await;
    let fields = [
        ("title", "<b>\"Autumn\"</b>"),
        ("prize", ""),
        ("tickets", "0"),
        ("limitPerPerson", "51"),
        ("closesAt", "soon"),
    ];
    let before = environment.wire().count("TransactWriteItems");
    let html = root.post("/raffles").form(&fields).send().await.expect(422).text().to_owned();
    for id in ["prize-error", "tickets-error", "limit-error", "closes-error"] {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id} in {html}");
    }
    assert!(!html.contains("<b>\"Autumn") && html.contains("value=\"soon\""), "{html}");
    let past = [("title", "Autumn"), ("prize", "A car"), ("closesAt", "2020-01-01T12:00")];
    let html = root.post("/raffles").form(&past).send().await.expect(422).text().to_owned();
    assert!(html.contains("Sales must end in the future") && html.contains("value=\"Autumn\""), "{html}");
    assert_eq!(environment.wire().count("TransactWriteItems"), before);
    for (path, status) in [
        ("/raffles/nonsense", 404),
        ("/raffles/019f0000-0000-7000-8000-000000000000", 404),
        ("/raffles/019f0000-0000-7000-8000-000000000000/proof", 404),
        ("/raffles/019f0000-0000-7000-8000-000000000000/tickets", 404),
        ("/raffles?cursor=x", 400),
        ("/raffles/verify?raffle=nonsense", 200),
    ] {
        root.get(path).send().await.expect(status);
    }
}

async fn a_sale_ends_at_new_york_time_on_both_nights_of_clock_changes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let root = root(&workspace).await;
    let open = async |closes_at: &str, which: &str| {
        let fields = [("title", "Night"), ("prize", "A lamp"), ("closesAt", closes_at), ("which", which)];
        root.post("/raffles").form(&fields).send().await
    };
    let gap = open("2099-03-08T02:30", "").await.expect(422);
    assert!(gap.text().contains("this time doesn&#39;t exist"), "{}", gap.text());
    let fold = open("2099-11-01T01:30", "").await.expect(422);
    let html = fold.text();
    assert!(html.contains("this time occurs twice") && html.contains("value=\"2099-11-01T01:30\""), "{html}");
    for words in ["Nov 1, 2099, 1:30 AM EDT", "Nov 1, 2099, 1:30 AM EST"] {
        assert!(html.contains(words), "{words} in {html}");
    }
    for (which, iso, words) in [
        ("first", "2099-11-01T05:30:00Z", "Nov 1, 2099, 1:30 AM EDT"),
        ("second", "2099-11-01T06:30:00Z", "Nov 1, 2099, 1:30 AM EST"),
    ] {
        let made = open("2099-11-01T01:30", which).await.expect(303);
        let html = root.get(made.header("location")).send().await.expect(200).text().to_owned();
        assert!(html.contains(iso) && html.contains(words), "{html}");
    }
}
