//! Access to the data of a local server: only its owner has it, not other users of the computer and not other sites
//! in the browser.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use http::Method;
use serde_json::{Value, json};

use super::binary::Data;
use crate::support::browser::{At, Look};
use crate::support::http::Server;
use crate::support::missing_tool::MissingTool;
use crate::support::workspace::{create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: the_server_listens_only_on_its_port,
            a_request_for_another_host_name_is_refused,
            a_directory_that_others_may_enter_causes_a_warning,
            without_the_lock_file_the_data_still_has_one_server,
            commands_work_again_after_a_killed_server,
            a_command_opens_only_the_files_in_its_arguments,
            another_user_of_the_computer_has_no_access;
        browser: a_page_of_another_origin_cannot_read_or_change_anything
    ]
}

const CHECKED: &str = "Checked 0 products with 0 movements.\n";

/// The TCP ports on which a process listens, from `/proc`.
fn listening(pid: u32) -> BTreeSet<u16> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let own: BTreeSet<String> = links
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")));
    let tables = tables.into_iter().flatten().collect::<String>();
    let rows = tables.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // The columns: number, local address, remote address, state (0A listens) and, as the tenth, the inode.
    rows.filter(|row| row.get(3) == Some(&"0A") && row.get(9).is_some_and(|inode| own.contains(*inode)))
        .map(|row| u16::from_str_radix(row[1].rsplit(':').next().unwrap(), 16).unwrap())
        .collect()
}

async fn the_server_listens_only_on_its_port(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let page = server.administrator().await.get("/leads").send().await.expect(200);
    assert_eq!(page.header("strict-transport-security"), "", "the local server has no https");
    let port = server.port().parse().unwrap();
    assert_eq!(listening(server.run.pid()), BTreeSet::from([port]));
}

async fn a_request_for_another_host_name_is_refused(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve_with(&[("HOLDFAST_HOSTS", "holdfast.internal")]).await;
    let person = server.administrator().await;
    let port = server.port();
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example", "0.0.0.0"] {
        for path in ["/", "/leads", "/api/me", "/health"] {
            let answer = person.get(path).header("host", host).send().await.expect(421);
            assert!(answer.text().contains("--host"), "{}", answer.text());
        }
    }
    for host in ["holdfast.internal", &format!("localhost:{port}"), &format!("[::1]:{port}")] {
        person.get("/api/me").header("host", host).send().await.expect(200);
    }
}

async fn a_directory_that_others_may_enter_causes_a_warning(_: TestEnvironment) {
    use std::os::unix::fs::PermissionsExt as _;
    let data = Data::new();
    std::fs::create_dir_all(data.path()).unwrap();
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = data.serve().await;
    server.run.says("other users of this computer can access").await;
    server.stop().await;
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let log = data.serve().await.stop().await;
    assert!(!log.contains("other users of this computer"), "{log}");
}

async fn without_the_lock_file_the_data_still_has_one_server(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let lead = create(&server.administrator().await, &new_lead("Ann", "ann@example.com")).await;
    std::fs::remove_file(data.path().join("holdfast.lock")).unwrap();
    let second = data.holdfast(&["--port", "0"]).fails(1).await;
    assert!(second.contains("another process uses this data file"), "{second}");
    server.stop().await;
    let server = data.serve().await;
    let page: Value = server.administrator().await.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"], serde_json::json!([lead]));
}

async fn commands_work_again_after_a_killed_server(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    assert!(data.holdfast(&["check"]).succeeds().await.ends_with(CHECKED));
    // The files of a killed server do not prevent the next one from accepting commands.
    server.run.signal("KILL");
    server.run.ended().await;
    let socket = data.path().join("holdfast.socket");
    assert!(socket.exists(), "a killed server leaves its socket");
    assert!(data.holdfast(&["check"]).succeeds().await.ends_with(CHECKED));
    let server = data.serve().await;
    assert!(data.holdfast(&["check"]).succeeds().await.ends_with(CHECKED));
    // A client that does not send a command is disconnected.
    let mut stranger = UnixStream::connect(&socket).unwrap();
    std::io::Write::write_all(&mut stranger, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The connection may end in any way; it gets no answer.
    let _ = std::io::Read::read_to_end(&mut stranger, &mut answer);
    assert_eq!(answer, b"");
    server.stop().await;
    assert!(!socket.exists());
}

/// A frame as the server sends it.
fn frame(message: &Value) -> Vec<u8> {
    let json = message.to_string();
    let mut frame = u32::try_from(json.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(json.into_bytes());
    frame
}

async fn a_command_opens_only_the_files_in_its_arguments(_: TestEnvironment) {
    use std::io::{Read as _, Write as _};
    let data = Data::new();
    data.make();
    // Another user's directory: its lock is held, and the process behind its socket requests other files.
    let socket = data.path().join("holdfast.socket");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let lock = std::fs::File::create(data.path().join("holdfast.lock")).unwrap();
    lock.lock().unwrap();
    let holder = json!({ "pid": 1, "address": "http://127.0.0.1:1", "socket": socket,
        "startedAt": "2026-11-28T12:00:00Z" });
    std::fs::write(data.path().join("holdfast.lock"), holder.to_string()).unwrap();
    let asking = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut receive = || {
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut json = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
            stream.read_exact(&mut json).unwrap();
            (String::from_utf8(json).unwrap(), stream.try_clone().unwrap())
        };
        let (_, mut to) = receive();
        let mut answers = Vec::new();
        for question in ["Open", "Create", "CreatePrivate"] {
            to.write_all(&frame(&json!({ question: { "Unix": b"/etc/hostname" } }))).unwrap();
            answers.push(receive().0);
        }
        to.write_all(&frame(&json!({ "End": { "code": 3, "failure": "holdfast: no" } }))).unwrap();
        answers
    });
    data.holdfast(&["import", "leads", "contacts.csv"]).fails(3).await;
    for answer in asking.join().unwrap() {
        assert!(answer.contains("Failed") && answer.contains("not in the command line"), "{answer}");
    }
}

/// Runs a shell command as the user `nobody` and returns its output, or the reason why that is impossible here.
fn as_another_user(command: &str) -> Result<String, MissingTool> {
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", command])
        .output();
    let lacking = |why: String| MissingTool {
        what: "another user",
        why,
        remedy: "Run the tests as root, with setpriv of util-linux",
    };
    let output = output.map_err(|error| lacking(error.to_string()))?;
    let output =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.contains("setpriv:") { Err(lacking(output)) } else { Ok(output) }
}

async fn another_user_of_the_computer_has_no_access(environment: TestEnvironment) {
    let data = Data::new();
    // The parent directory is open to everyone, so the directory itself must keep others out.
    let server = data.serve().await;
    create(&server.administrator().await, &new_lead("Ann", "ann@example.com")).await;
    if let Err(missing_tool) = as_another_user("id -u") {
        return environment.report_missing(missing_tool);
    }
    let shown = |path: &Path| path.display().to_string();
    for file in ["holdfast.store", "holdfast.store-wal", "cookie.key", "data.key", "holdfast.lock"] {
        let output = as_another_user(&format!("cat '{}'", shown(&data.path().join(file)))).unwrap();
        assert!(output.contains("Permission denied"), "{file}: {output}");
    }
    let binary = env!("CARGO_BIN_EXE_holdfast");
    let output = as_another_user(&format!("'{binary}' check --data-dir '{}'", shown(data.path()))).unwrap();
    assert!(!output.contains("Checked"), "{output}");
    let api = format!("{}/api/leads", server.address);
    assert_eq!(crate::support::http::plain_client().get(&api).send().await.unwrap().status(), 401);
}

async fn a_page_of_another_origin_cannot_read_or_change_anything(environment: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let browser = environment.browser(Look::desktop()).await;
    browser.goto(&format!("{}{}", server.address, server.link)).await;
    browser.fill(At::Named("Name"), "Ada Lovelace").await;
    browser.fill(At::Named("Email"), "ada@example.com").await;
    browser.fill(At::Named("Password"), "correct horse battery").await;
    browser.click(At::Named("Start")).await;
    let page = format!(
        "<!doctype html><title>Evil</title><output>waiting</output><script>
        const all = [
            fetch('{0}/api/leads', {{ credentials: 'include' }}).then(a => a.text()),
            fetch('{0}/api/me', {{ credentials: 'include' }}).then(a => a.text()),
            fetch('{0}/api/leads', {{ method: 'POST', credentials: 'include',
                headers: {{ 'content-type': 'application/json' }}, body: '{{\"name\":\"Eve\"}}' }}),
        ];
        Promise.allSettled(all).then(all => {{
            document.querySelector('output').textContent = all.map(one => one.status).join(' ');
        }});
        </script>",
        server.address
    );
    let html = axum::response::Html(page);
    let evil = Server::of(axum::Router::new().fallback(async move || html.clone())).await;
    browser.goto(&evil.url("/")).await;
    browser.wait_for_text("output", "rejected rejected rejected").await;
    let visitor = server.visitor();
    let request = visitor.request(Method::OPTIONS, "/api/leads").header("origin", "http://evil.example");
    let answer = request.send().await;
    assert!(answer.headers.get("access-control-allow-origin").is_none(), "{:?}", answer.headers);
}
