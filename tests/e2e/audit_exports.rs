//! The entries of exports: one for all parts that one account reads within an hour.

use holdfast::base::identity::Role;
use holdfast::orders::period::Period;
use holdfast::shared::audit_log::AuditKind;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::audit::{days_ago, details, entries, write};
use super::{order_api, orders, raffle_api};
use crate::support::clock::TestClock;
use crate::support::http::{Client, without_mark};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: an_export_has_one_entry_for_all_its_parts,
            a_part_of_an_export_writes_an_entry_if_its_reader_has_none
    ]
}

async fn an_export_has_one_entry_for_all_its_parts(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let now = Timestamp::now();
    for number in 0..40 {
        let at = now - SignedDuration::from_hours(number * 12);
        write(&workspace, at, "=1+1", AuditKind::SettingChanged, &format!("@Setting {number}")).await;
    }
    let first = format!("/audit.csv?from={}", days_ago(24));
    let (mut rows, mut path, mut parts) = (Vec::new(), first.clone(), 0);
    loop {
        let part = admin.get(&path).send().await.expect(200);
        assert_eq!(part.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(part.header("content-disposition"), "attachment; filename=\"audit.csv\"");
        rows.extend(part.text().lines().map(str::to_owned));
        parts += 1;
        match part.header("x-next-cursor") {
            "" => break,
            cursor => path = format!("{first}&cursor={cursor}"),
        }
    }
    assert!(parts > 1, "more days than a part reads");
    assert_eq!(without_mark(&rows[0]), "at,kind,by,account,address,subject,detail,path");
    assert!(
        rows[1].contains(",export,Test administrator (test),"),
        "the export itself is first: {}",
        rows[1]
    );
    let settings: Vec<_> = rows.iter().filter(|row| row.contains(",setting-changed,")).collect();
    assert_eq!(settings.len(), 40);
    for (number, row) in settings.iter().enumerate() {
        assert!(row.contains(&format!(",'=1+1,,,'@Setting {number},Done.,")), "{row}");
    }
    assert_eq!(rows.iter().filter(|row| row.contains("at,kind,by,")).count(), 1, "one header");
    assert_eq!(details(&admin, "export").await, ["Audit log exported."]);
    // A filter applies to the file too.
    let none = admin.get("/audit.csv?kind=cap-changed").send().await.expect(200);
    assert_eq!(none.text().lines().count(), 1);
}

/// An export, and a cursor in the middle of it that names no entry.
struct Export {
    path: String,
    position: String,
    detail: &'static str,
}

/// An export of each kind.
async fn exports(workspace: &Workspace, admin: &Client) -> [Export; 3] {
    orders::stock(workspace, "NY", 6).await;
    for _ in 0..2 {
        order_api::fulfilled(admin, &order_api::acme(&["NY"], 3)).await;
    }
    let part = workspace.app.orders().export_part_within(&Period::default(), None, 400).await.unwrap();
    let raffle = raffle_api::open(admin, 3, 2).await;
    raffle_api::buy(admin, &raffle, 2).await;
    let next = async |path: &str| -> String {
        let page: Value = admin.get(path).send().await.expect(200).json();
        page["next"].as_str().expect("there is another page").to_owned()
    };
    [
        Export {
            path: "/api/orders/export/csv".to_owned(),
            position: part.next.unwrap(),
            detail: "All fulfilled orders exported.",
        },
        Export {
            path: format!("{raffle}/tickets/csv"),
            position: next(&format!("{raffle}/tickets?limit=1")).await,
            detail: "Sold tickets exported.",
        },
        Export {
            path: "/audit.csv".to_owned(),
            position: next("/api/audit?limit=1").await,
            detail: "Audit log exported.",
        },
    ]
}

async fn a_part_of_an_export_writes_an_entry_if_its_reader_has_none(environment: TestEnvironment) {
    let clock = TestClock::new();
    let workspace = Workspace::open(&environment).await.with_clock(clock.clock());
    let admin = workspace.program(Role::Administrator).await;
    let other = workspace.program(Role::Administrator).await;
    let mut another_entry = String::new();
    for Export { path, position, detail } in exports(&workspace, &admin).await {
        let found = async || {
            let mut found = entries(&admin, "kind=export").await;
            found.retain(|entry| entry["detail"] == detail);
            found
        };
        let part = async |client: &Client, cursor: &str| {
            client.get(&format!("{path}?cursor={cursor}")).send().await.expect(200);
            found().await.len()
        };
        admin.get(&path).send().await.expect(200);
        let id = found().await[0]["id"].as_str().unwrap().to_owned();
        let cursor = format!("{id}.{position}");
        for _ in 0..2 {
            assert_eq!(part(&admin, &cursor).await, 1, "{path}: its entry covers the part");
        }
        assert_eq!(part(&admin, &position).await, 2, "{path}: made by hand");
        assert_eq!(part(&other, &cursor).await, 3, "{path}: of another account");
        let unknown = format!("019f0000-0000-7000-8000-000000000000.{position}");
        assert_eq!(part(&admin, &unknown).await, 4, "{path}: no entry");
        if !another_entry.is_empty() {
            let cursor = format!("{another_entry}.{position}");
            assert_eq!(part(&admin, &cursor).await, 5, "{path}: of another export");
        }
        another_entry.clone_from(&id);
        let before = found().await.len();
        clock.advance(SignedDuration::from_mins(59));
        assert_eq!(part(&admin, &cursor).await, before, "{path}");
        clock.advance(SignedDuration::from_mins(1));
        assert_eq!(part(&admin, &cursor).await, before + 1, "{path}: stored for an hour");
        // Cursors that are no positions write nothing.
        for wrong in [format!("{id}."), format!("{id}.x"), "x".to_owned()] {
            admin.get(&format!("{path}?cursor={wrong}")).send().await.expect(400);
        }
        assert_eq!(found().await.len(), before + 1, "{path}");
    }
}
