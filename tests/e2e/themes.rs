//! The theme without a script: a form that returns to its page, and pages that have the theme from the server.

use holdfast::base::identity::Role;

use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: a_theme_is_kept_in_a_cookie_and_returns_to_its_page,
            a_theme_never_leads_to_another_site
    ]
}

async fn a_theme_is_kept_in_a_cookie_and_returns_to_its_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann Lee").await;
    for who in [&ann, &workspace.visitor().same_origin()] {
        let page = who.get("/raffles/verify?draw=1").send().await.expect(200);
        assert!(page.text().contains("<html lang=\"en\">"), "a page follows the system");
        assert!(!page.text().contains("draw=1"), "a compressed page repeats nothing of its address");
        let from = who.post("/theme").header("referer", "https://holdfast.test/raffles/verify?draw=1");
        let changed = from.form(&[("theme", "dark")]).send().await.expect(303);
        assert_eq!(changed.header("location"), "/raffles/verify?draw=1");
        let cookie = changed.header("set-cookie");
        assert_eq!(cookie, "holdfast-theme=dark; Path=/; Max-Age=31536000; SameSite=Lax");

        for (path, status) in [("/raffles/verify", 200), ("/sign-in", 200), ("/nowhere", 404)] {
            let page = who.get(path).header("accept", "text/html").send().await;
            if page.status.as_u16() == 303 {
                continue;
            }
            let page = page.expect(status);
            assert!(page.text().contains("<html lang=\"en\" data-theme=\"dark\">"), "{path}");
            assert!(page.text().contains("<meta name=\"color-scheme\" content=\"dark\">"), "{path}");
            assert!(page.text().contains("value=\"dark\" aria-pressed=\"true\""), "{path}");
            assert!(page.header("cache-control") == "no-store", "{path}: no cache keeps a theme");
        }
        let system = who.post("/theme").form(&[("theme", "system")]).send().await.expect(303);
        let removed = "holdfast-theme=system; Path=/; Max-Age=0; SameSite=Lax";
        assert_eq!((system.header("location"), system.header("set-cookie")), ("/", removed));
        let page = who.get("/raffles/verify").send().await.expect(200);
        assert!(!page.text().contains("data-theme=\""), "the cookie is gone");
        let script = who.post("/theme").header("hx-request", "true").form(&[("theme", "light")]);
        assert_eq!(script.send().await.expect(204).header("location"), "", "the script needs no page");
        who.post("/theme").form(&[("theme", "blue")]).send().await.expect(400);
    }
}

async fn a_theme_never_leads_to_another_site(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let visitor = workspace.visitor();
    for before in ["https://holdfast.test//evil.example/", "leads", ""] {
        let request =
            visitor.post("/theme").header("sec-fetch-site", "same-origin").header("referer", before);
        let answer = request.form(&[("theme", "dark")]).send().await.expect(303);
        assert_eq!(answer.header("location"), "/", "{before}");
    }
    let elsewhere = visitor.post("/theme").header("origin", "https://evil.example");
    elsewhere.form(&[("theme", "dark")]).send().await.expect(403);
}
