//! The style sheet, scripts and logo: packed into the program, served from memory, cached for ever.
//!
//! Every address carries a fingerprint of the bytes behind it, so an address never changes its content and
//! browsers may keep it for a year. The build script beside the files compresses them once, at build time.

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::access::Access;
use super::request::IfNoneMatch;
use super::routes::Routes;

/// One file as it is served: its address, and its bytes in every encoding.
#[derive(Debug)]
pub struct Asset {
    /// The name that templates use: `app.css`.
    pub name: &'static str,
    /// Where it is served, from the root of the application: `/assets/app.0123456789.css`.
    pub path: &'static str,
    /// The first ten hexadecimal digits of the SHA-256 of `identity`.
    pub fingerprint: &'static str,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The bytes as they are.
    pub identity: &'static [u8],
    /// The bytes in gzip.
    pub gzip: &'static [u8],
    /// The bytes in brotli.
    pub brotli: &'static [u8],
}

/// Everything that is served.
pub static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets_table.rs"));

/// The address of the asset that templates call `name`, from the root of the application.
///
/// An unknown name gives an address that answers 404; a test reads all templates, so none can stay in them.
pub fn url(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/assets/unknown", |asset| asset.path)
}

/// The asset behind the last segment of its address, `app.0123456789.css`.
pub fn find(file_name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path.strip_prefix("/assets/") == Some(file_name))
}

/// The route of assets.
pub fn routes() -> Routes {
    Routes::default().get("/assets/{file}", Access::Public, serve)
}

/// `GET /assets/{file}`: public, the same for everybody.
async fn serve(Path(file): Path<String>, request: HeaderMap) -> Response {
    let Some(asset) = find(&file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let encoding = Encoding::best(&request);
    let etag = format!("\"{}{}\"", asset.fingerprint, encoding.suffix());
    let known = IfNoneMatch::of(&request).has(etag.trim_matches('"'));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(encoding.bytes(asset)))
    };

    let headers = response.headers_mut();
    let mut put = |name, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    put(header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    put(header::VARY, "Accept-Encoding");
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if !known {
        put(header::CONTENT_TYPE, asset.content_type);
        if let Some(name) = encoding.name() {
            put(header::CONTENT_ENCODING, name);
        }
    }
    // Hexadecimal digits and quotes are always a valid header; there is nothing to answer if not.
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, value);
    }
    response
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    /// What the client weighs highest; among equals the smallest. Without the header, nothing is encoded.
    fn best(request: &HeaderMap) -> Self {
        let accepted: Vec<(&str, f32)> = request
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(parse_coding)
            .collect();
        let weight = |name: &str| {
            let named =
                |wanted: &str| accepted.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(wanted));
            named(name).or_else(|| named("*")).map_or(0.0, |(_, weight)| *weight)
        };
        // Plain bytes are always acceptable unless weighed, and then only better if weighed higher.
        let (brotli, gzip, identity) = (weight("br"), weight("gzip"), weight("identity"));
        if brotli > 0.0 && brotli >= gzip && brotli >= identity {
            Self::Brotli
        } else if gzip > 0.0 && gzip >= identity {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// Keeps the entity tags of the encodings apart, as a strong tag must.
    fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => "-br",
            Self::Gzip => "-gz",
            Self::Identity => "",
        }
    }

    fn bytes(self, asset: &Asset) -> &'static [u8] {
        match self {
            Self::Brotli => asset.brotli,
            Self::Gzip => asset.gzip,
            Self::Identity => asset.identity,
        }
    }
}

/// `gzip;q=0.8` → `("gzip", 0.8)`; a weight that is no number refuses the coding.
fn parse_coding(text: &str) -> Option<(&str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((coding, weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0))))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may end at a surprise")]
mod tests {
    use std::{fs, path::Path as FilePath};

    use axum::{Router, body::to_bytes, http::Request, routing::get};
    use tower::ServiceExt as _;

    use super::*;

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

    /// The futures here never wait, so the smallest executor will do, on WebAssembly too.
    fn run<T>(future: impl Future<Output = T>) -> T {
        futures_util::FutureExt::now_or_never(future).unwrap()
    }

    fn text<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    fn read_templates(folder: &FilePath, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read_templates(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "html") {
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }

    fn templates() -> Vec<(String, String)> {
        let mut found = Vec::new();
        read_templates(&FilePath::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut found);
        found
    }

    #[test]
    fn every_asset_that_a_template_names_exists() {
        let mut names = 0;
        for (file, template) in templates() {
            for rest in template.split("asset(\"").skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(find(url(name).trim_start_matches("/assets/")).is_some(), "{file}: {name}");
                names += 1;
            }
        }
        assert!(names >= ASSETS.len(), "the layout names every asset");
    }

    #[test]
    fn no_template_needs_what_the_content_security_policy_forbids() {
        for (file, template) in templates() {
            for forbidden in [" style=", "<style", " onclick", " hx-on", "js:", "javascript:", "<script>"] {
                assert!(!template.contains(forbidden), "{file} contains {forbidden:?}");
            }
        }
    }

    #[test]
    fn an_asset_is_kept_for_a_year_under_the_fingerprint_of_its_bytes() {
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
    fn the_smallest_encoding_that_the_client_accepts_is_sent() {
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip", Some("gzip")),
            ("GZIP", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("br;q=0.5, gzip;q=0.8", Some("gzip")),
            ("*", Some("br")),
            ("*, br;q=0", Some("gzip")),
            ("*;q=0", None),
            ("br;q=0, gzip;q=0", None),
            ("br;q=0.2, identity", None),
            ("br;q=much", None),
            ("deflate", None),
            ("", None),
        ] {
            let response = run(ask(url("app.css"), &[("accept-encoding", accept)]));
            assert_eq!(text(&response, "content-encoding"), expected, "{accept}");
        }
    }

    #[test]
    fn a_browser_that_has_it_is_not_sent_it_again() {
        let first = run(ask(url("app.js"), &[("accept-encoding", "br")]));
        let etag = text(&first, "etag").unwrap().to_owned();
        let ask_again =
            |encoding| run(ask(url("app.js"), &[("accept-encoding", encoding), ("if-none-match", &etag)]));
        assert_eq!(ask_again("br").status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask_again("gzip").status(), StatusCode::OK, "another encoding, another tag");
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for path in ["/assets/app.css", "/assets/app.0000000000.css", "/assets/unknown", "/assets/build.rs"] {
            assert_eq!(run(ask(path, &[])).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
