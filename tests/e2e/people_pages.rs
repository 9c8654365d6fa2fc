//! The pages of people, with and without JavaScript.

use holdfast::accounts::change::Operator;
use holdfast::base::identity::{Role, SignedIn};
use holdfast::people::delete::LeadsChoice;
use serde_json::{Value, json};

use crate::people::{browser as signed_out, join_by};
use crate::support::browser::{At, Look};
use crate::support::html::hidden;
use crate::support::http::{Client, Response, Server};
use crate::support::workspace::{Workspace, create, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};
use crate::tokens::explained;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: the_list_shows_people_with_their_state_and_invitation,
            an_invitation_is_shown_once_and_a_wrong_form_as_it_was_typed,
            a_stale_form_shows_the_current_values_and_keeps_the_typed_ones,
            a_form_that_is_sent_twice_changes_a_person_once,
            a_form_that_is_sent_again_after_a_later_change_claims_nothing,
            the_page_says_why_the_last_administrator_stays,
            a_service_is_added_and_gets_a_token,
            sessions_and_tokens_of_a_person_are_ended,
            a_person_is_deleted_step_by_step_and_an_interrupted_deletion_is_shown,
            a_lead_is_given_to_any_agent;
        browser: an_invited_person_joins_with_the_copied_link,
            the_pages_of_people_are_accessible
    ]
}

async fn administrator(workspace: &Workspace) -> Client {
    workspace.person(Role::Administrator, "Ada").await
}

/// The address in the field that shows a link or token once.
fn shown(answer: &Response, field: &str) -> String {
    let (_, rest) = answer.text().split_once(&format!("id=\"{field}\"")).expect("the field is shown");
    let (_, rest) = rest.split_once("value=\"").expect("the field has a value");
    rest.split('"').next().unwrap().to_owned()
}

async fn invite(admin: &Client, name: &str, email: &str, role: &str) -> Response {
    let form = [("kind", "person"), ("name", name), ("email", email), ("role", role)];
    let request = admin.post("/people").header("origin", "http://holdfast.test").form(&form);
    request.send().await
}

fn page(person: &SignedIn) -> String {
    format!("/people/{}", person.id)
}

async fn the_list_shows_people_with_their_state_and_invitation(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    invite(&admin, "Ann <b>Lee</b>", "ann@example.com", "viewer").await.expect(201);
    let list = admin.get("/people").send().await.expect(200);
    assert!(
        list.text().contains("Invited until") && list.text().contains("Works with leads"),
        "{}",
        list.text()
    );
    assert!(!list.text().contains("<b>Lee</b>"), "names are escaped");
    for label in [">Any status<", ">Invited<", ">Viewer<", ">Administrator<"] {
        assert!(list.text().contains(label), "{label} in {}", list.text());
    }
    let rows = admin.get("/people?q=ann").header("hx-request", "true").send().await.expect(200);
    assert!(rows.text().contains("1 account shown") && !rows.text().contains("<html"));
    let none = admin.get("/people?role=agent&state=disabled").send().await.expect(200);
    assert!(none.text().contains("No matching accounts."));
    admin.get("/people?role=boss").send().await.expect(422);
    let security = admin.get("/people/security").send().await.expect(200);
    for role in Role::ALL {
        let hint = format!("id=\"role-{role}-hint\">{}</p>", role.explanation());
        assert!(security.text().contains(&hint), "{role}: {}", security.text());
    }
}

async fn an_invitation_is_shown_once_and_a_wrong_form_as_it_was_typed(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let wrong = invite(&admin, "Ann", "no address", "boss").await.expect(422);
    assert!(wrong.text().contains("no address") && wrong.text().contains("invite-email-error"));
    let key =
        [("key", "k1"), ("kind", "person"), ("name", "Ann"), ("email", "ann@example.com"), ("role", "agent")];
    let answer =
        admin.post("/people").header("origin", "http://holdfast.test").form(&key).send().await.expect(201);
    let link = shown(&answer, "new-link");
    let path = link.strip_prefix("http://holdfast.test").expect("it is the whole address").to_owned();
    assert!(answer.text().contains("It works once, until"));
    // The same form again makes no second account and shows no link.
    let again =
        admin.post("/people").header("origin", "http://holdfast.test").form(&key).send().await.expect(303);
    let page = admin.get(again.header("location")).send().await.expect(200);
    assert!(!page.text().contains(&link) && page.text().contains("An invitation was created"));
    assert!(
        invite(&admin, "Bob", "ANN@example.com", "agent")
            .await
            .expect(422)
            .text()
            .contains("Another account")
    );
    join_by(&signed_out(&workspace), &path).await.expect(303);
}

async fn a_stale_form_shows_the_current_values_and_keeps_the_typed_ones(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    let save = |version: &'static str, name: &'static str, role: &'static str| {
        let form = [("version", version), ("name", name), ("email", ann.email.as_str()), ("role", role)];
        let request = admin.post(&page(&ann)).form(&form);
        async move { request.send().await }
    };
    save("1", "Ann Li", "agent").await.expect(303);
    let conflict = save("1", "Ann B. Lee", "viewer").await.expect(409);
    for expected in [
        "This account has changed",
        "Ann Li",
        "Ann B. Lee",
        "<td>Viewer</td>",
        "Keep my changes",
        "name=\"version\" value=\"2\"",
    ] {
        assert!(conflict.text().contains(expected), "{expected} in {}", conflict.text());
    }
    save("2", "Ann B. Lee", "viewer").await.expect(303);
    let now: Value = admin.get(&format!("/api/accounts/{}", ann.id)).send().await.expect(200).json();
    assert_eq!((&now["name"], &now["role"]), (&json!("Ann B. Lee"), &json!("viewer")));
    let wrong = save("3", "", "boss").await.expect(422);
    assert!(wrong.text().contains("name-error") && wrong.text().contains("person-role-error"));
    // Other forms show the conflict too, and continue with one click.
    let state = format!("{}/state", page(&ann));
    let stale = admin.post(&state).form(&[("version", "1"), ("state", "disabled")]).send().await.expect(409);
    assert!(stale.text().contains("nothing was saved"));
    admin.post(&state).form(&[("version", "3"), ("state", "disabled")]).send().await.expect(303);
    let disabled = admin.get(&page(&ann)).send().await.expect(200);
    assert!(disabled.text().contains("This account is disabled") && disabled.text().contains("Enable"));
    admin.post(&state).form(&[("state", "active")]).send().await.expect(428);
}

async fn a_form_that_is_sent_twice_changes_a_person_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    let send = async |path: &str, form: &[(&str, &str)]| {
        admin.post(&format!("{}{path}", page(&ann))).form(&form).send().await
    };
    let save = [("version", "1"), ("name", "Ann Li"), ("email", ann.email.as_str()), ("role", "agent")];
    let forms = [
        ("", &save[..], "Saved."),
        ("/link", &[("version", "2")][..], "This link was already created"),
        ("/link/withdraw", &[("version", "3")][..], "The link no longer works."),
        ("/sessions/end", &[("version", "4")][..], "The sessions were already ended."),
        ("/state", &[("version", "5"), ("state", "disabled")][..], "Account disabled."),
    ];
    for (path, form, words) in forms {
        // The answer to the first form shows the link.
        send(path, form).await.expect(if path == "/link" { 201 } else { 303 });
        // For example after a lost reply or a double click.
        let again = send(path, form).await.expect(303);
        assert_eq!(again.header("location"), page(&ann), "{path}");
        let after = admin.get(&page(&ann)).send().await.expect(200);
        assert!(after.text().contains(words) && after.text().contains("Ann Li"), "{path}: {}", after.text());
    }
    let now: Value = admin.get(&format!("/api/accounts/{}", ann.id)).send().await.expect(200).json();
    assert_eq!(now["version"], 6, "each form made one change");
}

async fn a_form_that_is_sent_again_after_a_later_change_claims_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    let state = format!("{}/state", page(&ann));
    let disable = [("version", "1"), ("state", "disabled")];
    admin.post(&state).form(&disable).send().await.expect(303);
    admin.post(&state).form(&[("version", "2"), ("state", "active")]).send().await.expect(303);
    // For example from a page that the browser's back button shows again.
    admin.post(&state).form(&disable).send().await.expect(303);
    let after = admin.get(&page(&ann)).send().await.expect(200);
    assert!(after.text().contains("This was already saved, and the account has changed"), "{}", after.text());
    assert!(!after.text().contains("This account is disabled"), "{}", after.text());
    let now: Value = admin.get(&format!("/api/accounts/{}", ann.id)).send().await.expect(200).json();
    // Ann has no password yet, so she is invited again.
    assert_eq!((&now["version"], &now["state"]), (&json!(3), &json!("invited")));
}

async fn the_page_says_why_the_last_administrator_stays(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let me: Value = admin.get("/api/me").send().await.expect(200).json();
    let (page, email) = (format!("/people/{}", me["id"].as_str().unwrap()), me["email"].as_str().unwrap());
    let version = {
        let account: Value =
            admin.get(&page.replace("/people", "/api/accounts")).send().await.expect(200).json();
        account["version"].to_string()
    };
    let own = admin.get(&page).send().await.expect(200);
    assert!(own.text().contains("This is you"), "it says that the account is their own");
    let version = version.as_str();
    for (path, form) in [
        ("", vec![("version", version), ("name", "Ada"), ("email", email), ("role", "agent")]),
        ("/state", vec![("version", version), ("state", "disabled")]),
        ("/delete", vec![("version", version), ("leads_to", "")]),
    ] {
        let refused = admin.post(&format!("{page}{path}")).form(&form).send().await.expect(422);
        assert!(
            refused.text().contains("This is the last active administrator."),
            "{path}: {}",
            refused.text()
        );
    }
}

async fn a_service_is_added_and_gets_a_token(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let form = [("kind", "service"), ("name", "Night import"), ("role", "agent")];
    let added = admin.post("/people").form(&form).send().await.expect(303);
    let page = added.header("location").to_owned();
    let tokens = format!("{page}/tokens");
    let high = [("name", "t"), ("role", "administrator"), ("days", "90")];
    assert!(admin.post(&tokens).form(&high).send().await.expect(422).text().contains("The service is agent"));
    let wrong = [("name", "t"), ("role", "agent"), ("days", "x")];
    assert!(admin.post(&tokens).form(&wrong).send().await.expect(422).text().contains("token-days-error"));
    let form = admin.get(&page).send().await.expect(200);
    assert_eq!(explained(form.text()), ["agent", "viewer", "participant"]);
    // The form is sent twice, for example by a double click without JavaScript.
    let key = hidden(form.text(), "key");
    let right = [("key", key.as_str()), ("name", "t"), ("role", "agent"), ("days", "90")];
    let made = admin.post(&tokens).form(&right).send().await.expect(201);
    let secret = shown(&made, "new-token");
    let again = admin.post(&tokens).form(&right).send().await.expect(303);
    assert_eq!(again.header("location"), page);
    let after = admin.get(&page).send().await.expect(200);
    assert!(after.text().contains("This token was already created") && !after.text().contains(&secret));
    assert_eq!(after.text().matches("/revoke\"").count(), 1, "{}", after.text());
    // The next form makes another one.
    let next = [("key", hidden(made.text(), "key")), ("name", "t".to_owned())];
    admin.post(&tokens).form(&next).send().await.expect(201);
    workspace.bearer(&secret).get("/api/leads").send().await.expect(200);
    assert!(!admin.get(&page).send().await.expect(200).text().contains("End all sessions"));
}

async fn sessions_and_tokens_of_a_person_are_ended(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let ann = workspace.person(Role::Agent, "Ann").await;
    let me: Value = ann.get("/api/me").send().await.expect(200).json();
    let page = format!("/people/{}", me["id"].as_str().unwrap());
    let token: Value = ann.post("/api/tokens").json(&json!({ "name": "t" })).send().await.expect(201).json();
    let program = workspace.bearer(token["secret"].as_str().unwrap());
    let shown = admin.get(&page).send().await.expect(200);
    let (_, rest) = shown.text().split_once("/sessions/").expect("a session is listed");
    let session = rest.split('/').next().unwrap();
    admin.post(&format!("{page}/sessions/{session}/end")).send().await.expect(303);
    ann.get("/api/me").send().await.expect(401);
    program.get("/api/me").send().await.expect(200);
    let revoke = format!("{page}/tokens/{}/revoke", token["id"].as_str().unwrap());
    admin.post(&revoke).send().await.expect(303);
    admin.post(&revoke).send().await.expect(303);
    program.get("/api/me").send().await.expect(401);
    admin.post(&format!("{page}/sessions/x/end")).send().await.expect(404);
}

async fn a_person_is_deleted_step_by_step_and_an_interrupted_deletion_is_shown(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let (ann, bob) =
        (workspace.account(Role::Agent, "Ann Lee").await, workspace.account(Role::Agent, "Bob Roe").await);
    let mut lead = new_lead("Lead", "lead@example.com");
    lead["owner"] = json!(ann.id);
    let lead = create(&admin, &lead).await;
    let shown = admin.get(&page(&ann)).send().await.expect(200);
    assert!(
        shown.text().contains("Bob Roe &#60;") || shown.text().contains("Bob Roe &lt;"),
        "{}",
        shown.text()
    );
    let agent = bob.id.to_string();
    let form = [("version", "1"), ("leads_to", agent.as_str())];
    let begun = admin.post(&format!("{}/delete", page(&ann))).form(&form).send().await.expect(303);
    let deletion = begun.header("location").to_owned();
    assert_eq!(deletion, format!("{}/deletion", page(&ann)));
    // The page of the person shows that it is not done, also to another administrator.
    let interrupted = admin.get(&page(&ann)).send().await.expect(200);
    assert!(
        interrupted.text().contains("This account is being deleted.")
            && interrupted.text().contains(&deletion)
    );
    admin.get(&deletion).send().await.expect(200);
    let step = format!("{deletion}/step");
    let first =
        admin.post(&step).header("hx-request", "true").form(&[("changed", "0")]).send().await.expect(200);
    assert!(first.text().contains("1 lead has") && !first.text().contains("<html"), "{}", first.text());
    let done = admin.post(&step).form(&[("changed", "1")]).send().await.expect(303);
    assert_eq!(done.header("location"), "/people");
    // Repeating it is safe.
    admin.post(&step).form(&[("changed", "1")]).send().await.expect(303);
    assert_eq!(read(&admin, &lead).await["owner"]["name"], "Bob Roe");
    let gone = admin.get(&page(&ann)).send().await.expect(410);
    assert!(gone.text().contains("Account deleted.") && gone.text().contains("Deletion started."));
    admin.get(&deletion).send().await.expect(303);
    // Enabling cancels a deletion that began.
    let ada = workspace.account(Role::Administrator, "Another").await;
    let version = workspace.app.accounts().find(bob.id).await.unwrap().version;
    workspace
        .app
        .people()
        .begin_deletion(bob.id, version, &LeadsChoice::Clear, Operator::Administrator(&ada))
        .await
        .unwrap();
    let enable = [("version", "2"), ("state", "active")];
    admin.post(&format!("{}/state", page(&bob))).form(&enable).send().await.expect(303);
    let canceled =
        admin.post(&format!("{}/deletion/step", page(&bob))).form(&[("changed", "0")]).send().await;
    assert_eq!(canceled.expect(303).header("location"), page(&bob));
    assert!(!admin.get(&page(&bob)).send().await.expect(200).text().contains("is being deleted"));
}

async fn a_lead_is_given_to_any_agent(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ida = workspace.person(Role::Agent, "Ida").await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let vera = workspace.account(Role::Viewer, "Vera").await;
    let form = ida.get("/leads/new").send().await.expect(200);
    let offers = |answer: &Response, id: String| answer.text().contains(&format!("<option value=\"{id}\""));
    assert!(offers(&form, bob.id.to_string()) && form.text().contains("Ida (you)"));
    assert!(!offers(&form, vera.id.to_string()), "viewers own no leads");
    let lead = create(&ida, &new_lead("Lead", "lead@example.com")).await;
    let edit = ida.get(&format!("/leads/{}/edit", lead["id"].as_str().unwrap())).send().await.expect(200);
    assert!(offers(&edit, bob.id.to_string()));
}

async fn an_invited_person_joins_with_the_copied_link(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let server = Server::of(workspace.router.clone()).await;
    let ada = environment.browser(Look::desktop()).await;
    workspace.sign_in(&ada, &server, Role::Administrator, "Ada").await;
    ada.wait_to_leave("/sign-in").await;
    ada.goto(&server.url("/people")).await;
    ada.fill(At::Css("#invite-name"), "Ann").await;
    ada.fill(At::Css("#invite-email"), "ann@example.com").await;
    ada.click(At::Css("#invite-role-agent")).await;
    ada.click(At::Css("section[aria-labelledby=invite] button[type=submit]")).await;
    let link = ada.value(At::Named("The new link")).await;
    assert!(link.starts_with("http"), "{link}");
    ada.axe().await;
    let ann = environment.browser(Look::phone()).await;
    ann.goto(&link).await;
    ann.fill(At::Named("Name"), "Ann Lee").await;
    ann.fill(At::Named("Password"), "correct horse battery").await;
    ann.click(At::Named("Join")).await;
    ann.wait_to_leave("/sign-in").await;
    ann.goto(&server.url("/leads")).await;
    ann.wait_for_text(".menu", "Ann Lee").await;
    ada.goto(&server.url("/people?q=ann")).await;
    ada.wait_for_text("#people-rows", "Ann Lee").await;
    ada.wait_for_text("#people-rows", "Active").await;
}

async fn the_pages_of_people_are_accessible(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let server = Server::of(workspace.router.clone()).await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    for look in [Look::desktop(), Look::phone().dark()] {
        let ada = environment.browser(look).await;
        workspace.sign_in(&ada, &server, Role::Administrator, "Ada").await;
        ada.wait_to_leave("/sign-in").await;
        for path in ["/people".to_owned(), page(&ann)] {
            ada.goto(&server.url(&path)).await;
            ada.run("document.querySelectorAll('details').forEach(one => one.open = true)", Vec::new()).await;
            ada.axe().await;
            let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            let by = ada.run(wide, Vec::new()).await;
            assert!(by.as_i64() <= Some(0), "{path} is too wide by {by} pixels");
        }
    }
}
