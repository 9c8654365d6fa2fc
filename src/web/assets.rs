//! The style sheet, scripts and logo: embedded in the program, served from memory, cached forever.
//!
//! Every path contains a fingerprint of the file, so the content behind a path never changes and browsers may cache
//! it for a year. The build script beside the files compresses them once, at build time.

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::access::Access;
use super::encoding::Encoding;
use super::request::IfNoneMatch;
use super::routes::Routes;

/// A file with its path and its bytes in every encoding.
#[derive(Debug)]
pub struct Asset {
    /// The name that templates use: `app.css`.
    pub name: &'static str,
    /// The path from the root of the application: `/assets/app.0123456789.css`.
    pub path: &'static str,
    /// The first ten hexadecimal digits of the SHA-256 of `identity`.
    pub fingerprint: &'static str,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The uncompressed bytes.
    pub identity: &'static [u8],
    /// The bytes compressed with gzip.
    pub gzip: &'static [u8],
    /// The bytes compressed with brotli.
    pub brotli: &'static [u8],
}

impl Asset {
    fn bytes(&self, encoding: Encoding) -> &'static [u8] {
        match encoding {
            Encoding::Brotli => self.brotli,
            Encoding::Gzip => self.gzip,
            Encoding::Identity => self.identity,
        }
    }
}

/// All assets.
pub static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets_table.rs"));

/// Returns the path of the asset that templates call `name`, from the root of the application.
///
/// An unknown name returns a path that answers 404. A test checks the names in all templates.
pub fn url(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/assets/unknown", |asset| asset.path)
}

/// Returns the asset for the last segment of its path, `app.0123456789.css`.
pub fn find(file_name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path.strip_prefix("/assets/") == Some(file_name))
}

/// Returns the route of assets.
pub fn routes() -> Routes {
    Routes::default().get("/assets/{file}", Access::Public, serve)
}

/// `GET /assets/{file}`: public, the same for every client.
async fn serve(Path(file): Path<String>, request: HeaderMap) -> Response {
    let Some(asset) = find(&file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let encoding = Encoding::best(&request, &[Encoding::Brotli, Encoding::Gzip]);
    let etag = format!("\"{}{}\"", asset.fingerprint, tag_suffix(encoding));
    let is_cached = IfNoneMatch::of(&request).has(etag.trim_matches('"'));
    let mut response = if is_cached {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(asset.bytes(encoding)))
    };

    let headers = response.headers_mut();
    let mut put = |name, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    put(header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    put(header::VARY, "Accept-Encoding");
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if !is_cached {
        put(header::CONTENT_TYPE, asset.content_type);
        if let Some(name) = encoding.name() {
            put(header::CONTENT_ENCODING, name);
        }
    }
    // Hexadecimal digits and quotes are always a valid header value.
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, value);
    }
    response
}

/// Returns a suffix for the entity tag, because a strong tag must differ between encodings.
fn tag_suffix(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Brotli => "-br",
        Encoding::Gzip => "-gz",
        Encoding::Identity => "",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use axum::{Router, body::to_bytes, http::Request, routing::get};
    use tower::ServiceExt as _;

    use super::*;
    use crate::web::sources;

    async fn ask(path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Router::new()
            .route("/assets/{file}", get(serve))
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    /// Runs a future that never waits, without an executor, so that the tests also run on WebAssembly.
    fn run<T>(future: impl Future<Output = T>) -> T {
        futures_util::FutureExt::now_or_never(future).unwrap()
    }

    fn text<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn every_asset_that_a_template_names_exists() {
        let mut names = 0;
        for (file, template) in sources::of("templates", "html") {
            for rest in template.split("asset(\"").skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(find(url(name).trim_start_matches("/assets/")).is_some(), "{file}: {name}");
                names += 1;
            }
        }
        assert!(names >= ASSETS.len(), "the layout uses every asset");
    }

    #[test]
    fn no_template_uses_what_the_content_security_policy_forbids() {
        for (file, template) in sources::of("templates", "html") {
            for forbidden in [" style=", "<style", " onclick", " hx-on", "js:", "javascript:", "<script>"] {
                assert!(!template.contains(forbidden), "{file} contains {forbidden:?}");
            }
        }
    }

    #[test]
    fn every_template_isolates_the_values_that_it_shows() {
        let mut found = 0;
        for (file, text) in sources::of("src", "rs") {
            for rest in text.split("#[template(").skip(1) {
                let attribute = rest.split(")]").next().unwrap();
                let isolates = attribute.contains("config = \"templates/askama.toml\"");
                assert!(isolates || attribute.starts_with('"'), "{file}: {attribute}");
                found += 1;
            }
        }
        assert!(found > 50, "only {found} templates");
    }

    #[test]
    fn an_asset_is_cached_for_a_year_under_its_fingerprint() {
        for asset in ASSETS {
            let response = run(ask(asset.path, &[]));
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(text(&response, "cache-control"), Some("public, max-age=31536000, immutable"));
            assert_eq!(text(&response, "content-type"), Some(asset.content_type));
            assert_eq!(text(&response, "x-content-type-options"), Some("nosniff"));
            assert_eq!(text(&response, "vary"), Some("Accept-Encoding"));
            assert_eq!(text(&response, "content-encoding"), None);
            let body = run(to_bytes(response.into_body(), usize::MAX)).unwrap();
            assert_eq!(body, asset.identity);
            assert!(asset.path.contains(asset.fingerprint));
        }
    }

    #[test]
    fn the_smallest_accepted_encoding_is_sent() {
        for (accept, expected) in
            [("gzip, deflate, br, zstd", Some("br")), ("gzip", Some("gzip")), ("deflate", None)]
        {
            let response = run(ask(url("app.css"), &[("accept-encoding", accept)]));
            assert_eq!(text(&response, "content-encoding"), expected, "{accept}");
        }
    }

    #[test]
    fn a_cached_asset_answers_not_modified() {
        let first = run(ask(url("app.js"), &[("accept-encoding", "br")]));
        let etag = text(&first, "etag").unwrap().to_owned();
        let ask_again =
            |encoding| run(ask(url("app.js"), &[("accept-encoding", encoding), ("if-none-match", &etag)]));
        assert_eq!(ask_again("br").status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask_again("gzip").status(), StatusCode::OK, "another encoding has another tag");
    }

    #[test]
    fn unknown_paths_answer_not_found() {
        for path in ["/assets/app.css", "/assets/app.0000000000.css", "/assets/unknown", "/assets/build.rs"] {
            assert_eq!(run(ask(path, &[])).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
