//! Durability: every answered change is stored, even if the process is killed or its disk fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::binary::{Data, Server};
use crate::support::case::scaled;
use crate::support::http::{Client, plain_client};
use crate::support::missing_tool::MissingTool;
use crate::support::workspace::{create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: a_kill_loses_no_answered_change,
            a_full_disk_allows_reads_refuses_writes_and_recovers_without_a_restart
    ]
}

const WRITERS: usize = 4;

/// Kills a server under load after this many answers. The answered version of each writer's lead goes into
/// `answered`.
async fn killed(server: &Server, token: &str, answers: usize, answered: &Mutex<BTreeMap<String, u64>>) {
    let given = AtomicUsize::new(0);
    let writer = async |id: String, mut version: u64| {
        let (client, url) = (plain_client(), format!("{}/api/leads/{id}", server.address));
        loop {
            let body = json!({ "version": version, "leadScore": version % 80 });
            let sending = client.patch(&url).bearer_auth(token).json(&body).send();
            let Ok(answer) = sending.await else { return };
            let status = answer.status();
            let Ok(text) = answer.text().await else { return };
            assert_eq!(status, 200, "{text}");
            version += 1;
            answered.lock().unwrap().insert(id.clone(), version);
            if given.fetch_add(1, Ordering::Relaxed) + 1 == answers {
                server.run.signal("KILL");
            }
        }
    };
    let leads = answered.lock().unwrap().clone();
    join_all(leads.into_iter().map(|(id, version)| writer(id, version))).await;
    server.run.ended().await;
}

async fn a_kill_loses_no_answered_change(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let token = server.token(&server.administrator().await).await;
    let answered = Mutex::new(BTreeMap::new());
    for number in 0..WRITERS {
        let lead = new_lead("Ann", &format!("ann{number}@example.com"));
        let lead = create(&server.program(&token), &lead).await;
        answered.lock().unwrap().insert(lead["id"].as_str().unwrap().to_owned(), 1);
    }
    server.stop().await;
    for round in 0..scaled(20, 1_000) {
        let server = data.serve().await;
        let answers = 1 + usize::try_from(getrandom::u32().unwrap() % 40).unwrap();
        killed(&server, &token, answers, &answered).await;
        let server = data.serve().await;
        let known = answered.lock().unwrap().clone();
        for (id, version) in known {
            let stored = whole(&server.program(&token), &id).await;
            // An unanswered change may have happened.
            assert!((version..=version + 1).contains(&stored), "round {round}: {stored} after {version}");
            answered.lock().unwrap().insert(id, stored);
        }
        server.run.signal("KILL");
        server.run.ended().await;
    }
    let checked = data.holdfast(&["check"]).succeeds().await;
    assert!(checked.contains("all are sound"), "{checked}");
}

/// The version of a lead whose history has an entry for each version.
async fn whole(program: &Client, id: &str) -> u64 {
    let lead: Value = program.get(&format!("/api/leads/{id}")).send().await.expect(200).json();
    let version = lead["version"].as_u64().unwrap();
    let history: Value =
        program.get(&format!("/api/leads/{id}/history?limit=1")).send().await.expect(200).json();
    assert_eq!(history["items"][0]["version"], version, "the history has the same version");
    version
}

/// A small disk in memory, which is removed with its case.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn at(path: &'a Path, megabytes: u32) -> Result<Self, MissingTool> {
        std::fs::create_dir_all(path).unwrap();
        let size = format!("size={megabytes}m,mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "holdfast"]).arg(path).output();
        let reason = match mounted {
            Ok(mounted) if mounted.status.success() => return Ok(Self(path)),
            Ok(mounted) => String::from_utf8_lossy(&mounted.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let remedy = "Run the tests as root on Linux";
        Err(MissingTool { what: "a small disk", why: reason, remedy })
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(self.0).output();
    }
}

async fn a_full_disk_allows_reads_refuses_writes_and_recovers_without_a_restart(
    environment: TestEnvironment,
) {
    let data = Data::new();
    let disk = match SmallDisk::at(data.path(), 12) {
        Ok(disk) => disk,
        Err(missing_tool) => return environment.report_missing(missing_tool),
    };
    let server = data.serve().await;
    let token = server.token(&server.administrator().await).await;
    let lead = create(&server.program(&token), &new_lead("Ann", "ann@example.com")).await;
    let other = create(&server.program(&token), &new_lead("Eve", "eve@example.com")).await;
    // Another file takes all remaining space.
    let ballast = data.path().join("ballast");
    let fill = || {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&ballast).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 1024]).is_ok() {}
    };
    fill();
    let refused = self::refused(&server.program(&token), &other, &fill).await;
    assert_eq!(refused["type"], "urn:holdfast:problem:disk-full", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("Free some space"), "{refused}");
    assert_read_only(&server.program(&token), &lead).await;

    // A start on the full disk can read as well, and reports the problem.
    server.run.signal("KILL");
    server.run.ended().await;
    assert!(server.run.err().contains("the disk is full"), "{}", server.run.err());
    fill();
    let server = data.serve_on_full_disk().await;
    // Some changes may fit into the space of its own log.
    let again = self::refused(&server.program(&token), &other, &fill).await;
    assert_eq!(again["type"], "urn:holdfast:problem:disk-full", "{again}");
    server.run.says("the disk is full").await;
    assert_read_only(&server.program(&token), &lead).await;
    // When there is space again, it continues without a restart.
    std::fs::remove_file(&ballast).unwrap();
    create(&server.program(&token), &new_lead("Bob", "bob@example.com")).await;
    server.stop().await;
    let checked = data.holdfast(&["check"]).succeeds().await;
    assert!(checked.contains("all are sound"), "{checked}");
    drop(disk);
}

/// Changes a lead until the disk is full.
async fn refused(program: &Client, lead: &Value, fill: &impl Fn()) -> Value {
    let path = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    for _ in 0..2_000 {
        let lead: Value = program.get(&path).send().await.expect(200).json();
        let change =
            json!({ "version": lead["version"], "leadScore": lead["version"].as_u64().unwrap() % 80 + 1 });
        let answer = program.patch(&path).json(&change).send().await;
        match answer.status.as_u16() {
            200 => fill(),
            503 => return answer.json(),
            other => panic!("{other}: {}", answer.text()),
        }
    }
    panic!("the disk was never full")
}

/// Checks that reading works and writing is refused.
async fn assert_read_only(program: &Client, lead: &Value) {
    let path = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    let stored: Value = program.get(&path).send().await.expect(200).json();
    assert_eq!(stored, *lead);
    program.patch(&path).json(&json!({ "version": 1, "leadScore": 1 })).send().await.expect(503);
    program.get("/api/leads").send().await.expect(200);
}
