//! The forms of the pages of accounts and people.

use data_encoding::BASE32_NOPAD;
use holdfast::accounts::change::Operator;
use holdfast::accounts::link_path;
use holdfast::base::identity::{AccountId, Role};
use jiff::Timestamp;
use serde_json::json;
use totp_rs::{Builder, Secret};

use super::pages::Form;
use super::records::{Records, create, id};
use crate::support::http::Client;
use crate::support::workspace::Workspace;
use crate::two_factor::{field, shown_secret};

const PASSWORD: &str = "correct horse battery";

/// A person with a session.
struct Member {
    id: AccountId,
    client: Client,
}

/// Creates people, and what their forms need.
struct People<'a>(&'a Workspace);

impl People<'_> {
    fn visitor(&self) -> Client {
        self.0.visitor().same_origin()
    }

    async fn link(&self, id: AccountId) -> String {
        link_path(&self.0.app.accounts().sign_in_link(id, Operator::Command).await.unwrap())
    }

    /// Another session of this person.
    async fn session(&self, id: AccountId) -> Client {
        let client = self.visitor();
        client.use_link(&self.link(id).await).await.expect(303);
        client
    }

    async fn member(&self, name: &str) -> Member {
        let id = self.0.account(Role::Agent, name).await.id;
        Member { id, client: self.session(id).await }
    }

    async fn version(&self, id: AccountId) -> String {
        self.0.app.accounts().find(id).await.unwrap().version.to_string()
    }

    async fn email(&self, id: AccountId) -> String {
        self.0.app.accounts().find(id).await.unwrap().email.to_string()
    }

    /// The id of one of the sessions of this person.
    async fn session_id(&self, id: AccountId) -> String {
        let accounts = self.0.app.accounts();
        let sessions = accounts.sessions(&accounts.find(id).await.unwrap(), 10, None).await.unwrap();
        sessions.items[0].id.as_str().to_owned()
    }

    /// The fields that set up a second factor.
    async fn second_factor(&self, member: &Member) -> [(&'static str, String); 2] {
        let page = member.client.get("/account/two-factor").send().await.expect(200);
        [("enrollment", field(&page, "enrollment")), ("code", code(&shown_secret(&page)))]
    }

    async fn member_with_second_factor(&self, name: &str) -> Member {
        let member = self.member(name).await;
        let fields = self.second_factor(&member).await;
        member.client.post("/account/two-factor").form(&fields).send().await.expect(200);
        member
    }
}

/// The code that an app with this secret shows now.
fn code(secret: &str) -> String {
    let bytes = BASE32_NOPAD.decode(secret.replace(' ', "").as_bytes()).unwrap();
    let bytes: [u8; 20] = bytes.try_into().unwrap();
    let totp = Builder::new().with_secret(Secret::from(bytes)).build().unwrap();
    totp.generate(Timestamp::now().as_second().unsigned_abs()).to_string()
}

/// The first form has a code that expires.
pub async fn forms(workspace: &Workspace, records: &Records) -> Vec<Form> {
    let people = People(workspace);
    let mut forms = of_own_account(&people).await;
    forms.extend(of_visitors(&people).await);
    forms.extend(of_people(&people, records).await);
    forms.extend(of_invited(records).await);
    forms.extend(of_services(records).await);
    forms
}

async fn of_own_account(people: &People<'_>) -> Vec<Form> {
    let [named, secretive, zoned] =
        [people.member("Named").await, people.member("Secretive").await, people.member("Zoned").await];
    let [ending, busy, coded] = [
        people.member("Ending").await,
        people.member("Busy").await,
        people.member_with_second_factor("Coded").await,
    ];
    people.session(ending.id).await;
    people.session(busy.id).await;
    let token = id(&create(&named.client, "/api/tokens", json!({ "name": "old" })).await);
    let (version, email) = (people.version(named.id).await, people.email(named.id).await);
    let enrolling = people.member("Enrolling").await;
    let enrollment = people.second_factor(&enrolling).await;
    let enrollment =
        [(enrollment[0].0, enrollment[0].1.as_str()), (enrollment[1].0, enrollment[1].1.as_str())];
    let profile = [("version", version.as_str()), ("name", "Renamed"), ("email", &email)];
    let passwords = [("new", PASSWORD), ("again", PASSWORD)];
    let form = |member: &Member, route: &'static str, fields: &[(&'static str, &str)]| {
        Form::new(&member.client, route, route.to_owned(), fields)
    };
    let session = people.session_id(ending.id).await;
    vec![
        form(&enrolling, "/account/two-factor", &enrollment),
        form(&coded, "/account/two-factor/codes", &[]),
        form(&coded, "/account/two-factor/off", &[]),
        form(&named, "/account/tokens", &[("name", "new")]),
        Form::of(&named.client, "/account/tokens/{id}/revoke", &token, &[]),
        form(&named, "/account", &profile),
        form(&secretive, "/account/password", &passwords),
        form(&zoned, "/account/time-zone", &[("time_zone", "Europe/Paris")]),
        form(&busy, "/account/sessions/end", &[]),
        Form::of(&ending.client, "/account/sessions/{id}/end", &session, &[]),
        Form::new(&zoned.client, "/theme", "/theme".to_owned(), &[("theme", "dark")]),
        Form::new(&zoned.client, "/sign-out", "/sign-out".to_owned(), &[]),
    ]
}

async fn of_visitors(people: &People<'_>) -> Vec<Form> {
    let (accounts, visitor) = (people.0.app.accounts(), people.visitor());
    let (name, email) = ("Known".parse().unwrap(), "known@example.com".parse().unwrap());
    let password = Some(PASSWORD.parse().unwrap());
    accounts.add(name, email, Role::Agent, password).await.unwrap();
    let linked = people.0.account(Role::Agent, "Linked").await.id;
    let form = |route: &'static str, fields: &[(&'static str, &str)]| {
        Form::new(&visitor, route, route.to_owned(), fields)
    };
    let new = [("name", "New"), ("email", "new-here@example.com"), ("password", PASSWORD)];
    let known = [("email", "known@example.com"), ("password", PASSWORD)];
    let link = Form::new(&people.visitor(), "/sign-in/link/{secret}", people.link(linked).await, &[]);
    vec![form("/sign-up", &new), form("/sign-in", &known), link]
}

async fn of_people(people: &People<'_>, records: &Records) -> Vec<Form> {
    let person = &records.person;
    let [switched, ended, busy] =
        [people.member("Switched").await, people.member("Ended").await, people.member("Busy").await];
    let reset = people.member_with_second_factor("Reset").await;
    let version = async |member: &Member| people.version(member.id).await;
    let end_one = format!("/people/{}/sessions/{}/end", busy.id, people.session_id(busy.id).await);
    let form = |route: &'static str, member: &Member, fields: &[(&'static str, &str)]| {
        Form::of(person, route, &member.id.to_string(), fields)
    };
    let switched_version = version(&switched).await;
    let state = [("version", switched_version.as_str()), ("state", "disabled")];
    vec![
        form("/people/{id}/state", &switched, &state),
        form("/people/{id}/sessions/end", &ended, &[("version", &version(&ended).await)]),
        Form::new(person, "/people/{id}/sessions/{session}/end", end_one, &[]),
        form("/people/{id}/two-factor/reset", &reset, &[("version", &version(&reset).await)]),
        Form::new(person, "/people/security", "/people/security".to_owned(), &[("viewer", "on")]),
    ]
}

async fn of_invited(records: &Records) -> Vec<Form> {
    let person = &records.person;
    let invited = async |name: &str| {
        let email = format!("{}@example.com", name.to_lowercase());
        let account = json!({ "name": name, "email": email, "role": "agent" });
        id(&create(&records.admin, "/api/accounts", account).await)
    };
    let [saved, deleted, leaving] =
        [invited("Cat").await, invited("Deleted").await, invited("Leaving").await];
    let [renewed, withdrawn] = [invited("Renewed").await, invited("Withdrawn").await];
    let version = [("version", "1")];
    person.post(&format!("/people/{leaving}/delete")).form(&version).send().await.expect(303);
    let add = [("name", "Eve"), ("email", "eve@example.com"), ("role", "agent"), ("key", "k")];
    let save = [("version", "1"), ("name", "Kit"), ("email", "kit@example.com"), ("role", "viewer")];
    vec![
        Form::new(person, "/people", "/people".to_owned(), &add),
        Form::of(person, "/people/{id}", &saved, &save),
        Form::of(person, "/people/{id}/delete", &deleted, &version),
        Form::of(person, "/people/{id}/deletion/step", &leaving, &[]),
        Form::of(person, "/people/{id}/link", &renewed, &version),
        Form::of(person, "/people/{id}/link/withdraw", &withdrawn, &version),
    ]
}

async fn of_services(records: &Records) -> Vec<Form> {
    let person = &records.person;
    let service = json!({ "name": "Machine", "role": "agent", "kind": "service" });
    let service = id(&create(&records.admin, "/api/accounts", service).await);
    let path = format!("/api/accounts/{service}/tokens");
    let token = id(&create(person, &path, json!({ "name": "old" })).await);
    let revoke = format!("/people/{service}/tokens/{token}/revoke");
    vec![
        Form::of(person, "/people/{id}/tokens", &service, &[("name", "new")]),
        Form::new(person, "/people/{id}/tokens/{token}/revoke", revoke, &[]),
    ]
}
