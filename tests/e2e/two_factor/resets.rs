//! Resets of the second factor by an administrator.

use holdfast::accounts::change::Operator;
use holdfast::base::identity::Role;

use super::{Scene, by_password, me};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: an_administrator_resets_the_codes_of_a_person_who_lost_the_phone,
            a_reset_that_is_sent_twice_is_made_once
    ]
}

async fn an_administrator_resets_the_codes_of_a_person_who_lost_the_phone(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    let ann = scene.signed_in().await;
    scene.set_up(&ann).await;
    let accounts = scene.workspace.app.accounts();
    let version = accounts.find(scene.ann).await.unwrap().version;
    accounts.reset_two_factor(scene.ann, version, Operator::Command, None).await.unwrap();
    me(&ann).await.expect(401);
    by_password(&scene.browser()).await.expect(303);
}

async fn a_reset_that_is_sent_twice_is_made_once(environment: TestEnvironment) {
    let scene = Scene::open(&environment).await;
    scene.set_up(&scene.signed_in().await).await;
    let admin = scene.workspace.person(Role::Administrator, "Ada").await;
    let accounts = scene.workspace.app.accounts();
    let before = accounts.find(scene.ann).await.unwrap().version;
    let reset = format!("/people/{}/two-factor/reset", scene.ann);
    let form = [("version", before.to_string())];
    admin.post(&reset).form(&form).send().await.expect(303);
    // For example after a lost reply or a double click.
    admin.post(&reset).form(&form).send().await.expect(303);
    let after = accounts.find(scene.ann).await.unwrap();
    assert!(after.two_factor.is_none() && after.version == before.next(), "{:?}", after.version);
    // A later change would make the message wrong.
    accounts.end_sessions(scene.ann, after.version, false, Operator::Command, None).await.unwrap();
    admin.post(&reset).form(&form).send().await.expect(303);
    let page = admin.get(&format!("/people/{}", scene.ann)).send().await.expect(200);
    assert!(page.text().contains("This was already saved, and the account has changed"), "{}", page.text());
}
