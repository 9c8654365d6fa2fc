//! Properties of a request: its path prefix, the form of answer that it accepts, and what the client has cached.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri, header};
use std::convert::Infallible;

/// The prefix of every path, for example an API Gateway stage: `/prod`, or nothing. The host that strips it from the
/// request (the Lambda bootstrap) inserts it into the request's extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(pub String);

/// How the page that sent a request relates to its target: `same-origin`, `same-site`, `cross-site` or `none`.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The form of answer that a request accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON, for programs.
    Json,
    /// A fragment, for htmx.
    Fragment,
    /// A whole page.
    Page,
}

impl Form {
    /// Returns the form for a request to this address with these headers.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_for_programs = is_api(uri) || uri.path() == "/health";
        if is_for_programs || (accept.contains("application/json") && !accept.contains("text/html")) {
            Self::Json
        } else if Htmx::of(headers).is_some_and(|htmx| !htmx.restores_history) {
            Self::Fragment
        } else {
            Self::Page
        }
    }
}

/// Returns whether an address belongs to the JSON API. All others belong to pages.
pub fn is_api(uri: &Uri) -> bool {
    uri.path() == "/api" || uri.path().starts_with("/api/")
}

/// Returns whether a request to the JSON API has an idempotency key, so that it is safe to repeat. Pages ignore the
/// header.
pub fn has_idempotency_key(uri: &Uri, headers: &HeaderMap) -> bool {
    is_api(uri) && headers.contains_key("idempotency-key")
}

/// A request that htmx made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Htmx {
    /// The id of the element that the answer replaces.
    pub target: Option<String>,
    /// Whether htmx restores a page from the history and needs the whole page.
    pub restores_history: bool,
}

impl Htmx {
    /// Reads htmx's headers, if htmx made the request.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        (text("hx-request").as_deref() == Some("true")).then(|| Self {
            target: text("hx-target"),
            restores_history: text("hx-history-restore-request").as_deref() == Some("true"),
        })
    }
}

/// Whether to answer with a fragment, because htmx asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantsFragment(pub bool);

impl<S: Sync> FromRequestParts<S> for WantsFragment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Form::of(&parts.uri, &parts.headers) == Form::Fragment))
    }
}

/// The tags in `If-None-Match`. Strong and weak tags are equal, because reads do not distinguish them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Reads the tags from these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags = values.flat_map(|value| value.split(',')).map(str::trim);
        let tags = tags.map(|tag| tag.trim_start_matches("W/").trim_matches('"'));
        Self(tags.filter(|tag| !tag.is_empty()).map(str::to_owned).collect())
    }

    /// Whether the client has the resource with this tag. `*` matches every tag.
    pub fn has(&self, tag: &str) -> bool {
        self.0.iter().any(|known| known == tag || known == "*")
    }

    /// Returns the tag, if there is exactly one.
    pub fn only(&self) -> Option<&str> {
        match &self.0[..] {
            [tag] if tag != "*" => Some(tag),
            _ => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// Returns the values of the cookies of this name. Cookies of other applications are skipped, also if their
/// bytes are not text.
pub fn cookies_named<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(header::COOKIE).iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b';')).filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.trim_ascii_start().strip_prefix(b"=")?;
        str::from_utf8(value.trim_ascii()).ok()
    })
}

/// Returns the part of a local path after our prefix, or `None` if a browser could resolve the address to another host.
/// Browsers treat `//host` and `/\host` as other hosts, and drop control characters before they parse an address.
pub fn local_path<'a>(base: &str, next: &'a str) -> Option<&'a str> {
    let path = next.strip_prefix(base)?;
    let plain = next.len() <= 2_000 && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let local = path.starts_with('/') && !path.starts_with("//") && !next.starts_with("//");
    (plain && local).then_some(path)
}

/// Returns the path and query of the page that sent a request, if it is ours. Its path has the prefix of every path.
pub fn page_before(headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let uri: Uri = text(header::REFERER)?.parse().ok()?;
    // A proxy may send its own `Host`. Browsers say themselves whether the page is of the same origin.
    let is_same_origin = text(SEC_FETCH_SITE) == Some("same-origin");
    let host = text(header::HOST).unwrap_or_default();
    let is_ours = uri.authority().is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host));
    let page = uri.path_and_query().filter(|_| is_same_origin || is_ours)?.as_str();
    local_path("", page).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn if_none_match_has_one_tag_or_many() {
        let parsed = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::IF_NONE_MATCH, HeaderValue::from_static(value)));
            let mut headers = HeaderMap::new();
            for (name, value) in values {
                headers.append(name, value);
            }
            IfNoneMatch::of(&headers)
        };
        for (values, only, has) in [
            (&["\"3\""][..], Some("3"), true),
            (&["W/\"3\""], Some("3"), true),
            (&["3"], Some("3"), true),
            (&["\"4\""], Some("4"), false),
            (&["\"4\", W/\"3\""], None, true),
            (&["\"4\"", "\"3\""], None, true),
            (&["*"], None, true),
            (&["\"33\""], Some("33"), false),
            (&["", " , "], None, false),
            (&[], None, false),
        ] {
            let tags = parsed(values);
            assert_eq!((tags.only(), tags.has("3")), (only, has), "{values:?}");
        }
    }

    #[test]
    fn the_page_before_is_ours_and_leads_to_no_other_host() {
        for (referer, host, site, page) in [
            ("https://ours.example/leads?q=a", "ours.example", "", Some("/leads?q=a")),
            ("https://OURS.example/prod/leads", "ours.example", "", Some("/prod/leads")),
            ("https://ours.example:8443/leads", "ours.example:8443", "", Some("/leads")),
            // Behind a proxy that sends its own host.
            ("https://ours.example/leads", "gateway.example", "same-origin", Some("/leads")),
            ("https://ours.example/leads", "gateway.example", "same-site", None),
            ("https://evil.example/leads", "ours.example", "cross-site", None),
            ("https://ours.example//evil.example/", "ours.example", "same-origin", None),
            ("/leads", "ours.example", "", None),
            ("", "ours.example", "", None),
        ] {
            let headers = [(header::REFERER, referer), (header::HOST, host), (SEC_FETCH_SITE, site)];
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
            assert_eq!(page_before(&HeaderMap::from_iter(headers)).as_deref(), page, "{referer:?} to {host}");
        }
    }

    #[test]
    fn only_local_paths_are_redirect_targets() {
        for (base, next, path) in [
            ("", "/leads", Some("/leads")),
            ("", "/leads?q=a%20b&state=NY", Some("/leads?q=a%20b&state=NY")),
            ("", "/", Some("/")),
            ("", "/leads?next=//evil.example", Some("/leads?next=//evil.example")),
            ("", "", None),
            ("", "leads", None),
            ("", "//evil.example", None),
            ("", "///evil.example", None),
            ("", "/\\evil.example", None),
            ("", "\\/evil.example", None),
            ("", "/leads\\evil", None),
            ("", "/\t/evil.example", None),
            ("", "/\n/evil.example", None),
            ("", "\t//evil.example", None),
            ("", " /leads", None),
            ("", "/leads x", None),
            ("", "/l\u{e9}ads", None),
            ("", "https://evil.example/", None),
            ("", "javascript:alert(1)", None),
            ("", "@evil.example", None),
            ("", "/leads\r\nSet-Cookie: a=b", None),
            ("/prod", "/prod/leads", Some("/leads")),
            ("/prod", "/prod", None),
            ("/prod", "/production", None),
            ("/prod", "/leads", None),
            ("/prod", "/prod//evil.example", None),
            ("/prod", "//evil.example/prod/", None),
        ] {
            assert_eq!(local_path(base, next), path, "{next:?} under {base:?}");
        }
        assert_eq!(local_path("", &format!("/{}", "x".repeat(2_000))), None);
    }
}
