//! `holdfast serve --table`: the server over a table on AWS, as a service and in its container.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use holdfast::base::identity::Role;
use holdfast::store::schema;
use serde_json::{Value, json};

use super::binary::{Run, Server, as_on_aws};
use crate::support::missing_tool::MissingTool;
use crate::support::process::target;
use crate::support::workspace::{COOKIE_SECRET, Workspace, create, new_lead, read};
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        dynamodb: the_server_serves_a_table_counts_its_changes_and_stops_on_a_signal,
            errors_in_the_configuration_are_named_before_the_server_starts,
            the_server_and_its_links_use_the_base_path,
            the_server_creates_a_missing_table_and_keeps_an_existing_one,
            the_server_answers_only_requests_that_came_through_the_proxy,
            the_container_serves_as_an_unprivileged_user_from_a_read_only_root;
        embedded: the_systemd_service_is_valid_and_confined
    ]
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_holdfast");

/// `serve` on a case's table, configured by variables as in a container.
fn serving(environment: &TestEnvironment, program: Command) -> Command {
    let mut command = as_on_aws(program, environment);
    for (name, value) in [
        ("AWS_REGION", "us-east-1"),
        ("HOLDFAST_TABLE", environment.table()),
        ("HOLDFAST_COOKIE_KEY", COOKIE_SECRET),
        ("HOLDFAST_SECURE_COOKIES", "false"),
        ("HOLDFAST_LISTEN", "127.0.0.1:0"),
        ("HOLDFAST_HOSTS", "127.0.0.1"),
        ("HOLDFAST_LOG", "json"),
    ] {
        command.env(name, value);
    }
    command
}

fn serve() -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("serve");
    command
}

/// The log lines of requests, a JSON object each.
fn requests(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    lines.filter(|line| line["target"] == "holdfast::requests").collect()
}

async fn the_server_serves_a_table_counts_its_changes_and_stops_on_a_signal(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let server = Server::of_table(Run::start(serving(&environment, serve()), "")).await;
    let program = server.program(&token);
    let lead = create(&program, &new_lead("Zebulon", "zebulon@example.com")).await;
    assert_eq!(read(&workspace.bearer(&token), &lead).await, lead, "the server uses the same table");
    // The server's worker counts changes from the table's stream.
    wait::until("the lead is counted", async || {
        let stats: Value = program.get("/api/leads/stats").send().await.expect(200).json();
        stats["total"] == 1
    })
    .await;
    let log = server.stop().await;
    let lines = requests(&log);
    let created =
        lines.iter().find(|line| line["route"] == "POST /api/leads").expect("each request is logged");
    assert_eq!((&created["role"], &created["status"]), (&json!("agent"), &json!(201)), "{created}");
    assert!(!log.contains("Zebulon") && log.contains("\"stopped\""), "{log}");
}

async fn errors_in_the_configuration_are_named_before_the_server_starts(environment: TestEnvironment) {
    let wrong = |name: &str, value: &str| {
        let mut command = serving(&environment, serve());
        command.env("HOLDFAST_LOG", "text").env(name, value);
        Run::start(command, "")
    };
    for (name, value, words) in [
        ("HOLDFAST_COOKIE_KEY", "short", "HOLDFAST_COOKIE_KEY is too short"),
        ("HOLDFAST_BASE_PATH", "holdfast/", "HOLDFAST_BASE_PATH is not a path"),
        ("HOLDFAST_TABLE", "no table", "HOLDFAST_TABLE is not a table name"),
        ("HOLDFAST_SIGN_UP", "invitation", "HOLDFAST_INVITATION_CODE"),
        ("HOLDFAST_HOSTS", "", "set one with --host or HOLDFAST_HOSTS"),
    ] {
        let text = wrong(name, value).fails(1).await;
        assert!(text.contains(words) && !text.contains(COOKIE_SECRET), "{name}: {text}");
    }
    let listening = wrong("HOLDFAST_LISTEN", "192.0.2.1:3000").fails(1).await;
    assert!(
        listening.contains("cannot listen on 192.0.2.1:3000") && listening.contains("--listen"),
        "{listening}"
    );
}

async fn the_server_and_its_links_use_the_base_path(environment: TestEnvironment) {
    Workspace::open(&environment).await;
    let mut command = serving(&environment, serve());
    command.env("HOLDFAST_BASE_PATH", "/holdfast");
    let server = Server::of_table(Run::start(command, "")).await;
    let root = server.address.strip_suffix("/holdfast").expect("the address has the path").to_owned();
    let visitor = crate::support::http::Client::at(&root);
    visitor.get("/holdfast/health").send().await.expect(200);
    let page = visitor.get("/holdfast/sign-in").send().await.expect(200);
    assert!(page.text().contains("href=\"/holdfast/assets/"), "{}", page.text());
    let sent = visitor.get("/holdfast").header("accept", "text/html").send().await.expect(303);
    assert!(sent.header("location").starts_with("/holdfast/sign-in"), "{}", sent.header("location"));
    visitor.get("/health").send().await.expect(404);
    // Health checks know only the address of the server.
    visitor.get("/holdfast/health").header("host", "192.0.2.7:3000").send().await.expect(200);
    for (path, host) in [("/holdfast/health", "evil.example"), ("/holdfast/sign-in", "192.0.2.7:3000")] {
        let answer = visitor.get(path).header("host", host).send().await.expect(421);
        assert!(answer.text().contains("--host"), "{}", answer.text());
    }
}

async fn the_server_creates_a_missing_table_and_keeps_an_existing_one(environment: TestEnvironment) {
    let mut without = serving(&environment, serve());
    without.arg("--no-workers");
    let health = Server::of_table(Run::start(without, "")).await.visitor().get("/health/ready").send().await;
    health.expect(503);
    let client = environment.sdk_client();
    let described =
        async || client.describe_table().table_name(environment.table()).send().await.unwrap().table.unwrap();
    for _ in 0..2 {
        let mut command = serving(&environment, serve());
        command.arg("--create-table");
        let server = Server::of_table(Run::start(command, "")).await;
        server.visitor().get("/health").send().await.expect(200);
        let table = described().await;
        assert_eq!(table.global_secondary_indexes().len(), schema::INDEXES.len());
        assert!(table.stream_specification.is_some_and(|stream| stream.stream_enabled));
        let ttl = client.describe_time_to_live().table_name(environment.table()).send().await.unwrap();
        let ttl = ttl.time_to_live_description.unwrap();
        assert_eq!(ttl.attribute_name(), Some(schema::TTL));
        server.stop().await;
    }
    // Deletion protection is switched off again, so that the case's table can be deleted.
    assert_eq!(described().await.deletion_protection_enabled, Some(true));
    let unprotected =
        client.update_table().table_name(environment.table()).deletion_protection_enabled(false);
    unprotected.send().await.unwrap();
}

async fn the_server_answers_only_requests_that_came_through_the_proxy(environment: TestEnvironment) {
    Workspace::open(&environment).await;
    let mut command = serving(&environment, serve());
    command.env("HOLDFAST_ORIGIN_KEY", &COOKIE_SECRET[..32]);
    let server = Server::of_table(Run::start(command, "")).await;
    let visitor = server.visitor();
    let refused: Value = visitor.get("/health").send().await.expect(403).json();
    assert_eq!(refused["type"], "urn:holdfast:problem:wrong-address");
    let health = visitor.get("/health").header("x-holdfast-origin-key", &COOKIE_SECRET[..32]);
    health.send().await.expect(200);
    let log = server.stop().await;
    assert!(!log.contains(&COOKIE_SECRET[..32]), "{log}");
}

/// The content of the image of `infra/Dockerfile`: the program, its shared libraries, and the TLS root
/// certificates.
fn image(name: &str) -> PathBuf {
    let root = target().join("tmp").join(name);
    // An earlier run of this case may have left files.
    let _ = fs::remove_dir_all(&root);
    let put = |from: &Path, to: &str, mode: u32| {
        let to = root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).unwrap();
    };
    let linked = Command::new("ldd").arg(PROGRAM).output().expect("ldd comes with the system");
    let linked = String::from_utf8(linked.stdout).unwrap();
    for file in linked.split_whitespace().filter(|word| word.starts_with('/')) {
        put(Path::new(file), file, 0o755);
    }
    put(Path::new(PROGRAM), "/usr/local/bin/holdfast", 0o555);
    let roots = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if roots.exists() {
        put(roots, "/etc/ssl/certs/ca-certificates.crt", 0o444);
    }
    if !root.join("lib64").exists() {
        symlink("lib", root.join("lib64")).unwrap();
    }
    root
}

/// Runs the command with the folder as a read-only root, as a user without any rights.
const AS_UNPRIVILEGED: &str = r#"
mount --bind "$0" "$0"
mount -o remount,ro,bind "$0"
exec chroot --userspec=65532:65532 --groups= "$0" /usr/local/bin/holdfast serve"#;

async fn the_container_serves_as_an_unprivileged_user_from_a_read_only_root(environment: TestEnvironment) {
    let may = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        let why = "`unshare --mount true` failed".to_owned();
        return environment.report_missing(MissingTool {
            what: "A separate root directory",
            why,
            remedy: "Run as root",
        });
    }
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", AS_UNPRIVILEGED]).arg(image("container"));
    let server = Server::of_table(Run::start(serving(&environment, command), "")).await;
    server.visitor().get("/health").send().await.expect(200);
    let program = server.program(&token);
    let lead = create(&program, &new_lead("Ada", "ada@example.com")).await;
    assert_eq!(read(&program, &lead).await, lead);
    let status = fs::read_to_string(format!("/proc/{}/status", server.run.pid())).unwrap();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert_eq!(line("Uid:").split_whitespace().skip(1).collect::<Vec<_>>(), ["65532"; 4]);
    assert_eq!(line("CapEff:").split_whitespace().nth(1), Some("0000000000000000"), "{status}");
    server.run.signal("TERM");
    server.run.succeeds().await;
    assert!(server.run.err().contains("\"stopped\""), "{}", server.run.err());
}

async fn the_systemd_service_is_valid_and_confined(environment: TestEnvironment) {
    let unit = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/infra/holdfast.service")).unwrap();
    // The program must exist where the unit expects it, and here it is not installed.
    let here = target().join("tmp").join("holdfast.service");
    fs::write(&here, unit.replace("/usr/local/bin/holdfast", PROGRAM)).unwrap();
    let analyze = |words: &[&str]| Command::new("systemd-analyze").args(words).arg(&here).output();
    let Ok(verified) = analyze(&["verify", "--man=no"]) else {
        let why = "`systemd-analyze` was not found".to_owned();
        return environment.report_missing(MissingTool { what: "systemd", why, remedy: "Install systemd" });
    };
    let text = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !text.contains("holdfast.service"), "{text}");
    // In tenths: below 2.5 of 10, systemd rates a service as well confined.
    let secure = analyze(&["security", "--offline=true", "--threshold=25", "--no-pager"]).unwrap();
    assert!(secure.status.success(), "{}", String::from_utf8_lossy(&secure.stdout));
}
