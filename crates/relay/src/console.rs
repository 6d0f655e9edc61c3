//! The operators' page, `/console` on the admin listener.
//!
//! Owns: the page's files, which are part of the binary, and the headers they are served with. Must not know: what the
//! page shows; it asks the admin API for it, as any other client would.
//!
//! Path: [`router`]. The page itself is no secret and is served without a token; it asks for one where the API does.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Name, kind, content. The page names them relative to itself, so a prefix that a proxy puts before all is no trouble.
const FILES: [(&str, &str, &str); 11] = [
    ("index.html", "text/html; charset=utf-8", include_str!("console/index.html")),
    ("style.css", "text/css; charset=utf-8", include_str!("console/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("console/icon.svg")),
    ("app.js", JAVASCRIPT, include_str!("console/app.js")),
    ("api.js", JAVASCRIPT, include_str!("console/api.js")),
    ("charts.js", JAVASCRIPT, include_str!("console/charts.js")),
    ("dom.js", JAVASCRIPT, include_str!("console/dom.js")),
    ("explain.js", JAVASCRIPT, include_str!("console/explain.js")),
    ("flow.js", JAVASCRIPT, include_str!("console/flow.js")),
    ("overview.js", JAVASCRIPT, include_str!("console/overview.js")),
    ("search.js", JAVASCRIPT, include_str!("console/search.js")),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Nothing from elsewhere, nothing in line, no frame around it, and no string becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    // After an update of the service the browser must not mix its files with older ones.
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// `/console` and the files it names.
pub fn router() -> Router {
    Router::new()
        .route("/console", get(|| async { file("index.html") }))
        .route("/console/{file}", get(|Path(name): Path<String>| async move { file(&name) }))
}

fn file(name: &str) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, content)) => (HEADERS, [(header::CONTENT_TYPE, *kind)], *content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use std::collections::BTreeSet;
    use tower::ServiceExt;

    async fn get(path: &str) -> (StatusCode, axum::http::HeaderMap, String) {
        let answer = router().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_file_comes_with_its_kind_and_the_policy() {
        for (name, kind, content) in FILES {
            let (status, headers, body) = get(&format!("/console/{name}")).await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, content), "{name}");
            assert_eq!(headers[header::CONTENT_TYPE], kind);
            for (header, value) in HEADERS {
                assert_eq!(headers[&header], value, "{name}");
            }
        }
        assert_eq!(get("/console").await.2, FILES[0].2);
        assert_eq!(get("/console/other.js").await.0, StatusCode::NOT_FOUND);
    }

    /// A file that some other names is in the table; one of the table is named by some other.
    #[test]
    fn the_files_name_each_other_and_nothing_elsewhere() {
        let mut named = BTreeSet::from(["index.html"]);
        for (file, _, content) in FILES {
            let words = content.split(['"', '\'']);
            named.extend(words.filter_map(|word| word.strip_prefix("console/").or(word.strip_prefix("./"))));
            // The name of SVG's elements is an address that nobody asks.
            let without_names = content.replace("http://www.w3.org/2000/svg", "");
            assert!(!without_names.contains("//www") && !without_names.contains("://"), "{file} names another place");
        }
        assert_eq!(named, FILES.iter().map(|(name, ..)| *name).collect());
    }
}
