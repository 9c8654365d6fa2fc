//! Two-factor authentication: codes of an authenticator app, recovery codes, and roles that require it.

mod resets;

use std::collections::BTreeSet;

use data_encoding::BASE32_NOPAD;
use futures_util::future::join_all;
use holdfast::accounts::change::Operator;
use holdfast::accounts::link_path;
use holdfast::accounts::security::Security;
use holdfast::base::identity::{AccountId, Role};
use jiff::SignedDuration;
use totp_rs::{Builder, Secret};

use super::accounts::with_cookie_of;
use super::audit::details;
use crate::support::clock::TestClock;
use crate::support::html::hidden;
use crate::support::http::{Client, Response};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        store: a_code_is_needed_after_the_password_and_works_once,
            only_one_of_two_requests_with_one_code_signs_in;
        app: a_recovery_code_signs_in_once,
            a_role_that_requires_codes_sets_them_up_before_the_first_session,
            switching_codes_off_needs_the_password_and_is_refused_if_they_are_required,
            ten_wrong_codes_block_further_codes,
            a_link_does_not_replace_the_code,
            one_of_two_concurrent_enrollments_counts,
            a_person_whose_account_changed_must_sign_in_again,
            a_code_and_an_enrollment_end_the_session_that_the_browser_had
    ];
    cases.extend(resets::all());
    cases
}

const PASSWORD: &str = "correct horse battery";
const EMAIL: &str = "ann@example.com";

/// A workspace whose clock the case advances.
pub(super) struct Scene {
    pub(super) workspace: Workspace,
    clock: TestClock,
    pub(super) ann: AccountId,
}

impl Scene {
    pub(super) async fn open(environment: &TestEnvironment) -> Self {
        let clock = TestClock::new();
        let workspace = Workspace::open(environment).await.with_clock(clock.clock());
        let (name, email) = ("Ann Lee".parse().unwrap(), EMAIL.parse().unwrap());
        let password = Some(PASSWORD.parse().unwrap());
        let ann = workspace.app.accounts().add(name, email, Role::Agent, password).await.unwrap();
        Self { workspace, clock, ann }
    }

    pub(super) fn browser(&self) -> Client {
        self.workspace.visitor().same_origin()
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// The code that an app with this secret shows now.
    fn code(&self, secret: &str) -> String {
        code_at(secret, self.clock.now().as_second())
    }

    /// Requires a second factor of agents, from their next sign-in.
    pub(super) async fn require(&self) -> Security {
        let agents = BTreeSet::from([Role::Agent]);
        let accounts = self.workspace.app.accounts();
        accounts.require_two_factor(None, agents, false, Operator::Command).await.unwrap()
    }

    /// The fields with which a person whose role requires a second factor sets it up after the password.
    pub(super) async fn enrollment(&self, client: &Client) -> [(&'static str, String); 3] {
        let page = by_password(client).await.expect(200);
        let code = self.code(&shown_secret(&page));
        [("ticket", field(&page, "ticket")), ("enrollment", field(&page, "enrollment")), ("code", code)]
    }

    /// Signs in by the password, without a second factor.
    pub(super) async fn signed_in(&self) -> Client {
        let client = self.browser();
        by_password(&client).await.expect(303);
        client
    }

    /// Sets up the second factor. Returns the app's secret and the recovery codes.
    pub(super) async fn set_up(&self, client: &Client) -> (String, Vec<String>) {
        let page = client.get("/account/two-factor").send().await.expect(200);
        let (secret, sealed) = (shown_secret(&page), field(&page, "enrollment"));
        let code = self.code(&secret);
        let form = [("enrollment", sealed.as_str()), ("code", code.as_str()), ("current", PASSWORD)];
        let codes = client.post("/account/two-factor").form(&form).send().await.expect(200);
        self.pass(30);
        (secret, recovery_codes(&codes))
    }
}

/// The code that an app with this secret shows at this second.
pub(super) fn code_at(secret: &str, second: i64) -> String {
    let bytes = BASE32_NOPAD.decode(secret.replace(' ', "").as_bytes()).unwrap();
    let bytes: [u8; 20] = bytes.try_into().unwrap();
    let totp = Builder::new().with_secret(Secret::from(bytes)).build().unwrap();
    totp.generate(second.unsigned_abs()).to_string()
}

pub(super) async fn by_password(client: &Client) -> Response {
    client.post("/sign-in").form(&[("email", EMAIL), ("password", PASSWORD)]).send().await
}

/// Signs in by the password, and returns the ticket of the second step.
async fn ticket(client: &Client) -> String {
    let page = by_password(client).await.expect(200);
    assert_eq!(page.header("set-cookie"), "", "there is no session before the second step");
    field(&page, "ticket")
}

async fn by_code(client: &Client, ticket: &str, code: &str) -> Response {
    client.post("/sign-in").form(&[("ticket", ticket), ("code", code)]).send().await
}

/// The value of a hidden field.
pub(super) fn field(page: &Response, name: &str) -> String {
    hidden(page.text(), name)
}

pub(super) fn shown_secret(page: &Response) -> String {
    let (_, rest) = page.text().split_once("Enter this key in the app: <code>").expect("the key is shown");
    rest.split('<').next().unwrap().to_owned()
}

pub(super) fn recovery_codes(page: &Response) -> Vec<String> {
    let (_, list) = page.text().split_once("id=\"recovery-codes\">").expect("the codes are shown");
    let list = list.split("</ul>").next().unwrap();
    let codes = list.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    codes.collect()
}

pub(super) async fn me(client: &Client) -> Response {
    client.get("/api/me").send().await
}

async fn a_code_is_needed_after_the_password_and_works_once(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let (secret, codes) = scene.set_up(&scene.signed_in().await).await;
    assert_eq!(codes.len(), 10);
    let there = scene.browser();
    let first = ticket(&there).await;
    me(&there).await.expect(401);
    for (code, words) in [("000000", "Incorrect code."), ("12", "six digits"), ("", "six digits")] {
        let refused = by_code(&there, &first, code).await.expect(422);
        assert!(refused.text().contains(words), "{code}: {}", refused.text());
        assert_eq!(refused.header("set-cookie"), "");
    }
    let code = scene.code(&secret);
    by_code(&there, &first, &code).await.expect(303);
    me(&there).await.expect(200);
    // The code of the set-up and this one were used.
    let again = scene.browser();
    let second = ticket(&again).await;
    let refused = by_code(&again, &second, &code).await.expect(422);
    assert!(refused.text().contains("was already used"), "{}", refused.text());
    scene.pass(30);
    by_code(&again, &second, &scene.code(&secret)).await.expect(303);
    // A ticket expires, and a made-up one is refused.
    let late = scene.browser();
    let old = ticket(&late).await;
    scene.pass(11 * 60);
    for ticket in [old.as_str(), "made.up.1.x"] {
        let refused = by_code(&late, ticket, &scene.code(&secret)).await.expect(422);
        assert!(refused.text().contains("Sign in again"), "{}", refused.text());
    }
    me(&late).await.expect(401);
}

async fn only_one_of_two_requests_with_one_code_signs_in(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let (secret, codes) = scene.set_up(&scene.signed_in().await).await;
    for code in [scene.code(&secret), codes[0].clone()] {
        let people: Vec<Client> = (0..3).map(|_| scene.browser()).collect();
        let tickets = join_all(people.iter().map(ticket)).await;
        let sent = people.iter().zip(&tickets).map(|(person, ticket)| by_code(person, ticket, &code));
        let answers = join_all(sent).await;
        let signed_in = answers.iter().filter(|answer| answer.status.as_u16() == 303).count();
        assert_eq!(signed_in, 1, "{code}");
        for answer in answers.iter().filter(|answer| answer.status.as_u16() != 303) {
            let text = answer.text();
            assert!(text.contains("already used") || text.contains("Incorrect code."), "{code}: {text}");
        }
    }
}

async fn a_recovery_code_signs_in_once(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let (_, codes) = scene.set_up(&scene.signed_in().await).await;
    let there = scene.browser();
    let first = ticket(&there).await;
    by_code(&there, &first, &codes[3].to_uppercase()).await.expect(303);
    let page = there.get("/account/two-factor").send().await.expect(200);
    assert!(page.text().contains("9 recovery codes are left"), "{}", page.text());
    let again = scene.browser();
    let second = ticket(&again).await;
    by_code(&again, &second, &codes[3]).await.expect(422);
    // New codes replace all former ones.
    let fresh =
        there.post("/account/two-factor/codes").form(&[("current", PASSWORD)]).send().await.expect(200);
    let fresh = recovery_codes(&fresh);
    by_code(&again, &second, &codes[4]).await.expect(422);
    by_code(&again, &ticket(&again).await, &fresh[4]).await.expect(303);
}

async fn ten_wrong_codes_block_further_codes(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let (secret, _) = scene.set_up(&scene.signed_in().await).await;
    let thief = scene.browser();
    let stolen = ticket(&thief).await;
    for _ in 0..10 {
        by_code(&thief, &stolen, "000000").await.expect(422);
    }
    let blocked = by_code(&thief, &stolen, &scene.code(&secret)).await.expect(429);
    assert!(blocked.text().contains("Too many incorrect codes"), "{}", blocked.text());
    scene.pass(15 * 60 + 1);
    let owner = scene.browser();
    by_code(&owner, &ticket(&owner).await, &scene.code(&secret)).await.expect(303);
}

async fn a_role_that_requires_codes_sets_them_up_before_the_first_session(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    scene.require().await;
    let ann = scene.browser();
    let page = by_password(&ann).await.expect(200);
    assert!(page.text().contains("Your role requires two-factor authentication"), "{}", page.text());
    assert!(page.text().contains("<svg") && page.header("set-cookie").is_empty());
    let (secret, sealed, ticket) = (shown_secret(&page), field(&page, "enrollment"), field(&page, "ticket"));
    let send = async |code: &str| {
        let form = [("ticket", ticket.as_str()), ("enrollment", sealed.as_str()), ("code", code)];
        ann.post("/sign-in").form(&form).send().await
    };
    let refused = send("000000").await.expect(422);
    assert_eq!(shown_secret(&refused), secret, "the same key is shown again");
    me(&ann).await.expect(401);
    let done = send(&scene.code(&secret)).await.expect(200);
    assert_eq!(recovery_codes(&done).len(), 10);
    me(&ann).await.expect(200);
    // Another role is not asked.
    let viewer = scene.workspace.session(Role::Viewer, "Vic").await;
    me(&viewer).await.expect(200);
}

async fn switching_codes_off_needs_the_password_and_is_refused_if_they_are_required(
    environment: TestEnvironment,
) {
    let scene = Scene::open(&environment).await;
    let ann = scene.signed_in().await;
    scene.set_up(&ann).await;
    let off = async |password: &str| {
        ann.post("/account/two-factor/off").form(&[("current", password)]).send().await
    };
    off("not the right one").await.expect(422);
    let accounts = scene.workspace.app.accounts();
    let security = scene.require().await;
    let refused = off(PASSWORD).await.expect(422);
    assert!(refused.text().contains("Your role requires"), "{}", refused.text());
    accounts.require_two_factor(security.version, BTreeSet::new(), false, Operator::Command).await.unwrap();
    off(PASSWORD).await.expect(303);
    by_password(&scene.browser()).await.expect(303);
}

async fn a_link_does_not_replace_the_code(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let (secret, _) = scene.set_up(&scene.signed_in().await).await;
    let accounts = scene.workspace.app.accounts();
    let link = accounts.sign_in_link(scene.ann, Operator::Command).await.unwrap();
    let there = scene.browser();
    let page = there.use_link(&link_path(&link)).await.expect(200);
    assert_eq!(page.header("set-cookie"), "");
    me(&there).await.expect(401);
    by_code(&there, &field(&page, "ticket"), &scene.code(&secret)).await.expect(303);
    scene.pass(30);
    // Nor does a new password.
    let version = accounts.find(scene.ann).await.unwrap().version;
    let reset =
        accounts.renew_link(scene.ann, version, Operator::Command, None).await.unwrap().now().unwrap();
    let form = [("password", "another horse battery")];
    let page = there.post(&link_path(reset.secret.reveal())).form(&form).send().await.expect(200);
    me(&there).await.expect(401);
    by_code(&there, &field(&page, "ticket"), &scene.code(&secret)).await.expect(303);
}

async fn one_of_two_concurrent_enrollments_counts(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    scene.require().await;
    let ann = scene.browser();
    let form = scene.enrollment(&ann).await;
    // A wrong code before, so that both requests make the same writes: two to count the attempt, and one to enroll.
    let wrong =
        form.clone().map(|(name, value)| (name, if name == "code" { "000000".to_owned() } else { value }));
    ann.post("/sign-in").form(&wrong).send().await.expect(422);
    let hold = || environment.wire().hold(2, "TransactWriteItems");
    let mut gate = hold();
    let sent = [0, 1].map(|_| {
        let (client, form) = (scene.browser(), form.clone());
        tokio::spawn(async move { (client.post("/sign-in").form(&form).send().await, client) })
    });
    for _ in 0..2 {
        gate.arrived(2).await;
        let next = hold();
        gate.open();
        gate = next;
    }
    gate.arrived(2).await;
    gate.open();
    let answers = join_all(sent).await.into_iter().map(Result::unwrap);
    let (won, lost): (Vec<_>, Vec<_>) = answers.partition(|(answer, _)| answer.status.as_u16() == 200);
    let ([(won, there)], [(lost, elsewhere)]) = (won.as_slice(), lost.as_slice()) else {
        panic!("{} succeed", won.len())
    };
    let codes = recovery_codes(won);
    me(there).await.expect(200);
    assert_eq!((lost.status.as_u16(), lost.header("set-cookie")), (422, ""));
    // The other one cannot set it up any more, and signs in again.
    assert!(lost.text().contains("your account changed. Sign in again."), "{}", lost.text());
    assert!(lost.text().contains("name=\"password\"") && !lost.text().contains("recovery-codes"));
    me(elsewhere).await.expect(401);
    let accounts = scene.workspace.app.accounts();
    let account = accounts.find(scene.ann).await.unwrap();
    assert_eq!(accounts.sessions(&account, 50, None).await.unwrap().items.len(), 1);
    by_code(elsewhere, &ticket(elsewhere).await, &codes[0]).await.expect(303);
}

async fn a_person_whose_account_changed_must_sign_in_again(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let (secret, _) = scene.set_up(&scene.signed_in().await).await;
    let accounts = scene.workspace.app.accounts();
    let there = scene.browser();
    let ticket = ticket(&there).await;
    let code = scene.code(&secret);
    // The account changes when the code was checked: the attempt is counted, and the session is not written yet.
    environment.wire().hold(1, "TransactWriteItems").open();
    let gate = environment.wire().hold(1, "TransactWriteItems");
    let sent = tokio::spawn({
        let there = there.clone();
        async move { by_code(&there, &ticket, &code).await }
    });
    gate.arrived(1).await;
    let version = accounts.find(scene.ann).await.unwrap().version;
    accounts.end_sessions(scene.ann, version, false, Operator::Command, None).await.unwrap();
    gate.open();
    let refused = sent.await.unwrap().expect(422);
    assert!(refused.text().contains("your account changed. Sign in again."), "{}", refused.text());
    assert!(!refused.text().contains("already used"), "{}", refused.text());
    assert!(refused.text().contains("name=\"password\""), "{}", refused.text());
    me(&there).await.expect(401);
}

async fn a_code_and_an_enrollment_end_the_session_that_the_browser_had(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let admin = scene.workspace.program(Role::Administrator).await;
    let accounts = scene.workspace.app.accounts();
    let ann = scene.signed_in().await;
    scene.require().await;
    let signed_in_at = accounts.find(scene.ann).await.unwrap().last_sign_in_at;
    scene.pass(60);
    // A reset that is followed by the second step is no sign-in yet.
    let version = accounts.find(scene.ann).await.unwrap().version;
    let reset =
        accounts.renew_link(scene.ann, version, Operator::Command, None).await.unwrap().now().unwrap();
    let form = [("password", PASSWORD)];
    scene.browser().post(&link_path(reset.secret.reveal())).form(&form).send().await.expect(200);
    assert_eq!(accounts.find(scene.ann).await.unwrap().last_sign_in_at, signed_in_at);
    me(&ann).await.expect(401);
    let bob = scene.workspace.person(Role::Viewer, "Bob").await;
    let of_bob = with_cookie_of(&bob, &scene.workspace);
    me(&of_bob).await.expect(200);
    let form = scene.enrollment(&bob).await;
    me(&of_bob).await.expect(200);
    let wrong =
        form.clone().map(|(name, value)| (name, if name == "code" { "000000".to_owned() } else { value }));
    bob.post("/sign-in").form(&wrong).send().await.expect(422);
    let codes = recovery_codes(&bob.post("/sign-in").form(&form).send().await.expect(200));
    me(&of_bob).await.expect(401);
    let enrolled = with_cookie_of(&bob, &scene.workspace);
    me(&enrolled).await.expect(200);
    by_code(&bob, &ticket(&bob).await, &codes[0]).await.expect(303);
    me(&enrolled).await.expect(401);
    me(&bob).await.expect(200);
    let failed = details(&admin, "sign-in-failed").await;
    assert_eq!(failed, ["Incorrect code while setting up two-factor authentication."]);
    let signed_in = details(&admin, "signed-in").await;
    let count = |words: &str| signed_in.iter().filter(|detail| detail.contains(words)).count();
    assert_eq!(
        (count("a new second factor"), count("a recovery code"), count("reset")),
        (1, 1, 0),
        "{signed_in:?}"
    );
}
