//! The page of sign-up: where it leads, how it is filled in, and who does not see it.

use holdfast::base::identity::Role;

use super::{CODE, by_invitation, me, send, sign_up};
use crate::accounts::{OTHER, PASSWORD, browser, sign_in};
use crate::support::browser::{At, Look};
use crate::support::http::Server;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: signing_up_redirects_only_to_pages_of_this_site,
            sign_in_and_sign_up_link_to_each_other_and_keep_the_target,
            a_signed_in_person_is_redirected_from_sign_up;
        browser: a_person_signs_up_by_keyboard_with_an_invitation_code,
            a_person_signs_up_without_javascript
    ]
}

async fn signing_up_redirects_only_to_pages_of_this_site(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    for (number, (next, location)) in [
        ("/account?x=%2F", "/account?x=%2F"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/account\r\nSet-Cookie: a=b", "/"),
    ]
    .into_iter()
    .enumerate()
    {
        let client = browser(&workspace);
        let email = format!("pat{number}@example.com");
        let form = [("name", "Pat"), ("email", &email), ("password", PASSWORD), ("next", next)];
        let answer = send(&client, &form).await.expect(303);
        let query = serde_urlencoded::to_string([("next", next)]).unwrap();
        assert_eq!(answer.header("location"), format!("/sign-in?signed_up=1&{query}"), "{next:?}");
        let form = [("email", email.as_str()), ("password", PASSWORD), ("next", next)];
        let signed_in = client.post("/sign-in").form(&form).send().await.expect(303);
        assert_eq!(signed_in.header("location"), location, "{next:?}");
        let again = client.get(&format!("/sign-up?{query}")).send().await.expect(303);
        assert_eq!(again.header("location"), location, "{next:?}");
        // No link on the page leads a visitor to another site.
        for path in [format!("/sign-up?{query}"), answer.header("location").to_owned()] {
            let page = workspace.visitor().get(&path).send().await.expect(200);
            let links: Vec<_> = page.text().split("href=\"").skip(1).collect();
            assert!(links.len() > 2 && links.iter().all(|link| link.starts_with(['/', '#'])), "{links:?}");
            assert!(links.iter().all(|link| !link.starts_with("//")), "{links:?}");
        }
    }
}

async fn sign_in_and_sign_up_link_to_each_other_and_keep_the_target(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let visitor = workspace.visitor();
    for (query, address) in [("", ""), ("?next=%2Fraffles%2F1%3Fa%3Db", "?next=%2Fraffles%2F1%3Fa%3Db")] {
        for (from, to) in [("/sign-in", "/sign-up"), ("/sign-up", "/sign-in")] {
            let page = visitor.get(&format!("{from}{query}")).send().await.expect(200);
            assert!(page.text().contains(&format!("href=\"{to}{address}\"")), "{from}: {}", page.text());
        }
    }
    // A wrong password keeps the target.
    let form = [("email", "pat@example.com"), ("password", "wrong"), ("next", "/raffles/1")];
    let wrong = browser(&workspace).post("/sign-in").form(&form).send().await.expect(422);
    assert!(wrong.text().contains("href=\"/sign-up?next=%2Fraffles%2F1\""), "{}", wrong.text());
}

async fn a_signed_in_person_is_redirected_from_sign_up(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann").await;
    let before = me(&ann).await;
    let page = ann.get("/sign-up?next=%2Fleads").send().await.expect(303);
    assert_eq!(page.header("location"), "/leads");
    let answer = sign_up(&ann, "pat@example.com", PASSWORD).await.expect(303);
    assert!(answer.header("set-cookie").is_empty());
    assert_eq!(me(&ann).await, before);
    sign_in(&browser(&workspace), "pat@example.com", PASSWORD).await.expect(422);
}

async fn a_person_signs_up_by_keyboard_with_an_invitation_code(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await.with_sign_up(by_invitation());
    let server = Server::of(workspace.router.clone()).await;
    let pat = environment.browser(Look::desktop()).await;
    pat.goto(&server.url("/account")).await;
    pat.click(At::Named("Sign up")).await;
    pat.wait_for("#code").await;
    // The first field has the focus, and Enter sends the form.
    pat.press(&format!("not the code\u{9}Pat Doe\u{9}pat@example.com\u{9}{PASSWORD}\n")).await;
    pat.wait_for_text("#code-error", "Incorrect invitation code.").await;
    assert_eq!(pat.focused().await, "Invitation code");
    assert_eq!(pat.value(At::Named("Name")).await, "Pat Doe");
    assert_eq!(pat.value(At::Named("Email")).await, "pat@example.com");
    assert_eq!(pat.value(At::Named("Password")).await, "");
    pat.press(&format!("{CODE}\u{9}\u{9}\u{9}{PASSWORD}\n")).await;
    pat.wait_for_text(".notice", "Now sign in").await;
    pat.press(&format!("pat@example.com\u{9}{PASSWORD}\n")).await;
    pat.wait_for_text("h1", "Your account").await;
    assert!(pat.url().await.ends_with("/account"), "{}", pat.url().await);
    // The browser logs the 422. The content security policy blocked nothing, and no script failed.
    let console = pat.console().await;
    assert!(console.iter().all(|entry| entry.contains("status of 422")), "{console:?}");
}

async fn a_person_signs_up_without_javascript(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    sign_up(&browser(&workspace), "pat@example.com", PASSWORD).await.expect(303);
    let server = Server::of(workspace.router.clone()).await;
    let pat = environment.browser(Look::phone().without_javascript()).await;
    // The address of an account looks like any other, and its password stays.
    for (email, after) in
        [("pat@example.com", "Incorrect email or password"), ("pat.doe@example.com", "Your account")]
    {
        pat.goto(&server.url("/sign-up?next=%2Faccount")).await;
        pat.fill(At::Named("Name"), "Pat Doe").await;
        pat.fill(At::Named("Email"), email).await;
        pat.fill(At::Named("Password"), OTHER).await;
        pat.click(At::Named("Sign up")).await;
        pat.wait_for_text(".notice", "Now sign in").await;
        pat.fill(At::Named("Email"), email).await;
        pat.fill(At::Named("Password"), OTHER).await;
        pat.click(At::Named("Sign in")).await;
        pat.wait_for_text("main", after).await;
    }
}
