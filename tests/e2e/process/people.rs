//! The commands on accounts, sessions and tokens, with and without a running server.

use holdfast::base::identity::Role;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::binary::{Data, Server};
use crate::support::http::Client;
use crate::support::workspace::{create, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: accounts_are_invited_listed_and_changed_by_commands,
            a_link_of_a_command_replaces_the_one_before_it,
            a_disabled_person_is_signed_out_while_the_server_runs,
            one_session_or_all_sessions_are_ended_by_a_command,
            a_token_of_a_command_works_until_it_is_revoked,
            a_name_of_several_tokens_names_none_of_them,
            the_leads_of_a_deleted_account_get_another_owner_or_none,
            the_last_administrator_stays,
            two_commands_at_once_leave_an_administrator,
            a_command_names_the_account_that_does_not_exist,
            commands_that_give_a_role_explain_the_roles,
            invalid_arguments_of_commands_on_accounts_are_refused_with_a_reason
    ]
}

/// The administrator of the first start, who has not signed in yet.
const FIRST: &str = "admin@holdfast.local";
const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";
const PASSWORD: &str = "correct horse battery";
const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// Runs a command and returns its standard output.
async fn run(data: &Data, words: &[&str]) -> String {
    data.holdfast(words).succeeds().await
}

/// Runs a command with `--json` and returns its document, which is all of its standard output.
async fn document(data: &Data, words: &[&str]) -> Value {
    let out = run(data, &[words, &["--json"]].concat()).await;
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words:?}: {error}: {out}"))
}

/// Runs a command that is refused. Returns the last line of standard error.
async fn refused(data: &Data, words: &[&str]) -> String {
    let run = data.holdfast(words);
    let message = run.fails(1).await;
    assert_eq!(run.out(), "", "{words:?}");
    let line = message.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("holdfast: "), "{words:?}: {message}");
    line
}

/// Adds an account and returns the path of its sign-in link.
async fn add(data: &Data, email: &str, name: &str, role: &str) -> String {
    path(&run(data, &["account", "add", email, "--name", name, "--role", role]).await)
}

/// The path of the link in the last line.
fn path(out: &str) -> String {
    let at = out.find("/sign-in/link/hf_").unwrap_or_else(|| panic!("there is no link: {out}"));
    out[at..].trim_end().to_owned()
}

/// A browser that has used a new sign-in link of this account.
async fn signed_in(data: &Data, server: &Server, email: &str) -> Client {
    let browser = server.visitor();
    browser.use_link(&path(&run(data, &["account", "link", email]).await)).await.expect(303);
    browser
}

/// The value of a field of each item.
fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap_or_default()).collect()
}

async fn accounts_are_invited_listed_and_changed_by_commands(_: TestEnvironment) {
    let data = Data::new();
    // Without a server, the address of the pages is unknown.
    let out = run(&data, &["account", "invite", "Ann Lee", ANN, "--role", "agent"]).await;
    let lines: Vec<_> = out.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "Invited Ann Lee <ann@example.com> as agent."), "{out}");
    assert!(lines[2].starts_with("/sign-in/link/hf_"), "{out}");
    let alone = run(&data, &["account", "list"]).await;
    assert!(alone.starts_with("NAME ") && alone.lines().count() == 2, "{alone}");

    let server = data.serve().await;
    let invited = document(&data, &["account", "invite", "Bob Ray", BOB, "--role", "viewer"]).await;
    assert_eq!((&invited["state"], &invited["link"]["purpose"]), (&json!("invited"), &json!("invitation")));
    let url = invited["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/sign-in/link/hf_", server.address)), "{url}");
    let taken = refused(&data, &["account", "invite", "Bob", "BOB@example.com", "--role", "viewer"]).await;
    assert!(taken.contains("another account has the email"), "{taken}");

    let ann = server.visitor();
    let form = [("name", "Ann Lee"), ("password", PASSWORD)];
    ann.post(lines[2]).form(&form).send().await.expect(303);
    let listed = document(&data, &["account", "list"]).await;
    assert_eq!(each(&listed, "email"), [FIRST, ANN, BOB], "by name");
    assert_eq!(each(&listed, "state"), ["active", "active", "invited"]);
    let found =
        run(&data, &["account", "list", "--role", "agent", "--state", "active", "--search", "lee"]).await;
    let row = found.lines().nth(1).unwrap();
    assert!(
        found.lines().count() == 2 && row.starts_with("Ann Lee  ann@example.com  agent  active  "),
        "{found}"
    );
    assert!(row.contains(" EST  ") || row.contains(" EDT  "), "{row}");
    assert!(row.ends_with(listed["items"][1]["id"].as_str().unwrap()), "{row}");
    let none = run(&data, &["account", "list", "--search", "zzz"]).await;
    assert_eq!(none, "No account matches.\n");
    let none = document(&data, &["account", "list", "--search", "zzz"]).await;
    assert_eq!(none, json!({ "items": [] }));

    let role = ["account", "role", ANN, "viewer"];
    let label = "Ann Lee <ann@example.com>";
    assert_eq!(run(&data, &role).await, format!("Changed the role of {label} from agent to viewer.\n"));
    assert_eq!(run(&data, &role).await, format!("{label} is already viewer.\n"));
    assert_eq!(ann.get("/api/me").send().await.expect(200).json::<Value>()["role"], "viewer");
    // By id.
    let id = listed["items"][1]["id"].as_str().unwrap();
    let changed = document(&data, &["account", "role", id, "agent"]).await;
    assert_eq!((&changed["role"], &changed["email"]), (&json!("agent"), &json!(ANN)));
}

async fn a_link_of_a_command_replaces_the_one_before_it(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let first = path(&run(&data, &["account", "invite", "Ann Lee", ANN, "--role", "agent"]).await);
    let early = refused(&data, &["account", "reset", ANN]).await;
    assert!(early.contains("has not joined yet") && early.contains("holdfast account link"), "{early}");
    let renewed = run(&data, &["account", "link", ANN]).await;
    assert!(renewed.starts_with("Renewed the invitation of Ann Lee <ann@example.com>.\n"), "{renewed}");
    server.visitor().get(&first).send().await.expect(410);
    let form = [("name", "Ann Lee"), ("password", PASSWORD)];
    server.visitor().post(&path(&renewed)).form(&form).send().await.expect(303);

    let reset = document(&data, &["account", "reset", ANN]).await;
    assert_eq!(reset["link"]["purpose"], "reset");
    let both = run(&data, &["account", "reset", ANN, "--two-factor"]).await;
    assert!(
        both.starts_with("Switched two-factor authentication off and created a password reset"),
        "{both}"
    );
    let later = run(&data, &["account", "reset", ANN]).await;
    assert!(later.starts_with("Created a password reset for Ann Lee <ann@example.com>.\n"), "{later}");
    server.visitor().get(&path(reset["url"].as_str().unwrap())).send().await.expect(410);
    let password = "another long password";
    server.visitor().post(&path(&later)).form(&[("password", password)]).send().await.expect(303);
    let form = [("email", ANN), ("password", password)];
    server.visitor().post("/sign-in").form(&form).send().await.expect(303);
    // A sign-in link changes no password.
    let link = document(&data, &["account", "link", ANN]).await;
    server.visitor().use_link(&path(link["url"].as_str().unwrap())).await.expect(303);
    server.visitor().post("/sign-in").form(&form).send().await.expect(303);

    let log = server.stop().await;
    assert!(!log.contains("hf_"), "the server logs no link: {log}");
}

async fn a_disabled_person_is_signed_out_while_the_server_runs(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let ann = server.visitor();
    ann.use_link(&add(&data, ANN, "Ann Lee", "agent").await).await.expect(303);
    let program = server.program(run(&data, &["token", "create", ANN, "import"]).await.trim());
    for client in [&ann, &program] {
        client.get("/api/me").send().await.expect(200);
    }
    let unused = path(&run(&data, &["account", "link", ANN]).await);

    let out = run(&data, &["account", "disable", ANN]).await;
    assert!(
        out.starts_with("Disabled Ann Lee <ann@example.com>. Its sessions and links have ended"),
        "{out}"
    );
    for client in [&ann, &program] {
        client.get("/api/me").send().await.expect(403);
    }
    server.visitor().get(&unused).send().await.expect(410);
    let again = run(&data, &["account", "disable", ANN]).await;
    assert_eq!(again, "Ann Lee <ann@example.com> is already disabled.\n");
    for command in ["link", "reset"] {
        let message = refused(&data, &["account", command, ANN]).await;
        assert!(
            message.contains("is disabled; enable the account first: holdfast account enable"),
            "{message}"
        );
    }
    let message = refused(&data, &["token", "create", ANN, "late"]).await;
    assert!(message.contains("is disabled, so its tokens would not work"), "{message}");

    let enabled = document(&data, &["account", "enable", ANN]).await;
    assert_eq!(enabled["state"], "active");
    let again = run(&data, &["account", "enable", ANN]).await;
    assert_eq!(again, "Ann Lee <ann@example.com> is active, not disabled.\n");
    ann.get("/api/me").send().await.expect(401);
    program.get("/api/me").send().await.expect(401);
    signed_in(&data, &server, ANN).await.get("/api/me").send().await.expect(200);

    // A person who never joined needs a new invitation.
    run(&data, &["account", "invite", "Bob Ray", BOB, "--role", "agent"]).await;
    run(&data, &["account", "disable", BOB]).await;
    let enabled = run(&data, &["account", "enable", BOB]).await;
    assert!(enabled.contains("holdfast account link bob@example.com"), "{enabled}");
}

async fn one_session_or_all_sessions_are_ended_by_a_command(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let firefox = server.visitor().always("user-agent", FIREFOX);
    firefox.use_link(&add(&data, ANN, "Ann Lee", "agent").await).await.expect(303);
    let other = signed_in(&data, &server, ANN).await;
    let program = server.program(run(&data, &["token", "create", ANN, "import"]).await.trim());

    let listed = document(&data, &["session", "list", ANN]).await;
    assert_eq!(each(&listed, "address"), ["127.0.0.1"; 2]);
    let sessions = listed["items"].as_array().unwrap();
    let session =
        sessions.iter().find(|session| session["device"] == "Firefox on Windows").expect("its session");
    let id = session["id"].as_str().unwrap();
    let text = run(&data, &["session", "list", ANN]).await;
    let row = text.lines().find(|line| line.starts_with("Firefox on Windows  127.0.0.1  "));
    assert!(row.is_some_and(|row| row.ends_with(&format!("  {}", &id[..12]))), "{text}");

    let ended = run(&data, &["session", "end", ANN, &id[..8].to_uppercase()]).await;
    assert_eq!(ended, "Ended a session of Ann Lee <ann@example.com>: Firefox on Windows.\n");
    firefox.get("/api/me").send().await.expect(401);
    other.get("/api/me").send().await.expect(200);
    let again = refused(&data, &["session", "end", ANN, id]).await;
    assert!(again.contains("has no session whose ID begins with"), "{again}");
    let admin = server.program(run(&data, &["token", "create", FIRST, "test"]).await.trim());
    let entries: Value = admin.get("/api/audit?kind=sessions-ended").send().await.expect(200).json();
    assert_eq!(each(&entries, "detail"), ["One session ended."]);
    assert_eq!(each(&entries, "by"), ["holdfast command"]);
    let rest = document(&data, &["session", "list", ANN]).await;
    let rest = each(&rest, "id");
    let ended = document(&data, &["session", "end", ANN, rest[0]]).await;
    assert_eq!((rest.len(), &ended["id"]), (1, &json!(rest[0])));
    assert_eq!(run(&data, &["session", "list", ANN]).await, "Ann Lee <ann@example.com> has no session.\n");

    let other = signed_in(&data, &server, ANN).await;
    let ended = document(&data, &["session", "end", ANN, "--all"]).await;
    assert_eq!(ended["email"], ANN);
    other.get("/api/me").send().await.expect(401);
    program.get("/api/me").send().await.expect(200);
    let out = run(&data, &["session", "end", ANN, "--all", "--tokens"]).await;
    assert_eq!(out, "Ended all sessions of Ann Lee <ann@example.com> and revoked all its tokens.\n");
    program.get("/api/me").send().await.expect(401);
}

async fn a_token_of_a_command_works_until_it_is_revoked(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    add(&data, ANN, "Ann Lee", "agent").await;
    let created = data.holdfast(&["token", "create", ANN, "night import"]);
    let out = created.succeeds().await;
    let secret = out.trim_end();
    assert!(secret.starts_with("hf_") && out.lines().count() == 1, "standard output has only the secret");
    let words = "Created the token night import of Ann Lee <ann@example.com> as agent. It expires on ";
    assert!(created.err().contains(words) && !created.err().contains(secret), "{}", created.err());
    let program = server.program(secret);
    let me: Value = program.get("/api/me").send().await.expect(200).json();
    assert_eq!((&me["role"], &me["token"]), (&json!("agent"), &json!("night import")));

    let forever = ["token", "create", ANN, "report", "--role", "viewer", "--no-expiry"];
    let forever = document(&data, &forever).await;
    assert_eq!((&forever["role"], &forever["expiresAt"]), (&json!("viewer"), &Value::Null));
    let report = server.program(forever["secret"].as_str().unwrap());
    assert_eq!(report.get("/api/me").send().await.expect(200).json::<Value>()["role"], "viewer");
    let high = refused(&data, &["token", "create", ANN, "x", "--role", "administrator"]).await;
    assert!(high.contains("is agent, so its token cannot be administrator"), "{high}");

    let listed = document(&data, &["token", "list", ANN]).await;
    assert_eq!(each(&listed, "name"), ["report", "night import"], "newest first");
    let token = &listed["items"][1];
    let seconds = |field: &str| token[field].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    assert_eq!(seconds("expiresAt") - seconds("createdAt"), 90 * 24 * 3600);
    let text = run(&data, &["token", "list", ANN]).await;
    assert!(text.starts_with("NAME ") && text.contains(token["prefix"].as_str().unwrap()), "{text}");
    assert!(!text.contains(secret), "a list has no secret");

    let revoked = run(&data, &["token", "revoke", ANN, "night import"]).await;
    assert_eq!(revoked, "Revoked the token night import of Ann Lee <ann@example.com>.\n");
    program.get("/api/me").send().await.expect(401);
    let again = refused(&data, &["token", "revoke", ANN, "night import"]).await;
    assert!(again.contains("has no token with the ID or name night import"), "{again}");
    let id = forever["id"].as_str().unwrap();
    let revoked = document(&data, &["token", "revoke", ANN, id]).await;
    assert_eq!((&revoked["id"], &revoked["secret"]), (&forever["id"], &Value::Null));
    report.get("/api/me").send().await.expect(401);
    assert_eq!(run(&data, &["token", "list", ANN]).await, "Ann Lee <ann@example.com> has no token.\n");

    let log = server.stop().await;
    assert!(!log.contains("hf_"), "the server logs no secret: {log}");
    // Without a server.
    run(&data, &["token", "create", ANN, "alone", "--expires-in-days", "1"]).await;
    assert_eq!(each(&document(&data, &["token", "list", ANN]).await, "name"), ["alone"]);
}

async fn a_name_of_several_tokens_names_none_of_them(_: TestEnvironment) {
    let data = Data::new();
    add(&data, ANN, "Ann Lee", "agent").await;
    for _ in 0..2 {
        run(&data, &["token", "create", ANN, "import"]).await;
    }
    let message = refused(&data, &["token", "revoke", ANN, "import"]).await;
    let listed = document(&data, &["token", "list", ANN]).await;
    let ids = each(&listed, "id");
    assert!(message.contains("2 tokens") && ids.iter().all(|id| message.contains(id)), "{message}");
    run(&data, &["token", "revoke", ANN, ids[0]]).await;
    run(&data, &["token", "revoke", ANN, "import"]).await;
}

async fn the_leads_of_a_deleted_account_get_another_owner_or_none(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    add(&data, ANN, "Ann Lee", "agent").await;
    add(&data, BOB, "Bob Ray", "agent").await;
    add(&data, "pat@example.com", "Pat Poe", "participant").await;
    let admin = server.program(run(&data, &["token", "create", FIRST, "test"]).await.trim());
    let ann = server.program(run(&data, &["token", "create", ANN, "test"]).await.trim());
    let mut leads = Vec::new();
    for number in 0..3 {
        let mut lead = new_lead("Lead", &format!("lead{number}@example.com"));
        lead["owner"] = json!(ANN);
        leads.push(create(&ann, &lead).await);
    }

    let delete = ["account", "delete", ANN];
    let undecided = data.holdfast(&delete).fails(2).await;
    assert!(undecided.contains("--leads-to") && undecided.contains("--clear-leads"), "{undecided}");
    for (heir, words) in [
        (ANN, "who is to be deleted"),
        ("pat@example.com", "who is participant and active; name an active agent"),
        ("none@example.com", "no account has the email none@example.com"),
    ] {
        let message = refused(&data, &[&delete[..], &["--leads-to", heir]].concat()).await;
        assert!(message.contains(words), "{message}");
    }
    ann.get("/api/me").send().await.expect(200);

    let id = ann.get("/api/me").send().await.expect(200).json::<Value>()["id"].as_str().unwrap().to_owned();
    let deleted = run(&data, &[&delete[..], &["--leads-to", BOB]].concat()).await;
    assert_eq!(deleted, "Deleted Ann Lee <ann@example.com>. 3 leads belong to Bob Ray now.\n");
    ann.get("/api/me").send().await.expect(401);
    for lead in &leads {
        let lead = read(&admin, lead).await;
        assert_eq!((&lead["owner"]["name"], &lead["version"]), (&json!("Bob Ray"), &json!(2)));
    }
    // The steps are those of the page, which would show and continue them.
    let history: Value = admin.get(&format!("/api/accounts/{id}/history")).send().await.expect(200).json();
    let begun = "Deletion started. The leads get another owner.";
    assert_eq!(each(&history, "detail")[..2], ["Account deleted.", begun]);
    assert_eq!(each(&history, "by")[..2], ["holdfast command"; 2]);
    let gone = refused(&data, &[&delete[..], &["--clear-leads"]].concat()).await;
    assert!(gone.contains("no account has the email ann@example.com"), "{gone}");

    // A person who was disabled before is deleted too.
    run(&data, &["account", "disable", BOB]).await;
    let deleted = document(&data, &["account", "delete", BOB, "--clear-leads"]).await;
    assert_eq!((&deleted["leadsChanged"], &deleted["email"]), (&json!(3), &json!(BOB)));
    assert_eq!(read(&admin, &leads[0]).await["owner"], Value::Null);
    let deleted = run(&data, &["account", "delete", "pat@example.com", "--clear-leads"]).await;
    assert_eq!(deleted, "Deleted Pat Poe <pat@example.com>. It owned no leads.\n");
    assert_eq!(each(&document(&data, &["account", "list"]).await, "email"), [FIRST]);
}

async fn the_last_administrator_stays(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let commands: [&[&str]; 3] = [
        &["account", "disable", FIRST],
        &["account", "role", FIRST, "agent"],
        &["account", "delete", FIRST, "--clear-leads"],
    ];
    for words in commands {
        let message = refused(&data, words).await;
        assert!(
            message.contains("is the last active administrator; make another person an administrator first"),
            "{words:?}: {message}"
        );
    }
    // Neither an invited nor a disabled administrator counts.
    run(&data, &["account", "invite", "Ann Lee", ANN, "--role", "administrator"]).await;
    refused(&data, commands[0]).await;
    add(&data, BOB, "Bob Ray", "administrator").await;
    run(&data, commands[0]).await;
    let message = refused(&data, &["account", "disable", BOB]).await;
    assert!(message.contains("Bob Ray <bob@example.com> is the last active administrator"), "{message}");
    server.stop().await;
    // The next start prints how to sign in.
    let restarted = data.holdfast(&["--port", "0"]);
    let out = restarted.prints(2).await;
    assert!(out.contains("`holdfast account link EMAIL`"), "{out}");
}

async fn two_commands_at_once_leave_an_administrator(_: TestEnvironment) {
    let data = Data::new();
    let _server = data.serve().await;
    add(&data, BOB, "Bob Ray", "administrator").await;
    let both = [FIRST, BOB].map(|email| data.holdfast(&["account", "role", email, "agent"]));
    let mut codes = Vec::new();
    for run in &both {
        codes.push(run.ended().await);
    }
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(1)]);
    let administrators = document(&data, &["account", "list", "--role", "administrator"]).await;
    assert_eq!(each(&administrators, "state"), ["active"]);
}

async fn a_command_names_the_account_that_does_not_exist(_: TestEnvironment) {
    let data = Data::new();
    add(&data, ANN, "Ann Lee", "agent").await;
    let commands: [&[&str]; 11] = [
        &["account", "disable", BOB],
        &["account", "enable", BOB],
        &["account", "role", BOB, "agent"],
        &["account", "link", BOB],
        &["account", "reset", BOB],
        &["account", "delete", BOB, "--clear-leads"],
        &["session", "list", BOB],
        &["session", "end", BOB, "--all"],
        &["token", "list", BOB],
        &["token", "create", BOB, "import"],
        &["token", "revoke", BOB, "import"],
    ];
    for words in commands {
        for words in [words.to_vec(), [words, &["--json"]].concat()] {
            let message = refused(&data, &words).await;
            let expected = "holdfast: no account has the email bob@example.com; `holdfast account list`";
            assert!(message.starts_with(expected), "{words:?}: {message}");
        }
    }
    let id = "019f0000-0000-7000-8000-000000000000";
    let message = refused(&data, &["account", "link", id]).await;
    assert!(message.contains(&format!("no account has the ID {id}")), "{message}");
}

async fn commands_that_give_a_role_explain_the_roles(_: TestEnvironment) {
    let data = Data::new();
    for words in [["account", "add"], ["account", "invite"], ["account", "role"], ["token", "create"]] {
        let help = run(&data, &[&words[..], &["--help"]].concat()).await;
        for role in Role::ALL {
            let lines: Vec<_> = help.lines().filter(|line| line.contains(role.explanation())).collect();
            assert!(
                lines.len() == 1 && lines[0].trim_start().starts_with(role.as_str()),
                "{words:?}: {help}"
            );
        }
    }
}

async fn invalid_arguments_of_commands_on_accounts_are_refused_with_a_reason(_: TestEnvironment) {
    let data = Data::new();
    let commands: [(&[&str], &str); 10] = [
        (
            &["account", "role", ANN, "owner"],
            "The role must be administrator, agent, viewer, or participant.",
        ),
        (&["account", "invite", "Ann Lee", ANN, "--role", "boss"], "The role must be administrator"),
        (&["account", "invite", "Ann Lee", ANN], "--role"),
        (&["account", "list", "--state", "gone"], "invited, active, or disabled"),
        (&["account", "link", "ann"], "Give the email or ID of an account."),
        (&["account", "delete", ANN, "--clear-leads", "--leads-to", BOB], "cannot be used with"),
        (&["session", "end", ANN, "3f9a"], "at least the first 8 of its 64 hexadecimal digits"),
        (&["session", "end", ANN, "3f9a61c0", "--tokens"], "cannot be used with"),
        (&["token", "create", ANN, "x", "--expires-in-days", "4000"], "A token can last 1 to 3,650 days."),
        (&["token", "create", ANN, "x", "--expires-in-days", "9", "--no-expiry"], "cannot be used with"),
    ];
    for (words, reason) in commands {
        let message = data.holdfast(words).fails(2).await;
        assert!(message.contains(reason), "{words:?}: {message}");
    }
    assert!(!data.path().exists(), "nothing was touched");
}
