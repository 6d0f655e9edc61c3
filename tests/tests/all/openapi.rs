//! Both listeners against their own `OpenAPI` documents, asked by a generator of requests that knows only the document
//! (schemathesis, a pinned version in a Python environment of its own: `tests/openapi`).

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tests::broker::{bootstrap, root};
use tests::service::{Replica, Setup};

/// Bounds the run; it takes some ten seconds.
const EXAMPLES: &str = "250";

/// One project for each way in, beside the harness's own with its secret path. `tests/openapi/schemathesis.toml` names
/// them. Nothing asks ARGOS here.
const PROJECTS: &str = r#"
    [[projects]]
    id = "open"
    api_key = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567"
    webhook = { unauthenticated = true }
    [[projects]]
    id = "elsewhere"
    api_key = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567"
    webhook = { source_ip = ["52.78.194.237/32"] }
    [[projects]]
    id = "signed"
    api_key = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567"
    webhook = { standard_webhooks = { secrets = ["whsec_aHVzaC1odXNoLXNpZ25pbmcta2V5"] } }
    [[projects]]
    id = "sealed"
    api_key = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567"
    encryption = { mode = "aes-256-gcm" }
"#;

fn schemathesis(document: &Path, target: &str, examples: &str) -> Output {
    Command::new(root().join("tests/openapi/run.sh"))
        .arg(document)
        .arg(target)
        .args(["--max-examples", examples])
        .output()
        .expect("the script runs")
}

#[tokio::test]
async fn the_listener_answers_as_its_openapi_document_says() {
    let Some(bootstrap) = bootstrap() else { return };
    let mut setup = Setup::new(&bootstrap, "openapi", "http://127.0.0.1:1/v3");
    PROJECTS.clone_into(&mut setup.project);
    let mut replica = Replica::new(&setup, "openapi-0");
    replica.apply_topics();
    replica.start_as("ingest");
    replica.ready(Duration::from_mins(1)).await;

    let document = root().join("contracts/openapi/ingest.yaml");
    let output = schemathesis(&document, &replica.target(), EXAMPLES);
    let told = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(69) && std::env::var_os("CI").is_none() {
        eprintln!("not run: schemathesis cannot be had here\n{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("Selected: 2/2"), "{told}");

    // It came past the door, to every way in, and what came of it was counted.
    let metrics = replica.metrics().await;
    for (project, outcome) in [
        ("acme", "accepted"),
        ("acme", "wrong_token"),
        ("acme", "not_an_object"),
        ("open", "accepted"),
        ("open", "ignored"),
        ("open", "encrypted"),
        ("elsewhere", "foreign_source"),
        ("signed", "wrong_signature"),
        ("sealed", "not_encrypted"),
        ("_unknown", "not_found"),
    ] {
        let counter = format!(r#"argos_relay_webhooks_total{{outcome="{outcome}",project="{project}"}} "#);
        let count = metrics.lines().find_map(|line| line.strip_prefix(&counter)).unwrap_or("0");
        assert_ne!(count, "0", "no request ended as {project} {outcome}\n{metrics}");
    }

    // A document that keeps silent about one status is found out.
    let silent = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    let text = std::fs::read_to_string(&document).expect("the document");
    let kept: Vec<_> = text.lines().filter(|line| !line.contains("'401':")).collect();
    std::fs::write(silent.path(), kept.join("\n")).expect("a shorter document");
    let output = schemathesis(silent.path(), &replica.target(), "20");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Undocumented status code"));
    assert!(replica.is_running());
}

/// The same of the listener for operators, with Kafka behind it and no ARGOS.
#[tokio::test]
async fn the_admin_listener_answers_as_its_openapi_document_says() {
    let Some(bootstrap) = bootstrap() else { return };
    let mut replica = Replica::new(&Setup::new(&bootstrap, "openapi-admin", "http://127.0.0.1:1/v3"), "openapi-0");
    replica.apply_topics();
    replica.start_ready().await;
    let document = root().join("contracts/openapi/admin.yaml");
    // Few examples: most of them have topics read.
    let target = replica.admin_url();
    let output = tokio::task::spawn_blocking(move || schemathesis(&document, &target, "6")).await.expect("it ran");
    let told = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(69) && std::env::var_os("CI").is_none() {
        eprintln!("not run: schemathesis cannot be had here\n{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("Selected: 9/9"), "{told}");
    assert!(replica.is_running());
}
