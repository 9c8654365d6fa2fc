//! Raffle reports: lists, tickets, sales, history, the cost of requests, and the proof that anyone can check.

use std::path::PathBuf;
use std::process::Command;

use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join;
use holdfast::base::identity::Role;
use holdfast::raffles::domain::Proof;
use holdfast::store::Item;
use serde_json::{Value, json};

use super::raffle_api::{ask, buy, draw, numbers, open, participant, state};
use super::stats::process_stream;
use crate::support::case::scaled;
use crate::support::http::{Client, without_mark};
use crate::support::missing_tool::MissingTool;
use crate::support::process::target;
use crate::support::workspace::{Workspace, all_items};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: raffles_are_listed_newest_first_page_by_page;
        app: polling_returns_only_changes,
            a_read_during_a_purchase_does_not_hide_it_from_its_buyer,
            the_cost_of_a_request_does_not_depend_on_the_raffle,
            administrators_export_tickets_and_see_sales_and_history;
        embedded: a_large_raffle_needs_no_more_calls_than_a_small_one,
            a_proof_has_only_the_commitment_before_the_draw_and_everything_after_it,
            the_documented_program_alone_checks_a_proof
    ]
}

async fn raffles_are_listed_newest_first_page_by_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = participant(&workspace, "Ann Lee").await;
    assert_eq!(ann.get("/api/raffles").send().await.expect(200).text(), "{\"items\":[],\"next\":null}");
    let mut raffles = Vec::new();
    for number in 0..5 {
        let body = json!({ "title": format!("Raffle {number}"), "prize": "A bicycle" });
        let opened = admin.post("/api/raffles").json(&body).send().await.expect(201);
        raffles.push(opened.header("location").to_owned());
    }
    let bought = buy(&ann, &raffles[1], 2).await;
    buy(&admin, &raffles[3], 1).await;
    draw(&admin, &raffles[3]).await;
    // Lists count sold tickets from the stream.
    process_stream(&environment, &workspace).await;
    let found = all_items(&ann, "/api/raffles?limit=2").await;
    // Each raffle equals its own page, including this person's tickets, except that `asOf` gives the time of the
    // list's count.
    raffles.reverse();
    assert_eq!(found.len(), 5);
    for (listed, raffle) in found.iter().zip(&raffles) {
        let mut listed = listed.clone();
        assert!(listed.as_object_mut().unwrap().remove("asOf").is_some());
        assert_eq!(listed, state(&ann, raffle).await);
    }
    assert_eq!((&found[1]["status"], &found[3]["mine"]), (&json!("CLOSED"), &json!(bought)));
}

async fn polling_returns_only_changes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let (ann, bob) = (participant(&workspace, "Ann Lee").await, participant(&workspace, "Bob Ray").await);
    let raffle = open(&admin, 10, 2).await;
    let poll = async |seen: &str| ann.get(&raffle).header("if-none-match", seen).send().await;
    let mut seen = ann.get(&raffle).send().await.expect(200).header("etag").to_owned();
    for known in [seen.clone(), format!("W/{seen}"), format!("\"x\", {seen}"), "*".to_owned()] {
        let answer = poll(&known).await.expect(304);
        assert_eq!((answer.header("etag"), answer.body.len()), (&seen[..], 0), "{known}");
    }
    for other in ["\"0\"", "\"x\", \"y\"", "nonsense", "\"1-over\""] {
        poll(other).await.expect(200);
    }
    // A sale, a returned ticket and the draw are changes for everyone; a refused request is none.
    let bought = buy(&bob, &raffle, 1).await[0];
    for step in 0..4 {
        let news = poll(&seen).await.expect(200);
        assert_ne!(news.header("etag"), seen, "step {step}");
        assert_eq!(news.header("etag"), ann.get(&raffle).send().await.header("etag"));
        seen = news.header("etag").to_owned();
        poll(&seen).await.expect(304);
        ask(&bob, &raffle, 3).await.expect(409);
        poll(&seen).await.expect(304);
        match step {
            0 => drop(bob.delete(&format!("{raffle}/tickets/{bought}")).send().await.expect(204)),
            1 => drop(buy(&bob, &raffle, 2).await),
            2 => drop(draw(&admin, &raffle).await),
            _ => {}
        }
    }
}

async fn a_read_during_a_purchase_does_not_hide_it_from_its_buyer(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = participant(&workspace, "Ann Lee").await;
    let raffle = open(&admin, 10, 2).await;
    // The request waits for the blocks while the same person buys in another tab.
    let gate = environment.wire().hold(1, "Query");
    let (first_read, bought) = join(ann.get(&raffle).send(), async {
        gate.arrived(1).await;
        let bought = buy(&ann, &raffle, 1).await;
        gate.open();
        bought
    })
    .await;
    let first_read = first_read.expect(200);
    let poll = ann.get(&raffle).header("if-none-match", first_read.header("etag")).send().await;
    let known: Value = if poll.status == 304 { first_read.json() } else { poll.json() };
    assert_eq!(numbers(&known["mine"]), bought);
}

/// The number of calls of a request, without its authentication.
async fn calls(
    environment: &TestEnvironment,
    client: &Client,
    method: &str,
    path: &str,
    seen: &str,
    status: u16,
) -> usize {
    environment.wire().reset();
    let mut request = client.request(method.parse().unwrap(), path);
    if method == "POST" {
        request = request.json(&json!({}));
    }
    if !seen.is_empty() {
        request = request.header("if-none-match", seen);
    }
    request.send().await.expect(status);
    environment.wire().total_authenticated()
}

/// Compares the documented cost of each request with its actual cost.
async fn assert_calls(environment: &TestEnvironment, admin: &Client, ann: &Client, raffle: &str) {
    let at = |part: &str| format!("{raffle}{part}");
    let tag = ann.get(raffle).send().await.expect(200).header("etag").to_owned();
    for (what, client, method, path, seen, status, expected) in [
        ("a read", ann, "GET", at(""), "", 200, 2),
        ("a read of an unchanged raffle", ann, "GET", at(""), &tag[..], 304, 1),
        ("a read of a changed raffle", ann, "GET", at(""), "\"0\"", 200, 2),
        ("a purchase", ann, "POST", at("/tickets"), "", 201, 3),
        ("the limit", ann, "POST", at("/tickets"), "", 409, 3),
        ("a list of one", ann, "GET", "/api/raffles".to_owned(), "", 200, 2),
        ("the commitment", ann, "GET", at("/proof"), "", 200, 1),
        ("tickets", admin, "GET", at("/tickets"), "", 200, 1),
        // The tickets, the raffle's title, and the entry of the audit log.
        ("an export", admin, "GET", at("/tickets/csv"), "", 200, 3),
        ("sales", admin, "GET", at("/sales"), "", 200, 1),
        ("the history", admin, "GET", at("/history"), "", 200, 1),
        ("the draw", admin, "POST", at("/draw"), "", 200, 5),
        ("a second draw", admin, "POST", at("/draw"), "", 409, 2),
        ("the proof", ann, "GET", at("/proof"), "", 200, 1),
    ] {
        assert_eq!(calls(environment, client, method, &path, seen, status).await, expected, "{what}");
    }
}

async fn the_cost_of_a_request_does_not_depend_on_the_raffle(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = participant(&workspace, "Ann Lee").await;
    let raffle = open(&admin, 10, 1).await;
    // Returning a ticket: the raffle with the holding, the ticket, and the write.
    let bought = buy(&ann, &raffle, 1).await[0];
    let given_back =
        calls(&environment, &ann, "DELETE", &format!("{raffle}/tickets/{bought}"), "", 204).await;
    assert_eq!(given_back, 4);
    assert_calls(&environment, &admin, &ann, &raffle).await;
}

/// Marks every other number of a block as sold, without the application.
fn half_sold(block: &Item) -> (Item, Vec<u64>) {
    let number = |name: &str| block[name].as_n().unwrap().parse::<u64>().unwrap();
    let (first, size) = (number("first"), number("size"));
    let sold: Vec<u64> = (0..size).step_by(2).collect();
    let mut bits = vec![0_u8; usize::try_from(size.div_ceil(8)).unwrap()];
    for at in &sold {
        bits[usize::try_from(at / 8).unwrap()] |= 1 << (at % 8);
    }
    let mut block = block.clone();
    block.insert("taken".into(), AttributeValue::B(Blob::new(bits)));
    block.insert("version".into(), AttributeValue::N("2".into()));
    (block, sold.into_iter().map(|at| first + at).collect())
}

async fn a_large_raffle_needs_no_more_calls_than_a_small_one(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = participant(&workspace, "Ann Lee").await;
    let tickets = scaled(10_000, 100_000);
    let raffle = open(&admin, u32::try_from(tickets).unwrap(), 1).await;
    let id = raffle.rsplit('/').next().unwrap();
    let store = environment.store();
    let blocks = QueryInput::builder().table_name(environment.table());
    let blocks = blocks.key_condition_expression("pk = :pk AND begins_with(sk, :sk)");
    let blocks = blocks.expression_attribute_values(":pk", AttributeValue::S(format!("RAFFLE#{id}")));
    let blocks = blocks.expression_attribute_values(":sk", AttributeValue::S("BLOCK#".into()));
    let blocks = store.query(blocks).await.items.unwrap();
    assert_eq!(blocks.len(), 32);
    let mut sold = Vec::new();
    for block in &blocks {
        let (block, numbers) = half_sold(block);
        sold.extend(numbers);
        store.put_item(PutItemInput::builder().table_name(environment.table()).set_item(Some(block))).await;
    }
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let ticket = |number: &u64| {
        vec![
            ("pk", text(&format!("TICKETS#{id}"))),
            ("sk", text(&format!("TICKET#{number:06}"))),
            ("number", AttributeValue::N(number.to_string())),
            ("holder", text("019f0000-0000-7000-8000-000000000001")),
            ("name", text("Zoe Crowd")),
            ("email", text("zoe@crowd.example")),
            ("boughtAt", text("2026-01-01T00:00:00Z")),
            ("version", AttributeValue::N("2".into())),
        ]
    };
    environment.insert_items(sold.iter().map(ticket).collect()).await;
    let now = state(&admin, &raffle).await;
    assert_eq!((&now["sold"], &now["remaining"]), (&json!(sold.len()), &json!(tickets - sold.len())));
    assert_calls(&environment, &admin, &ann, &raffle).await;

    // All of it can be checked, and exported in parts.
    let proof = admin.get(&format!("{raffle}/proof")).send().await.expect(200);
    let verdict = proof.json::<Proof>().verify().unwrap();
    assert_eq!(verdict.sold, sold.len() + 1);
    let (mut rows, mut parts, mut path) = (0, 0, format!("{raffle}/tickets/csv"));
    loop {
        let part = admin.get(&path).send().await.expect(200);
        (rows, parts) = (rows + part.text().lines().count(), parts + 1);
        match part.header("x-next-cursor") {
            "" => break,
            _ => path = linked(part.header("link")),
        }
    }
    assert_eq!((rows, parts), (sold.len() + 2, (sold.len() + 1).div_ceil(2_000)), "one row of headers");
}

/// The address in a `Link` to the next part.
fn linked(link: &str) -> String {
    let address = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
    address.unwrap_or_else(|| panic!("{link} leads nowhere")).to_owned()
}

async fn administrators_export_tickets_and_see_sales_and_history(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let (formula, zoe) = (participant(&workspace, "=1+1").await, participant(&workspace, "Zoë, Inc.").await);
    let raffle = open(&admin, 10, 3).await;
    let theirs = buy(&formula, &raffle, 2).await;
    let zoes = buy(&zoe, &raffle, 3).await;
    formula.delete(&format!("{raffle}/tickets/{}", theirs[0])).send().await.expect(204);

    let csv = admin.get(&format!("{raffle}/tickets/csv")).send().await.expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"tickets.csv\"");
    assert_eq!((csv.header("link"), csv.header("x-next-cursor")), ("", ""));
    let rows: Vec<_> = csv.text().lines().collect();
    assert_eq!((without_mark(rows[0]), rows.len()), ("number,name,email,boughtAt", 5));
    assert!(rows.iter().any(|row| row.contains(",'=1+1,user-")), "a formula is escaped: {rows:?}");
    assert!(csv.text().contains(",\"Zoë, Inc.\",user-"), "{}", csv.text());

    // The same tickets page by page, ordered by number.
    let found = all_items(&admin, &format!("{raffle}/tickets?limit=1")).await;
    let mut expected = [&theirs[1..], &zoes].concat();
    expected.sort_unstable();
    let listed: Vec<_> = found.iter().map(|ticket| ticket["number"].as_u64().unwrap()).collect();
    assert_eq!(listed, expected);

    let sales: Value = admin.get(&format!("{raffle}/sales")).send().await.expect(200).json();
    let points = sales["items"].as_array().unwrap();
    assert_eq!((&points[0]["sold"], &points.last().unwrap()["sold"]), (&json!(0), &json!(4)));
    draw(&admin, &raffle).await;
    let history = format!("{raffle}/history");
    let all: Value = admin.get(&history).send().await.expect(200).json();
    let entries = all["items"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["DRAWN", "CANCELLED", "OPENED"]);
    assert_eq!((&entries[1]["number"], &entries[1]["name"]), (&json!(theirs[0]), &json!("=1+1")));
    let first: Value = admin.get(&format!("{history}?limit=1")).send().await.expect(200).json();
    let next = format!("{history}?limit=2&cursor={}", first["next"].as_str().unwrap());
    let rest: Value = admin.get(&next).send().await.expect(200).json();
    assert_eq!(rest["items"], json!(entries[1..]));
}

async fn a_proof_has_only_the_commitment_before_the_draw_and_everything_after_it(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = participant(&workspace, "Ann Lee").await;
    let raffle = open(&admin, 10, 5).await;
    let mut bought = buy(&ann, &raffle, 5).await;
    let path = format!("{raffle}/proof");
    let before = ann.get(&path).send().await.expect(200);
    assert_eq!(before.header("content-disposition"), "");
    let before: Value = before.json();
    for field in ["seed", "sold", "listHash", "winner", "drawnAt"] {
        assert_eq!(before[field], json!(null), "{field}");
    }
    let closed = draw(&admin, &raffle).await;
    let after = ann.get(&path).send().await.expect(200);
    let file = format!("attachment; filename=\"raffle-{}.json\"", closed["id"].as_str().unwrap());
    assert_eq!(after.header("content-disposition"), file);
    assert!(!after.text().contains("Ann Lee"), "{}", after.text());
    let proof: Value = after.json();
    bought.sort_unstable();
    assert_eq!((numbers(&proof["sold"]), &proof["winner"]), (bought, &closed["winner"]["number"]));
    for commitment in [&before, &proof, &closed] {
        assert_eq!(commitment["commitment"], before["commitment"]);
    }
    assert_eq!(after.json::<Proof>().verify().unwrap().sold, 5);
}

/// The program in the documentation of the method.
fn documented() -> &'static str {
    let document = include_str!("../../docs/raffle-proof.md");
    let (_, program) = document.split_once("```python\n").expect("the document has a program");
    program.split_once("```").expect("the program ends").0
}

/// Runs the documented program on a proof. Returns its exit code and output.
fn run(proof: &Value) -> std::io::Result<(Option<i32>, String)> {
    let random = getrandom::u64().expect("the system gives random numbers");
    let file: PathBuf = target().join("tmp").join(format!("proof-{random:016x}.json"));
    std::fs::write(&file, proof.to_string())?;
    let ran = Command::new("python3").args(["-c", documented()]).arg(&file).output();
    std::fs::remove_file(file)?;
    let ran = ran?;
    Ok((ran.status.code(), String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned()))
}

async fn the_documented_program_alone_checks_a_proof(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let mut proofs = Vec::new();
    for sold in [1, 2, 3, 5, 33] {
        let raffle = open(&admin, 50, 50).await;
        buy(&admin, &raffle, sold).await;
        draw(&admin, &raffle).await;
        let proof: Value = admin.get(&format!("{raffle}/proof")).send().await.expect(200).json();
        proofs.push(proof);
    }
    for proof in &proofs {
        let (code, words) = match run(proof) {
            Ok(ran) => ran,
            Err(error) => {
                let (why, remedy) = (error.to_string(), "Install Python 3");
                return environment.report_missing(MissingTool { what: "Python 3", why, remedy });
            }
        };
        let winner = format!("{} won", proof["winner"]);
        assert!(code == Some(0) && words.contains(&winner), "{code:?} {words} {proof}");
    }
    // It detects every change, as Holdfast's own check does.
    let mut sold = numbers(&proofs[4]["sold"]);
    let other = sold.iter().find(|number| proofs[4]["winner"] != **number).copied();
    sold.pop();
    for (field, value, words) in [
        ("seed", proofs[0]["seed"].clone(), "committed to"),
        ("commitment", proofs[0]["commitment"].clone(), "committed to"),
        ("sold", json!(sold), "another one"),
        ("sold", json!([2, 1]), "ascend"),
        ("sold", json!([]), "ascend"),
        ("winner", json!(other), "should be ticket"),
        ("method", json!("2"), "another method"),
    ] {
        let mut proof = proofs[4].clone();
        proof[field] = value;
        let (code, output) = run(&proof).unwrap();
        assert!(code == Some(1) && output.contains(words), "{field}: {code:?} {output}");
        let proof: Proof = serde_json::from_value(proof).unwrap();
        assert!(proof.verify().is_err(), "{field}");
    }
}
