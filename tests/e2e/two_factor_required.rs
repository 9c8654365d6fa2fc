//! Roles that begin to require two-factor authentication: the sessions of people who have none end.

use std::collections::BTreeSet;

use holdfast::accounts::administer::AccountChanges;
use holdfast::accounts::change::Operator;
use holdfast::base::identity::Role;

use super::audit::details;
use super::two_factor::{Scene, by_password, field, me};
use crate::support::http::{Client, Response};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: a_requirement_of_codes_ends_the_sessions_of_people_without_them_if_wanted,
            the_end_of_sessions_continues_after_an_interruption,
            a_role_that_requires_codes_ends_the_sessions_of_a_person_without_them;
        store: a_role_and_a_requirement_that_arrive_together_end_the_sessions
    ]
}

const WRITE: &str = "TransactWriteItems";
const PAGE: &str = "/people/security";

/// An administrator's browser.
async fn administrator(workspace: &Workspace) -> Client {
    workspace.person(Role::Administrator, "Ada").await
}

/// Saves the page with these roles, and with the box if sessions are to end.
async fn save(admin: &Client, roles: &[Role], end: bool) -> Response {
    let page = admin.get(PAGE).send().await.expect(200);
    assert!(
        page.text().contains("name=\"end_sessions\" type=\"checkbox\" value=\"1\" checked"),
        "{}",
        page.text()
    );
    let mut form = vec![("version", field(&page, "version"))];
    form.extend(roles.iter().map(|role| (role.as_str(), "1".to_owned())));
    if end {
        form.push(("end_sessions", "1".to_owned()));
    }
    admin.post(PAGE).form(&form).send().await
}

fn role(role: Role) -> AccountChanges {
    AccountChanges { role: Some(role), ..AccountChanges::default() }
}

async fn a_requirement_of_codes_ends_the_sessions_of_people_without_them_if_wanted(
    environment: TestEnvironment,
) {
    let scene = Scene::open(&environment).await;
    let admin = administrator(&scene.workspace).await;
    let ann = scene.signed_in().await;
    scene.set_up(&ann).await;
    let [bob, carl] = [
        scene.workspace.session(Role::Agent, "Bob").await,
        scene.workspace.session(Role::Viewer, "Carl").await,
    ];
    let program = scene.workspace.agent().await;
    // Without the box, it is asked for from the next sign-in.
    let saved = save(&admin, &[Role::Agent], false).await.expect(303);
    let page = admin.get(saved.header("location")).send().await.expect(200);
    assert!(page.text().contains("It applies from the next sign-in."), "{}", page.text());
    for client in [&ann, &bob, &carl, &program] {
        me(client).await.expect(200);
    }
    let saved = save(&admin, &[Role::Agent], true).await.expect(303);
    let page = admin.get(saved.header("location")).send().await.expect(200);
    assert!(
        page.text().contains("Sessions of people without two-factor authentication ended."),
        "{}",
        page.text()
    );
    me(&bob).await.expect(401);
    // A person with a second factor, one of another role, and a token are not affected.
    for client in [&ann, &carl, &program] {
        me(client).await.expect(200);
    }
    // The administrator's own session ends as well, and the next sign-in asks for the second factor.
    let saved = save(&admin, &[Role::Administrator, Role::Viewer], true).await.expect(303);
    let there = admin.get(saved.header("location")).send().await.expect(303);
    assert!(there.header("location").starts_with("/sign-in"), "{}", there.header("location"));
    me(&carl).await.expect(401);
    // Each change has one entry, for any number of people.
    let reader = scene.workspace.program(Role::Administrator).await;
    let mut entries = details(&reader, "setting-changed").await;
    // Entries of one millisecond have no order.
    entries.sort();
    let expected = [
        "Two-factor authentication is required for agent.",
        "Two-factor authentication is required for agent. Sessions of people without it end.",
        "Two-factor authentication is required for viewer, administrator. Sessions of people without it end.",
    ];
    assert_eq!(entries, expected);
    assert_eq!(details(&reader, "sessions-ended").await, Vec::<String>::new());
}

async fn the_end_of_sessions_continues_after_an_interruption(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let admin = administrator(&scene.workspace).await;
    // More people than one step looks at.
    let mut people = Vec::new();
    for number in 0..55 {
        people.push(scene.workspace.session(Role::Viewer, &format!("Viewer {number:02}")).await);
    }
    let count = async || {
        let mut signed_in = 0;
        for person in &people {
            signed_in += usize::from(me(person).await.status.as_u16() == 200);
        }
        signed_in
    };
    // The settings and nine people are written.
    environment.wire().hold(10, WRITE).open();
    environment.wire().always(WRITE, Fault::Refused("ValidationException"));
    save(&admin, &[Role::Viewer], true).await.expect(500);
    environment.wire().reset();
    assert_eq!(count().await, 46);
    let page = admin.get(PAGE).send().await.expect(200);
    assert!(page.text().contains("Continue to end their sessions"), "{}", page.text());
    // Any administrator can continue it.
    let other = administrator(&scene.workspace).await;
    let done = other.post("/people/security/sessions").send().await.expect(303);
    assert_eq!(count().await, 0);
    let page = other.get(done.header("location")).send().await.expect(200);
    assert!(
        page.text().contains("Sessions of people without two-factor authentication ended."),
        "{}",
        page.text()
    );
    assert!(!page.text().contains("Continue to end their sessions"), "{}", page.text());
    // Sending it again does nothing.
    environment.wire().reset();
    other.post("/people/security/sessions").send().await.expect(303);
    assert_eq!(environment.wire().count(WRITE), 0);
}

async fn a_role_that_requires_codes_ends_the_sessions_of_a_person_without_them(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let accounts = scene.workspace.app.accounts();
    // Another administrator is left when Ann is none.
    administrator(&scene.workspace).await;
    let ann = scene.signed_in().await;
    let roles = BTreeSet::from([Role::Administrator]);
    accounts.require_two_factor(None, roles, false, Operator::Command).await.unwrap();
    let edit = async |changes: AccountChanges| {
        let version = accounts.find(scene.ann).await.unwrap().version;
        accounts.edit(scene.ann, version, changes, Operator::Command, None).await.unwrap()
    };
    // A role that does not require it, and another change, end nothing.
    edit(role(Role::Viewer)).await;
    edit(AccountChanges { name: Some("Ann Li".parse().unwrap()), ..AccountChanges::default() }).await;
    me(&ann).await.expect(200);
    edit(role(Role::Administrator)).await;
    me(&ann).await.expect(401);
    let history = accounts.history(scene.ann, 1, None).await.unwrap();
    assert_eq!(
        history.items[0].detail,
        "Role changed from viewer to administrator. All sessions ended, because this role requires two-factor \
         authentication."
    );
    let page = by_password(&scene.browser()).await.expect(200);
    assert!(page.text().contains("Your role requires two-factor authentication"), "{}", page.text());
    // With a second factor, they continue.
    edit(role(Role::Agent)).await;
    let ann = scene.signed_in().await;
    scene.set_up(&ann).await;
    edit(role(Role::Administrator)).await;
    me(&ann).await.expect(200);
}

async fn a_role_and_a_requirement_that_arrive_together_end_the_sessions(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let accounts = scene.workspace.app.accounts();
    let viewer = scene.workspace.account(Role::Viewer, "Vic").await;
    let link = accounts.sign_in_link(viewer.id, Operator::Command).await.unwrap();
    let vic = scene.browser();
    vic.use_link(&holdfast::accounts::link_path(&link)).await.expect(303);
    me(&vic).await.expect(200);
    // The role was found to require nothing, and is not written yet.
    let wire = environment.another_wire();
    let other = scene.workspace.another(&environment, &wire, TEST_RETRIES);
    let gate = wire.hold(1, WRITE);
    let version = accounts.find(viewer.id).await.unwrap().version;
    let changing = tokio::spawn(async move {
        other.app.accounts().edit(viewer.id, version, role(Role::Agent), Operator::Command, None).await
    });
    gate.arrived(1).await;
    let roles = BTreeSet::from([Role::Agent]);
    accounts.require_two_factor(None, roles, true, Operator::Command).await.unwrap();
    accounts.end_sessions_without_two_factor(Operator::Command).await.unwrap();
    me(&vic).await.expect(200);
    gate.open();
    assert_eq!(changing.await.unwrap().unwrap().now().unwrap().role, Role::Agent);
    // The other process changed it, so this one notices within ten seconds.
    scene.pass(10);
    me(&vic).await.expect(401);
}
