//! The commands of `holdfast`, with and without a running server.

use std::process::Command;

use serde_json::Value;

use super::binary::{Data, Run};
use crate::support::http::Client;
use crate::support::workspace::{Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        dynamodb: the_commands_work_on_a_table_on_aws;
        embedded: an_account_is_added_with_and_without_a_running_server,
            an_invalid_account_is_refused_with_a_reason,
            a_file_of_leads_is_imported_once_however_often_the_command_runs,
            commands_are_run_from_an_argument_and_from_standard_input,
            rejected_rows_are_written_to_a_new_file,
            commands_that_read_name_a_directory_without_data_and_do_not_create_it,
            an_import_without_any_lead_is_a_failure,
            an_unusable_import_file_is_refused_with_a_reason,
            the_statistics_are_recounted_with_and_without_a_running_server,
            flags_decide_who_may_sign_up_and_an_invalid_code_is_not_shown,
            an_invalid_configuration_of_the_function_names_every_error
    ]
}

const PASSWORD: &str = "correct horse battery";
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/leads");

async fn the_commands_work_on_a_table_on_aws(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    // The standard variables of the SDK have the endpoint and the credentials.
    let on_aws = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(words).args(["--table", environment.table()]);
        let endpoint = environment.engine().endpoint();
        for (name, value) in [
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
            ("AWS_ACCESS_KEY_ID", environment.engine().access_key()),
            ("AWS_SECRET_ACCESS_KEY", "dummy"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ] {
            command.env(name, value);
        }
        command
    };
    let region = ["--region", "us-east-1"];
    let add = ["account", "add", "you@example.com", "--name", "Your Name", "--role", "administrator"];
    let added = Run::start(on_aws(&[&add[..], &region].concat()), "").succeeds().await;
    let person = workspace.visitor();
    person.use_link(added.lines().nth(2).expect("a link is printed")).await.expect(303);
    let file = format!("{FIXTURES}/contacts.csv");
    let import = ["import", "leads", &file];
    let report = Run::start(on_aws(&[&import[..], &region].concat()), "").succeeds().await;
    assert_eq!(leads(&person).await.len(), counted(&report)[0]);
    let token = ["token", "create", "you@example.com", "import"];
    let secret = Run::start(on_aws(&[&token[..], &region].concat()), "").succeeds().await;
    workspace.bearer(secret.trim()).get("/api/me").send().await.expect(200);
    let listed = Run::start(on_aws(&[&["account", "list"][..], &region].concat()), "").succeeds().await;
    assert!(listed.lines().any(|row| row.starts_with("Your Name  you@example.com  ")), "{listed}");
    let nowhere = Run::start(on_aws(&add), "").fails(1).await;
    assert!(nowhere.contains("AWS_REGION"), "{nowhere}");
}

async fn an_account_is_added_with_and_without_a_running_server(_: TestEnvironment) {
    let data = Data::new();
    let add = |email: &'static str, role: &'static str| {
        ["account", "add", email, "--name", "Ann Lee", "--role", role]
    };
    // Without a server, and without data: the link is only a path.
    let alone = data.holdfast(&add("ann@example.com", "agent")).succeeds().await;
    let lines: Vec<_> = alone.lines().collect();
    assert_eq!(lines[0], "Added Ann Lee <ann@example.com> as agent.");
    assert!(lines[2].starts_with("/sign-in/link/"), "{alone}");

    let server = data.serve().await;
    let ann = server.visitor();
    ann.use_link(lines[2]).await.expect(303);
    assert_eq!(ann.get("/api/me").send().await.expect(200).json::<Value>()["role"], "agent");
    // With a running server: the complete address.
    let beside = data.holdfast(&add("bob@example.com", "administrator")).succeeds().await;
    let link = beside.lines().nth(2).and_then(|line| line.strip_prefix(&server.address));
    let bob = server.visitor();
    bob.use_link(link.expect("the link is the server's")).await.expect(303);
    assert_eq!(bob.get("/api/me").send().await.expect(200).json::<Value>()["role"], "administrator");
    // With a password there is no link.
    let mut words = add("pat@example.com", "participant").to_vec();
    words.push("--password-stdin");
    let run = data.holdfast_reading(&words, &format!("{PASSWORD}\n"));
    assert_eq!(run.succeeds().await, "Added Ann Lee <pat@example.com> as participant.\n");
    let form = [("email", "pat@example.com"), ("password", PASSWORD)];
    server.visitor().post("/sign-in").form(&form).send().await.expect(303);
}

async fn an_invalid_account_is_refused_with_a_reason(_: TestEnvironment) {
    let data = Data::new();
    let add = |email: &'static str, role: &'static str| {
        ["account", "add", email, "--name", "Ann Lee", "--role", role]
    };
    data.holdfast(&add("ann@example.com", "agent")).succeeds().await;
    let taken = data.holdfast(&add("ANN@example.com", "agent")).fails(1).await;
    assert!(taken.starts_with("holdfast: another account has the email"), "{taken}");
    let mut words = add("bob@example.com", "agent").to_vec();
    words.push("--password-stdin");
    let short = data.holdfast_reading(&words, "short\n").fails(1).await;
    assert!(short.starts_with("holdfast: invalid password: "), "{short}");
    assert!(!short.contains("short\n"), "a password is never shown: {short}");
    for password in ["password1234", "bob@example.com"] {
        let common = data.holdfast_reading(&words, &format!("{password}\n")).fails(1).await;
        assert_eq!(
            common.trim_end(),
            "holdfast: invalid password: This password is too common. Choose another one."
        );
    }
    for (words, named) in [(add("ann", "agent"), "<EMAIL>"), (add("ann@example.com", "owner"), "--role")] {
        let wrong = data.holdfast(&words).fails(2).await;
        assert!(wrong.contains(named), "{wrong}");
    }
}

/// The counts of a report: rows created, skipped and rejected.
fn counted(report: &str) -> [usize; 3] {
    ["created", "skipped", "rejected"].map(|what| {
        let counts = report.lines().filter_map(|line| line.trim().split_once(' '));
        let count = counts.into_iter().find(|(_, words)| words.starts_with(what));
        let (count, _) = count.unwrap_or_else(|| panic!("the report has no count of {what}: {report}"));
        count.parse().unwrap_or_else(|error| panic!("{count}: {error}"))
    })
}

/// All leads of a server.
async fn leads(person: &Client) -> Vec<Value> {
    let page: Value = person.get("/api/leads?limit=100").send().await.expect(200).json();
    assert_eq!(page["next"], Value::Null);
    page["items"].as_array().unwrap().clone()
}

async fn a_file_of_leads_is_imported_once_however_often_the_command_runs(_: TestEnvironment) {
    let data = Data::new();
    let file = format!("{FIXTURES}/contacts.csv");
    let words = ["import", "leads", &file];
    let rows = csv_rows(&file);
    let report = data.holdfast(&words).succeeds().await;
    assert!(report.starts_with(&format!("Read {rows} rows.\n")), "{report}");
    assert_eq!(counted(&report), [rows, 0, 0]);
    let server = data.serve().await;
    let person = server.administrator().await;
    let imported = leads(&person).await;
    assert_eq!(imported.len(), rows);
    let again = ["import", "leads", &file, "--allow-rejects"];
    let [created, skipped, rejected] = counted(&data.holdfast(&again).succeeds().await);
    assert_eq!([created + skipped, rejected], [rows, 0]);
    assert_eq!(leads(&person).await, imported, "beside the server, a repeated import changes nothing");
    server.stop().await;
    data.holdfast(&again).succeeds().await;
    let server = data.serve().await;
    assert_eq!(leads(&server.administrator().await).await, imported, "without a server neither");
}

async fn rejected_rows_are_written_to_a_new_file(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let rejected = data.path().join("rejected.csv");
    let (mistakes, rejected) = (format!("{FIXTURES}/contacts-with-mistakes.csv"), rejected.to_str().unwrap());
    let run = data.holdfast(&["import", "leads", &mistakes]);
    let failure = run.fails(1).await;
    assert!(failure.contains("5 rows were rejected") && failure.contains("--allow-rejects"), "{failure}");
    let report = run.out();
    assert_eq!(counted(&report), [4, 1, 5]);
    assert!(report.contains("  row 4: ") && report.contains("--rejected FILE"), "{report}");
    // All valid rows are leads already, so nothing more is created.
    let run = data.holdfast(&["import", "leads", &mistakes, "--rejected", rejected]);
    let failure = run.fails(1).await;
    assert!(
        failure.ends_with("holdfast: nothing was created: all other rows are existing leads\n"),
        "{failure}"
    );
    assert!(run.out().contains(rejected), "{}", run.out());
    assert_eq!(csv_rows(rejected), 5);
    assert_eq!(leads(&server.administrator().await).await.len(), 4);
    // An existing file is not overwritten: it may be the imported file.
    let again = data.holdfast(&["import", "leads", &mistakes, "--rejected", rejected]).fails(1).await;
    assert!(again.starts_with("holdfast: cannot write ") && again.contains("rejected.csv"), "{again}");
}

async fn commands_are_run_from_an_argument_and_from_standard_input(_: TestEnvironment) {
    let data = Data::new();
    let file = format!("{FIXTURES}/contacts.csv");
    data.holdfast(&["import", "leads", &file]).succeeds().await;
    // Without a server. The listed lead has the state that the order asks for.
    let listed = data.holdfast(&["run", "get_leads limit=1"]).succeeds().await;
    let (head, rows) = listed.split_once('\n').unwrap();
    let next = head.strip_prefix("1 ok get_leads leads=1 more=yes next=").expect(head);
    assert!(rows.starts_with("  ID "), "{listed}");
    let on = format!("get_leads limit=1 cursor={next}");
    let further = data.holdfast(&["run", &on]).succeeds().await;
    assert!(further.starts_with("1 ok get_leads leads=1 more=") && !further.contains(rows), "{further}");
    let state = listed.lines().nth(2).and_then(|row| row.split_whitespace().nth(3)).unwrap();
    let create = format!(
        "create_order customer_name=\"Acme Roofing\" customer_email=buy@acme.example requested_states={state}"
    );
    let server = data.serve().await;
    // With a running server: from standard input, with a line that fails.
    let commands = format!(
        "# from a file\n{create}\nget_orders status=open\ncreate_order customer_name=Late customer_email=late@acme.example requested_states=WY\n"
    );
    let run = data.holdfast_reading(&["run"], &commands);
    assert_eq!(run.fails(1).await.lines().last(), Some("holdfast: 1 of 3 commands failed"));
    let out = run.out();
    assert!(
        out.starts_with("2 ok create_order order=") && out.contains("\n3 ok get_orders orders=1 more=no\n"),
        "{out}"
    );
    assert!(out.contains("\n4 failed create_order: No leads available in these states."), "{out}");
    let order = out.split("order=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    data.holdfast(&["run", &format!("fulfill_order order_id={order}")]).succeeds().await;
    let person = server.administrator().await;
    let body = serde_json::json!({ "command": "get_orders", "params": { "status": "fulfilled" } });
    let listed: Value = person.post("/api/automation/execute").json(&body).send().await.expect(200).json();
    assert_eq!(listed["result"]["items"][0]["id"], order);

    let wrong = data.holdfast(&["run", "get_leads staat=CA\nget_leads limit=0"]);
    let words = wrong.fails(1).await;
    assert!(
        words.starts_with("holdfast: nothing was run: \n  line 1, column 11, staat: get_leads doesn't have"),
        "{words}"
    );
    assert!(words.contains("\n  line 2, column 11, limit: A limit must be a whole number"), "{words}");
    assert_eq!(wrong.out(), "");
    let help = data.holdfast(&["run", "help"]).succeeds().await;
    assert!(help.contains("  one_time_rule\n"), "{help}");
}

/// The number of rows below the header of a CSV file.
fn csv_rows(file: &str) -> usize {
    let reader = csv::ReaderBuilder::new().flexible(true).from_path(file);
    reader.unwrap_or_else(|error| panic!("{file}: {error}")).byte_records().count()
}

async fn an_unusable_import_file_is_refused_with_a_reason(_: TestEnvironment) {
    let data = Data::new();
    let absent = data.holdfast(&["import", "leads", "no-such-file.csv"]).fails(1).await;
    assert!(absent.starts_with("holdfast: cannot read no-such-file.csv: "), "{absent}");
    assert!(!data.path().exists(), "nothing was touched");
    let program = env!("CARGO_BIN_EXE_holdfast");
    let binary = data.holdfast(&["import", "leads", program]).fails(1).await;
    assert!(binary.starts_with("holdfast: "), "{binary}");
    assert_eq!(binary.lines().count(), 1, "{binary}");
}

async fn the_statistics_are_recounted_with_and_without_a_running_server(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let person = server.administrator().await.always("origin", &server.address);
    for number in 0..3 {
        create(&person, &new_lead("Lead", &format!("lead{number}@example.com"))).await;
    }
    let counted = "Counted 3 leads and 0 orders.";
    let beside = data.holdfast(&["recount"]).succeeds().await;
    assert!(beside.contains(counted), "{beside}");
    let stats: Value = person.get("/api/leads/stats").send().await.expect(200).json();
    assert_eq!(stats["total"], 3);
    server.stop().await;
    let alone = data.holdfast(&["recount"]).succeeds().await;
    assert!(alone.contains(counted) && alone.contains("No record was counted wrongly."), "{alone}");
}

async fn flags_decide_who_may_sign_up_and_an_invalid_code_is_not_shown(_: TestEnvironment) {
    let data = Data::new();
    for (code, words) in [
        (None, "holdfast: --invitation-code is missing"),
        (Some("two words"), "holdfast: --invitation-code is not an invitation code"),
    ] {
        let given = code.into_iter().flat_map(|code| ["--invitation-code", code]);
        let flags: Vec<_> = ["--port", "0", "--sign-up", "invitation"].into_iter().chain(given).collect();
        let refused = data.holdfast(&flags).fails(1).await;
        assert!(refused.starts_with(words) && !refused.contains("two words"), "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
        assert!(!data.path().exists(), "nothing was touched");
    }
    // The help does not show a code from the environment.
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.arg("--help").env("HOLDFAST_INVITATION_CODE", "k7-Wm2!xQ");
    let help = Run::start(command, "").succeeds().await;
    assert!(help.contains("HOLDFAST_INVITATION_CODE") && !help.contains("k7-Wm2!xQ"), "{help}");

    let off = data.serve_with(&[("HOLDFAST_SIGN_UP", "off")]).await;
    off.visitor().get("/sign-up").send().await.expect(403);
}

async fn an_invalid_configuration_of_the_function_names_every_error(_: TestEnvironment) {
    let secret = "too short a secret";
    let mut command = Command::new(env!("CARGO_BIN_EXE_lambda_web"));
    command
        .env("HOLDFAST_TABLE", "no table")
        .env("HOLDFAST_COOKIE_KEY", secret)
        .env("HOLDFAST_SECURE_COOKIES", "perhaps")
        .env("HOLDFAST_BASE_PATH", "holdfast/")
        .env("HOLDFAST_SIGN_UP", "invited")
        .env("HOLDFAST_INVITATION_CODE", "no code")
        .env("HOLDFAST_DYNAMODB_ENDPOINT", "nowhere");
    let run = Run::start(command, "");
    assert_eq!(run.ended().await, Some(1));
    let out = run.out();
    let logged: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    let words = logged["error"].as_str().unwrap();
    for fault in [
        "HOLDFAST_TABLE is not a table name",
        "HOLDFAST_COOKIE_KEY is too short",
        "HOLDFAST_SECURE_COOKIES is neither true nor false",
        "HOLDFAST_BASE_PATH is not a path",
        "HOLDFAST_SIGN_UP is not open, off, or invitation",
        "HOLDFAST_INVITATION_CODE is not an invitation code",
        "HOLDFAST_DYNAMODB_ENDPOINT is not an address",
    ] {
        assert!(words.contains(fault), "{fault}: {words}");
    }
    let output = format!("{out}{}", run.err());
    assert!(!output.contains(secret) && !output.contains("no code"), "{output}");

    let bare = Run::start(Command::new(env!("CARGO_BIN_EXE_lambda_web")), "");
    assert_eq!(bare.ended().await, Some(1));
    for fault in ["HOLDFAST_TABLE is missing", "HOLDFAST_COOKIE_KEY is missing"] {
        assert!(bare.out().contains(fault), "{fault}: {}", bare.out());
    }
}

async fn commands_that_read_name_a_directory_without_data_and_do_not_create_it(_: TestEnvironment) {
    let data = Data::new();
    let directory = data.path().to_str().unwrap();
    let raffle = "019f0000-0000-7000-8000-000000000000";
    let file = format!("{directory}.backup");
    let reading: [&[&str]; 9] = [
        &["account", "list"],
        &["session", "list", "ann@example.com"],
        &["token", "list", "ann@example.com"],
        &["check"],
        &["upgrade"],
        &["run", "get_leads"],
        &["export", "orders"],
        &["export", "tickets", raffle],
        &["backup", &file],
    ];
    for words in reading {
        let run = data.holdfast(words);
        let output = run.fails(1).await;
        assert!(
            output.starts_with(&format!("holdfast: there is no data in {directory}; ")),
            "{words:?}: {output}"
        );
        assert_eq!(run.out(), "", "{words:?}");
        assert!(!data.path().exists(), "{words:?} made the directory");
    }
    // A directory with other files is no data either.
    data.make();
    data.holdfast(&["check"]).fails(1).await;
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
    let wrong = data.holdfast(&["--port", "x"]).fails(2).await;
    assert!(
        wrong.contains("A port is a whole number from 0 to 65535") && !wrong.contains("digit"),
        "{wrong}"
    );
}

async fn an_import_without_any_lead_is_a_failure(_: TestEnvironment) {
    let data = Data::new();
    data.make();
    let file = data.path().join("leads.csv");
    let import = ["import", "leads", file.to_str().unwrap()];
    let two = "name,email\nAnn,ann@example.com\nBo,bo@example.com\n";
    let mixed = "name,email\nAnn,ann@example.com\nBo,nonsense\n";
    for (content, allow, why, code) in [
        ("name,email\nAnn,nonsense\n", false, "all rows were rejected", 1),
        ("name,email\nAnn,nonsense\n", true, "all rows were rejected", 1),
        (two, false, "", 0),
        (two, false, "nothing was created: all rows are leads already (2); --allow-rejects", 1),
        (two, true, "", 0),
        (mixed, false, "all other rows are existing leads", 1),
        (mixed, true, "", 0),
    ] {
        std::fs::write(&file, content).unwrap();
        let run = match allow {
            true => data.holdfast(&[&import[..], &["--allow-rejects"]].concat()),
            false => data.holdfast(&import),
        };
        assert_eq!(run.ended().await, Some(code), "{content}: {} {}", run.out(), run.err());
        assert!(run.err().contains(why), "{content}: {}", run.err());
    }
}
