//! New passwords that are guessed first are refused wherever a person chooses one. Those that exist stay valid.

use holdfast::accounts::change::Operator;
use holdfast::accounts::link_path;
use holdfast::accounts::password::{Memory, Password};
use holdfast::base::identity::Role;
use holdfast::store::{Condition, Key, Update, to_attribute};
use serde_json::{Value, json};

use super::accounts::{PASSWORD, browser, change, sign_in, signed_in, with_password};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_common_password_cannot_be_chosen;
        app: a_common_password_that_exists_signs_in_and_is_replaced
    ]
}

const ANN: &str = "ann@holdfast.test";
const COMMON: &str = "password1234";
const WORDS: &str = "This password is too common. Choose another one.";

async fn a_common_password_cannot_be_chosen(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let visitor = browser(&workspace);
    for (email, password) in [
        ("pat@example.com", COMMON),
        ("pat@example.com", "aaaaaaaaaaaa"),
        ("pat@example.com", "abcdefghijkl"),
        ("pat@example.com", "pat@example.com"),
        ("pat@example.com", "Pat Doe Pat Doe"),
        ("pat@example.com", "HoldfastHoldfast"),
    ] {
        let form = [("name", "Pat Doe"), ("email", email), ("password", password)];
        let refused = visitor.post("/sign-up").form(&form).send().await.expect(422);
        assert!(refused.text().contains(WORDS), "{password}: {}", refused.text());
        assert!(refused.text().contains("id=\"password-error\""), "{password}: {}", refused.text());
    }

    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    let refused = change(&ann, PASSWORD, COMMON, COMMON).await.expect(422);
    assert!(refused.text().contains(WORDS) && refused.text().contains("new-error"), "{}", refused.text());
    sign_in(&browser(&workspace), ANN, PASSWORD).await.expect(303);

    let admin = workspace.person(Role::Administrator, "Ada").await;
    let person = json!({ "name": "Bob Ray", "email": "bob@example.com", "role": "agent" });
    let bob: Value = admin.post("/api/accounts").json(&person).send().await.expect(201).json();
    let link = bob["linkPath"].as_str().unwrap();
    let join = async |password: &str| {
        visitor.post(link).form(&[("name", "Robert Ray"), ("password", password)]).send().await
    };
    // The name that the person chooses counts, and the link is not used up.
    for password in [COMMON, "robert ray 12"] {
        assert!(join(password).await.expect(422).text().contains(WORDS), "{password}");
    }
    join(PASSWORD).await.expect(303);

    let first = workspace.app.accounts().first_administrator_link().await.unwrap().unwrap();
    let form = [("name", "Grace"), ("email", "grace@example.com"), ("password", "grace@example.com")];
    let refused = browser(&workspace).post(&link_path(&first)).form(&form).send().await.expect(422);
    assert!(refused.text().contains(WORDS), "{}", refused.text());
}

async fn a_common_password_that_exists_signs_in_and_is_replaced(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = with_password(&workspace, ANN).await;
    let password: Password = COMMON.parse().unwrap();
    let hash = password.hash(&[7; 16], &mut Memory::default()).unwrap();
    let update = Update::default().set("password", to_attribute(hash).unwrap());
    let key = Key::new(format!("ACCOUNT#{id}"), "ACCOUNT");
    let dynamo = &workspace.app.dynamo;
    let write = dynamo.guarded_write().update("account", &key, &update, Condition::Exists);
    assert!(dynamo.try_write(write).await.unwrap());
    let ann = browser(&workspace);
    sign_in(&ann, ANN, COMMON).await.expect(303);
    change(&ann, COMMON, PASSWORD, PASSWORD).await.expect(303);
    sign_in(&browser(&workspace), ANN, PASSWORD).await.expect(303);
    // A reset chooses a new password, too.
    let admin = workspace.account(Role::Administrator, "Ada").await;
    let accounts = workspace.app.accounts();
    let seen = accounts.find(id).await.unwrap().version;
    let reset = accounts.renew_link(id, seen, Operator::Administrator(&admin), None).await;
    let reset = reset.unwrap().now().unwrap();
    let link = link_path(reset.secret.reveal());
    browser(&workspace).post(&link).form(&[("password", COMMON)]).send().await.expect(422);
    browser(&workspace).post(&link).form(&[("password", "another horse battery")]).send().await.expect(303);
}
