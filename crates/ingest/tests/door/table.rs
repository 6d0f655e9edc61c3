//! The rows of the table of answers: what is sent, and what must come of it.

use crate::harness::{APPROVED, Mode, TOKEN, head, post};
use crate::signing::{SECONDS, signed, standard, timed};
use ingest::metrics::UNKNOWN_PROJECT;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) request: String,
    pub(crate) mode: Mode,
    pub(crate) status: u16,
    pub(crate) project: &'static str,
    pub(crate) outcome: &'static str,
    /// A header that the answer must carry.
    pub(crate) header: Option<(&'static str, &'static str)>,
}

pub(crate) fn rows() -> Vec<Row> {
    let groups = [paths(), strangers(), heads(), bodies(), broker(), taken(), signatures()];
    groups.into_iter().flatten().collect()
}

/// Rows that differ in the request only.
fn group<const N: usize>(
    (status, project, outcome): (u16, &'static str, &'static str),
    requests: [(&'static str, String); N],
) -> Vec<Row> {
    let row = |(name, request)| Row { name, request, mode: Mode::Accepting, status, project, outcome, header: None };
    requests.into_iter().map(row).collect()
}

fn with_header(rows: Vec<Row>, name: &'static str, value: &'static str) -> Vec<Row> {
    let header = Some((name, value));
    rows.into_iter().map(|row| Row { header, ..row }).collect()
}

fn with_mode(rows: Vec<Row>, mode: Mode) -> Vec<Row> {
    rows.into_iter().map(|row| Row { mode, ..row }).collect()
}

/// A POST whose body never comes: an answer shows that none was waited for.
fn bodiless(path: &str, lines: &str) -> String {
    head("POST", path, &format!("content-length: 90\r\n{lines}"))
}

fn get(path: &str) -> String {
    head("GET", path, "")
}

fn paths() -> Vec<Row> {
    let nowhere = group(
        (404, UNKNOWN_PROJECT, "not_found"),
        [
            ("no such project", bodiless("/webhooks/nobody", "")),
            ("no such project, token", bodiless("/webhooks/nobody/x", "")),
            ("no project id", bodiless("/webhooks/%FF", "")),
            ("no project at all", bodiless("/webhooks", "")),
            ("another path", bodiless("/", "")),
            ("the admin's path", get("/metrics")),
            ("a deeper path", bodiless("/webhooks/open/a/b", "")),
            ("a slash at the end", bodiless("/webhooks/open/", "")),
        ],
    );
    let no_token_here =
        group((404, "open", "not_found"), [("a token where there is none", bodiless("/webhooks/open/x", ""))]);
    [nowhere, no_token_here].into_iter().flatten().collect()
}

fn strangers() -> Vec<Row> {
    let tokens = group(
        (401, "secret", "wrong_token"),
        [
            ("no token", bodiless("/webhooks/secret", "")),
            ("a wrong token", bodiless("/webhooks/secret/guess", "")),
            ("a wrong token and method", get("/webhooks/secret/guess")),
        ],
    );
    let token_first =
        group((401, "both", "wrong_token"), [("the right place, a wrong token", bodiless("/webhooks/both/guess", ""))]);
    let forged = "x-forwarded-for: 52.78.194.237\r\n";
    let sources = group(
        (403, "elsewhere", "foreign_source"),
        [
            ("a foreign source", bodiless("/webhooks/elsewhere", "")),
            ("a forged source", bodiless("/webhooks/elsewhere", forged)),
            ("a foreign source, wrong method", get("/webhooks/elsewhere")),
        ],
    );
    let tokens = with_header(tokens, "www-authenticate", "Path-Token");
    [tokens, token_first, sources].into_iter().flatten().collect()
}

fn heads() -> Vec<Row> {
    let gzip = bodiless("/webhooks/open", "content-encoding: gzip\r\n");
    let two = bodiless("/webhooks/open", "content-encoding: identity, br\r\n");
    let methods = group(
        (405, "open", "method_not_allowed"),
        [("GET", get("/webhooks/open")), ("PUT", head("PUT", "/webhooks/open", "content-length: 2\r\n"))],
    );
    let large = group(
        (413, "open", "too_large"),
        [("announced too large", head("POST", "/webhooks/open", "content-length: 1048577\r\n"))],
    );
    let encodings = group((415, "open", "content_encoding"), [("gzip", gzip), ("two encodings", two)]);
    let methods = with_header(methods, "allow", "POST");
    let encodings = with_header(encodings, "accept-encoding", "identity");
    [methods, large, encodings].into_iter().flatten().collect()
}

fn bodies() -> Vec<Row> {
    let open = |body: &str| post("/webhooks/open", body);
    let long_id = format!(r#"{{"webhook_trigger":"approved","submission_id":"{}"}}"#, "x".repeat(129));
    let other_product = r#"{"webhook_trigger":"argos_id_auth","consent_id":"c-1","request_id":"r-1"}"#;
    let not_objects = group(
        (400, "open", "not_an_object"),
        [("empty", open("")), ("no JSON", open("hello")), ("an array", open("[1]"))],
    );
    let bad_ids = group(
        (400, "open", "bad_id"),
        [
            ("an id too long", open(&long_id)),
            ("an id with a control character", open(r#"{"submission_id":"a\u0007b"}"#)),
        ],
    );
    let sealed = group((400, "open", "encrypted"), [("sealed", open(r#"{"data":"c2VhbGVk","isEncrypted":true}"#))]);
    let ignored = group((200, "open", "ignored"), [("another product", open(other_product))]);
    [not_objects, bad_ids, sealed, ignored].into_iter().flatten().collect()
}

fn broker() -> Vec<Row> {
    let open = || post("/webhooks/open", APPROVED);
    let full = group((429, "open", "full"), [("too many wait", open())]);
    let failing = group((503, "open", "unavailable"), [("not acknowledged", open())]);
    let absent = group((503, "open", "unavailable"), [("no broker", bodiless("/webhooks/open", ""))]);
    [
        with_header(with_mode(full, Mode::Full), "retry-after", "1"),
        with_header(with_mode(failing, Mode::Failing), "retry-after", "5"),
        with_header(with_mode(absent, Mode::Absent), "retry-after", "5"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn taken() -> Vec<Row> {
    let identity = format!("content-encoding: Identity\r\ncontent-length: {}\r\n", APPROVED.len());
    let identity = head("POST", "/webhooks/open", &identity) + APPROVED;
    let right = |project: &str| post(&format!("/webhooks/{project}/{TOKEN}"), APPROVED);
    let other = post("/webhooks/secret/another%2D0002", APPROVED);
    let open = [("anyone", post("/webhooks/open", APPROVED)), ("identity", identity)];
    let secret = [("the token", right("secret")), ("the other token, escaped", other)];
    [
        group((200, "open", "accepted"), open),
        group((200, "secret", "accepted"), secret),
        group((200, "here", "accepted"), [("the source", post("/webhooks/here", APPROVED))]),
        group((200, "both", "accepted"), [("token and source", right("both"))]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn signatures() -> Vec<Row> {
    let none = "";
    let other = r#"{"submission_id":"another"}"#;
    let twice = signed(APPROVED).repeat(2);
    let everything = signed(APPROVED) + &standard(SECONDS, APPROVED);
    let ask = |project: &str, lines: &str, body: &str| {
        head("POST", &format!("/webhooks/{project}"), &format!("content-length: {}\r\n{lines}", body.len())) + body
    };
    let wrong = [
        group(
            (401, "signed", "wrong_signature"),
            [
                ("no signature, no body waited for", bodiless("/webhooks/signed", none)),
                (
                    "a signature without its prefix",
                    bodiless("/webhooks/signed", &signed(APPROVED).replace("sha256=", "")),
                ),
                ("the signature twice", bodiless("/webhooks/signed", &twice)),
                ("a signature of another body", ask("signed", &signed(other), APPROVED)),
                ("a body that is no JSON, signed for another", ask("signed", &signed(other), "hello")),
            ],
        ),
        group(
            (401, "timed", "wrong_signature"),
            [
                ("a plain signature where a timed one is due", bodiless("/webhooks/timed", &signed(APPROVED))),
                ("a timed signature of another body", ask("timed", &timed(SECONDS, other), APPROVED)),
            ],
        ),
        group(
            (401, "timed", "stale_signature"),
            [("too old", bodiless("/webhooks/timed", &timed(SECONDS - 301, APPROVED)))],
        ),
        group(
            (401, "standard", "wrong_signature"),
            [
                ("no standard headers", bodiless("/webhooks/standard", none)),
                ("standard headers of another body", ask("standard", &standard(SECONDS, other), APPROVED)),
            ],
        ),
        group(
            (401, "standard", "stale_signature"),
            [("too new", bodiless("/webhooks/standard", &standard(SECONDS + 301, APPROVED)))],
        ),
        group(
            (401, "all", "wrong_signature"),
            [("one signature of two", bodiless(&format!("/webhooks/all/{TOKEN}"), &signed(APPROVED)))],
        ),
    ];
    let wrong = with_header(wrong.into_iter().flatten().collect(), "www-authenticate", "Webhook-Signature");
    let first = group((401, "all", "wrong_token"), [("signed, no token", bodiless("/webhooks/all", &everything))]);
    let decoded =
        group((400, "signed", "not_an_object"), [("no JSON, signed", ask("signed", &signed("hello"), "hello"))]);
    let right = [
        group((200, "signed", "accepted"), [("signed", ask("signed", &signed(APPROVED), APPROVED))]),
        group(
            (200, "timed", "accepted"),
            [
                ("signed with a time", ask("timed", &timed(SECONDS, APPROVED), APPROVED)),
                ("within the tolerance", ask("timed", &timed(SECONDS - 299, APPROVED), APPROVED)),
            ],
        ),
        group((200, "standard", "accepted"), [("standard", ask("standard", &standard(SECONDS, APPROVED), APPROVED))]),
        group((200, "all", "accepted"), [("all methods", ask(&format!("all/{TOKEN}"), &everything, APPROVED))]),
    ];
    [wrong, first, decoded].into_iter().chain(right).flatten().collect()
}
