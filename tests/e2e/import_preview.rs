//! The preview of an import: it proposes what columns and texts mean, shows and judges what the rows would become, and
//! keeps what a person chose.

use serde_json::json;

use crate::import_data::found;
use crate::imports::{chosen, finish, leads, row_counts, send};
use crate::support::http::Client;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: columns_are_mapped_by_hand_and_a_wrong_mapping_keeps_the_choices,
            columns_without_a_field_are_kept_and_the_preview_says_so,
            texts_are_mapped_on_the_page_and_the_mapping_is_offered_again,
            a_wrong_value_is_refused_and_stays_on_the_page,
            a_status_that_is_understood_can_mean_another,
            doubtful_quotation_marks_are_shown_before_the_import,
            only_a_cell_that_is_cut_has_a_title,
            a_file_without_a_header_is_imported_as_data,
            a_mapping_of_a_file_without_a_header_is_not_saved
    ]
}

/// The fields of a page's form: its selects, and the names and values of its inputs for texts.
fn fields(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let tags = page.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap());
    let named = tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)));
    let is_of_text =
        |name: &String| ["field.", "text.", "value."].iter().any(|start| name.starts_with(start));
    let inputs = named.filter(|(name, _)| is_of_text(name));
    chosen(page).into_iter().chain(inputs).collect()
}

/// The form with another value for a text.
fn with(form: &[(String, String)], text: &str, value: &str) -> Vec<(String, String)> {
    let of_text = |(name, sent): &&(String, String)| name.starts_with("text.") && sent == text;
    let (name, _) = form.iter().find(of_text).unwrap_or_else(|| panic!("{text} is not listed: {form:?}"));
    let name = name.replace("text.", "value.");
    let other = |(field, sent): &(String, String)| match *field == name {
        true => (field.clone(), value.to_owned()),
        false => (field.clone(), sent.clone()),
    };
    form.iter().map(other).collect()
}

async fn page_of(agent: &Client, import: &str) -> String {
    agent.get(import).send().await.expect(200).text().to_owned()
}

async fn columns_are_mapped_by_hand_and_a_wrong_mapping_keeps_the_choices(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let file = b"who,where,reach\nAnn Lee,Ohio,ann@example.com\n";
    let import = send(&agent, file).await;
    let preview = agent.get(&import).send().await.expect(200);
    for shown in ["UTF-8, separated by commas", "Ann Lee", "Ohio", "Import 1 row"] {
        assert!(preview.text().contains(shown), "{shown}: {}", preview.text());
    }
    let form = [("column.0", "full-name"), ("column.1", "state"), ("column.2", "ignore")];
    let refused = agent.post(&import).form(&form).send().await.expect(422);
    assert!(refused.text().contains("No column is matched with “Email”"), "{}", refused.text());
    let kept: Vec<String> = chosen(refused.text()).into_iter().map(|(_, slug)| slug).collect();
    assert_eq!(kept, ["full-name", "state", "ignore"]);
    for bad in
        [&[("column.0", "full-name")][..], &[("column.0", "<b>"), ("column.1", "x"), ("column.2", "y")]]
    {
        agent.post(&import).form(bad).send().await.expect(422);
    }
    agent.post(&format!("{import}/step")).send().await.expect(422);
    assert_eq!(leads(&agent).await.len(), 0);

    let form = [("column.0", "full-name"), ("column.1", "state"), ("column.2", "email")];
    agent.post(&import).form(&form).send().await.expect(303);
    // A second press is accepted as well.
    agent.post(&import).form(&form).send().await.expect(303);
    assert_eq!(row_counts(finish(&agent, &import).await.text()), [1, 0, 0]);
    assert_eq!(leads(&agent).await[0]["state"], "OH");
    // A step after the end does nothing.
    agent.post(&format!("{import}/step")).send().await.expect(303);
    assert_eq!(row_counts(finish(&agent, &import).await.text()), [1, 0, 0]);
}

async fn columns_without_a_field_are_kept_and_the_preview_says_so(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let file =
        "Name,Email,Industry,Employees,version\nIda Moss,ida@example.com,Roofing,12,7\nNobody,none,,,\n";
    let address = send(&agent, file.as_bytes()).await;
    let page = agent.get(&address).send().await.expect(200);
    for shown in [
        "5 columns: 2 mapped, 3 kept as custom fields",
        "1 of 2 rows would be rejected",
        "Ida Moss, ida@example.com",
        "3 custom fields",
        "Rejected.",
    ] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    let mut form = chosen(page.text());
    form[3].1 = "ignore".to_owned();
    let looked = [&form[..], &[("look".to_owned(), "yes".to_owned())]].concat();
    let again = agent.post(&address).form(&looked).send().await.expect(200);
    assert!(again.text().contains("2 kept as custom fields, 1 ignored"), "{}", again.text());
    agent.post(&address).form(&form).send().await.expect(303);
    finish(&agent, &address).await;
    let ida = found(&agent, "ida").await;
    assert_eq!(ida["fields"]["Industry"], "Roofing");
    assert!(ida["fields"].get("Employees").is_none());
    assert_eq!((&ida["version"], ida["fields"].as_object().unwrap().len()), (&json!(1), 2), "{ida}");
}

async fn texts_are_mapped_on_the_page_and_the_mapping_is_offered_again(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (agent, other) = (workspace.agent().await, workspace.agent().await);
    let file = |email: &str, status: &str| {
        format!("Name,Email,Status,State,Score,Source\nIda Moss,{email},{status},NorCal,★★★,FB\n")
            .into_bytes()
    };
    let import = send(&agent, &file("ida@example.com", "Working")).await;
    let page = page_of(&agent, &import).await;
    for shown in ["Statuses", "Unknown states", "Unknown lead scores", "Sources"] {
        assert!(page.contains(&format!("<legend>{shown}</legend>")), "{shown}: {page}");
    }
    let values = [("Working", "QUALIFIED"), ("NorCal", "California"), ("★★★", "90"), ("FB", "Facebook")];
    let form = values.iter().fold(fields(&page), |form, (text, value)| with(&form, text, value));
    let looked = [&form[..], &[("look".to_owned(), "yes".to_owned())]].concat();
    let looked = agent.post(&import).form(&looked).send().await.expect(200);
    assert!(looked.text().contains("Ida Moss, ida@example.com, CA, Qualified"), "{}", looked.text());
    let saved = [&form[..], &[("save".to_owned(), "yes".to_owned())]].concat();
    agent.post(&import).form(&saved).send().await.expect(303);
    finish(&agent, &import).await;
    let ida = found(&agent, "ida").await;
    assert_eq!(
        (&ida["status"], &ida["state"], &ida["leadScore"], &ida["source"]),
        (&json!("QUALIFIED"), &json!("CA"), &json!(90), &json!("Facebook"))
    );

    // A text that is not in the next file stays mapped.
    let import = send(&other, &file("ivo@example.com", "New")).await;
    let page = page_of(&other, &import).await;
    assert!(page.contains("saved them") && page.contains("not in these rows"), "{page}");
    let saved = [&fields(&page)[..], &[("save".to_owned(), "yes".to_owned())]].concat();
    other.post(&import).form(&saved).send().await.expect(303);
    finish(&other, &import).await;
    let import = send(&agent, &file("uli@example.com", "working")).await;
    let page = page_of(&agent, &import).await;
    agent.post(&import).form(&fields(&page)).send().await.expect(303);
    finish(&agent, &import).await;
    assert_eq!(found(&agent, "uli").await["status"], "QUALIFIED");
}

async fn a_wrong_value_is_refused_and_stays_on_the_page(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let file = "Name,Email,Score,Source\nIda Moss,ida@example.com,hot,FB\n";
    let import = send(&agent, file.as_bytes()).await;
    let form = with(&fields(&page_of(&agent, &import).await), "hot", "very hot");
    let form = with(&form, "FB", "Facebook");
    let looked = [&form[..], &[("look".to_owned(), "yes".to_owned())]].concat();
    let looked = agent.post(&import).form(&looked).send().await.expect(200);
    let refused = agent.post(&import).form(&form).send().await.expect(422);
    for page in [looked.text(), refused.text()] {
        for shown in ["isn&#39;t a value of", "value=\"very hot\"", "value=\"Facebook\""] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
    }
    assert!(leads(&agent).await.is_empty());
    let unknown = [&form[..], &[("field.0".to_owned(), "email".to_owned())]].concat();
    agent.post(&import).form(&unknown).send().await.expect(422);
}

async fn a_status_that_is_understood_can_mean_another(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let file = "Name,Email,Status\nIda Moss,ida@example.com,Open\nUli Berg,uli@example.com,Open\n";
    let import = send(&agent, file.as_bytes()).await;
    let page = page_of(&agent, &import).await;
    assert!(page.contains("Open <small>(2 rows)</small>"), "{page}");
    agent.post(&import).form(&with(&fields(&page), "Open", "QUALIFIED")).send().await.expect(303);
    finish(&agent, &import).await;
    assert_eq!(found(&agent, "uli").await["status"], "QUALIFIED");
}

async fn doubtful_quotation_marks_are_shown_before_the_import(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let rows: String = (0..12).map(|n| format!("Person {n},person{n}@example.com,fine\n")).collect();
    let late = "Uli Berg,uli@example.com,\"says \"\"no\"\" and \"maybe\" twice\"\n";
    let file = format!(
        "Name,Email,Note\nIda Moss,ida@example.com,\"a 5\" pipe\"\n{rows}{late}Noa Katz,noa@example.com,ok\n"
    );
    let import = send(&agent, file.as_bytes()).await;
    let page = page_of(&agent, &import).await;
    assert!(page.contains("Rows that may have wrong quotation marks: 2 of 15."), "{page}");
    for shown in ["Row 2: A quotation mark inside a quoted cell isn&#39;t doubled (line 2)", "Row 15: "] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let in_row = "<small>A quotation mark inside a quoted cell isn&#39;t doubled (line 2)";
    assert!(page.contains(in_row), "the row says it as well: {page}");
    assert!(!page.contains("have a value that doesn&#39;t fit"), "{page}");
}

async fn only_a_cell_that_is_cut_has_a_title(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let (long, longer) = ("x".repeat(81), "y".repeat(9_000));
    let file = format!("Name,Email,Note,Text\nIda Moss,ida@example.com,{long},{longer}\n");
    let import = send(&agent, file.as_bytes()).await;
    let page = page_of(&agent, &import).await;
    let table = page.split("<table class=\"preview\">").nth(1).unwrap().split("</table>").next().unwrap();
    assert!(!table.contains("title=\"Ida Moss\"") && table.contains("<td>Ida Moss</td>"), "{table}");
    assert!(table.contains(&format!("<td title=\"{long}\">{}…</td>", "x".repeat(80))), "{table}");
    assert!(!table.contains(&"y".repeat(2_001)), "a cell as long as the file is not on the page");
}

async fn a_file_without_a_header_is_imported_as_data(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let file = b"Ida Moss,ida@example.com,OH\nUli Berg,uli@example.com,TX\n";
    let address = send(&agent, file).await;
    let page = agent.get(&address).send().await.expect(200);
    assert!(page.text().contains("name=\"no_header\" value=\"yes\" checked"), "{}", page.text());
    let form =
        [("no_header", "yes"), ("column.0", "full-name"), ("column.1", "email"), ("column.2", "state")];
    agent.post(&address).form(&form).send().await.expect(303);
    let page = finish(&agent, &address).await;
    assert!(page.text().contains("<dt>Created</dt><dd>2</dd>"), "{}", page.text());
    assert_eq!(found(&agent, "ida").await["state"], "OH");
}

async fn a_mapping_of_a_file_without_a_header_is_not_saved(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let import = send(&agent, b"Ida Moss,ida@example.com,OH\nUli Berg,uli@example.com,TX\n").await;
    let page = page_of(&agent, &import).await;
    assert!(!page.contains("Remember these choices"), "{page}");
    let form = [
        ("no_header", "yes"),
        ("save", "yes"),
        ("column.0", "full-name"),
        ("column.1", "email"),
        ("column.2", "state"),
    ];
    agent.post(&import).form(&form).send().await.expect(303);
    finish(&agent, &import).await;
    // Another file with three columns in another order.
    let import = send(&agent, b"noa@example.com,Noa Katz,555-0100\nivo@example.com,Ivo Roe,555-0101\n").await;
    let page = page_of(&agent, &import).await;
    assert!(!page.contains("saved them"), "{page}");
    assert_eq!(chosen(&page).into_iter().map(|(_, slug)| slug).collect::<Vec<_>>(), ["keep", "keep", "keep"]);
}
