//! What the configuration accepts, refuses and shows. The rows of its rules stand in `tests/rules.txt`.

mod encryption;
mod environment;
mod example;
mod rules;
mod total;

use super::*;
use secrecy::ExposeSecret;
use std::fs;
use tempfile::TempDir;
use toml::Value;

const EXAMPLE: &str = include_str!("../../../argos-relay.example.toml");
const DIGEST_KEY: &str = "0123456789abcdef0123456789abcdef";

/// The least that is accepted.
const MINIMAL: &str = r#"
[kafka]
bootstrap_servers = "127.0.0.1:9092"
[personal_data]
digest_key = "0123456789abcdef0123456789abcdef"
[[projects]]
id = "acme"
api_key = "api-key-in-the-clear"
[projects.webhook]
unauthenticated = true
"#;

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment { variables, host_name: Some("relay-7".to_owned()) }
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
    let table = text.parse().expect("a test's own TOML");
    let (result, _) = Config::assemble(table, Path::new("/nowhere"), &environment(variables));
    result.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn load(text: &str) -> Result<Loaded, Vec<String>> {
    load_with(text, &[])
}

/// The minimal document with one value set, given as TOML, at a dotted path (`projects.0.id`).
fn minimal_with(path: &str, value: &str) -> String {
    let mut table: Table = MINIMAL.parse().unwrap();
    let value = format!("value = {value}").parse::<Table>().unwrap().remove("value").unwrap();
    let mut segments: Vec<&str> = path.split('/').collect();
    let key = segments.pop().unwrap();
    let mut room = &mut table;
    for segment in segments {
        let inner = room.entry(segment).or_insert_with(|| Value::Table(Table::new()));
        room = match inner {
            Value::Array(list) => list[0].as_table_mut().unwrap(),
            other => other.as_table_mut().unwrap(),
        };
    }
    room.insert(key.to_owned(), value);
    toml::to_string(&table).unwrap()
}

#[test]
fn the_least_that_is_accepted_has_the_defaults_and_one_warning() {
    let loaded = load(MINIMAL).unwrap();
    let config = loaded.config;
    assert_eq!(config.kafka.instance_id, "relay-7");
    assert_eq!(config.kafka.topics.ledger, "kyc.ledger.v1");
    assert_eq!(config.ingest.body_limit, ByteSize(1_048_576));
    assert_eq!(config.projects[0].rechecks.ladder.len(), 4);
    assert_eq!(config.projects[0].base_url.as_str(), "https://rest-api.argosidentity.com/v3");
    assert_eq!(config.personal_data.include, [PersonalField::UserId]);
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.warnings[0].key, "projects[0].webhook.unauthenticated");
}

#[test]
fn what_must_be_there_is_listed_at_once() {
    let errors = load("[[projects]]\n[[projects]]\nid = 'b'\n[projects.webhook]\nunauthenticated = true").unwrap_err();
    assert_eq!(
        errors,
        [
            "kafka.bootstrap_servers: is required",
            "personal_data.digest_key: is required (or `digest_key_file`)",
            "projects[0].id: is required",
            "projects[0].api_key: is required (or `api_key_file`)",
            "projects[0].webhook: needs at least one of source_ip, path_tokens_file, hmac, standard_webhooks, or \
             encryption.mode = \"aes-256-gcm\"; or unauthenticated = true, which takes webhooks from anybody",
            "projects[1].api_key: is required (or `api_key_file`)",
        ]
    );
}

#[test]
fn signed_webhooks_are_read_with_their_defaults_and_short_secrets_are_warned_of() {
    let webhook = |text: &str| {
        let loaded = load(&minimal_with("projects/webhook", text)).unwrap();
        let warned: Vec<_> = loaded.warnings.iter().map(|warning| warning.key.clone()).collect();
        (loaded.config.projects[0].webhook.clone(), warned)
    };
    let (read, warned) = webhook("{ hmac = { secrets = ['0123456789abcdef0123456789abcdef'] } }");
    let hmac = read.hmac.unwrap();
    assert_eq!((hmac.header.as_str(), hmac.prefix.as_str()), ("x-signature", ""));
    assert_eq!((hmac.encoding, hmac.timestamped), (SignatureEncoding::Hex, false));
    assert_eq!((hmac.tolerance, warned.len()), (Duration::from_mins(5), 0));

    let (read, warned) = webhook("{ standard_webhooks = { secrets = ['whsec_eA=='] } }");
    assert_eq!(read.standard_webhooks.unwrap().tolerance, Duration::from_mins(5));
    assert_eq!(warned, ["projects[0].webhook.standard_webhooks.secrets"]);
    let (_, warned) = webhook("{ source_ip = ['192.0.2.0/24'], hmac = { secrets = ['short'] } }");
    assert_eq!(warned, ["projects[0].webhook.hmac.secrets"]);
}

#[test]
fn two_projects_of_one_name_are_refused() {
    let text = format!("{MINIMAL}[[projects]]\nid = 'acme'\napi_key = 'k'\nwebhook = {{ unauthenticated = true }}");
    assert_eq!(load(&text).unwrap_err(), ["projects[1].id: is the id of another project too"]);
}

#[test]
fn a_host_without_a_name_needs_an_instance_id() {
    let environment = Environment::default();
    let (result, _) = Config::assemble(MINIMAL.parse().unwrap(), Path::new(""), &environment);
    assert_eq!(result.unwrap_err()[0].key, "kafka.instance_id");
}

#[test]
fn plain_http_is_fine_to_this_machine() {
    for host in ["localhost:1", "127.0.0.1:1", "[::1]:1"] {
        load(&minimal_with("projects/base_url", &format!("\"http://{host}/v3\""))).unwrap();
    }
}

#[test]
fn relative_secret_files_start_at_the_configuration() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("key"), "secret-api-key\n").unwrap();
    let path = folder.path().join("relay.toml");
    fs::write(&path, MINIMAL.replace("api_key = \"api-key-in-the-clear\"", "api_key_file = \"key\"")).unwrap();
    let config = Config::load(&path, &environment(&[])).unwrap().config;
    assert_eq!(config.projects[0].api_key.wrapped()[0].expose_secret(), "secret-api-key");
}

#[test]
fn an_error_never_repeats_a_value() {
    let text = MINIMAL
        .replace("unauthenticated = true", "source_ip = ['secret-1']\nunauthenticated = 'secret-2'")
        .replace("id = \"acme\"", "id = 'SECRET-3'\nbase_url = 'secret-4'\nbaseline = 'secret-5'\nsecret = 'secret-6'");
    let errors = load(&text).unwrap_err().join("\n");
    assert!(!errors.to_lowercase().contains("secret-"), "{errors}");
    let Err(Problem::Value(message)) = parse("a = 1\n  key = secret-7\n") else { panic!("not TOML") };
    assert!(message.starts_with("not TOML: line 2, column "), "{message}");
    assert!(!message.contains("secret-7"), "{message}");
}

#[test]
fn unreadable_files_say_why() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("relay.toml");
    let errors = Config::load(&path, &environment(&[])).unwrap_err();
    assert!(matches!(errors[0].problem, Problem::Unreadable { .. }), "{errors:?}");
    for (content, why) in
        [(vec![0xff; 4], "not UTF-8"), (vec![b'x'; 70_000], "larger than 64 KiB"), (vec![b' '], "at least one")]
    {
        fs::write(folder.path().join("key"), content).unwrap();
        fs::write(&path, MINIMAL.replace("api_key = \"api-key-in-the-clear\"", "api_key_file = \"key\"")).unwrap();
        let errors = Config::load(&path, &environment(&[])).unwrap_err();
        assert!(errors[0].to_string().contains(why), "{errors:?}");
    }
}

#[test]
fn the_files_of_tls_are_named_when_they_are_of_no_use() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("relay.toml");
    let tls = "[ingest.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n";
    fs::write(&path, format!("{tls}{MINIMAL}")).unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\naHVzaA==\n-----END CERTIFICATE-----\n";
    for (cert, key, expected) in [
        ("hush", "hush", "ingest.tls.cert_file: the certificate file holds no certificate"),
        (certificate, "hush", "ingest.tls.key_file: the key file holds no unencrypted private key"),
        (
            certificate,
            &certificate.replace("CERTIFICATE", "PRIVATE KEY"),
            "ingest.tls.key_file: the private key is none",
        ),
    ] {
        fs::write(folder.path().join("tls.crt"), cert).unwrap();
        fs::write(folder.path().join("tls.key"), key).unwrap();
        let errors = Config::load(&path, &environment(&[])).unwrap_err();
        assert!(errors.len() == 1 && errors[0].to_string().starts_with(expected), "{errors:?}");
        assert!(!format!("{errors:?}").contains("hush"), "{errors:?}");
    }
}

#[test]
fn an_api_key_file_may_have_two_lines_and_no_more() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("relay.toml");
    fs::write(&path, MINIMAL.replace("api_key = \"api-key-in-the-clear\"", "api_key_file = \"key\"")).unwrap();
    let load = |content: &str| {
        fs::write(folder.path().join("key"), content).unwrap();
        Config::load(&path, &environment(&[]))
    };
    let config = load("new-key\nold-key\n").unwrap().config;
    let keys: Vec<_> = config.projects[0].api_key.wrapped().iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(keys, ["new-key", "old-key"]);
    let shown = toml::to_string(&config).unwrap();
    assert!(shown.contains("api_key = \"[redacted, from ") && !shown.contains("new-key"), "{shown}");
    let errors = load("secret-1\nsecret-2\nsecret-3").unwrap_err();
    assert!(errors[0].to_string().contains("more than 2 API keys"), "{errors:?}");
    assert!(!format!("{errors:?}").contains("secret-"), "{errors:?}");
}

#[test]
fn sweeps_that_cannot_fit_into_the_budget_are_warned_of() {
    let warned = |path: &str, value: &str| -> Vec<String> {
        let loaded = load(&minimal_with(path, value)).unwrap();
        loaded.warnings.iter().map(|warning| warning.key.clone()).filter(|key| !key.contains("webhook")).collect()
    };
    assert!(warned("projects/sweeps/expected_per_day", "1000").is_empty());
    // 160,000 rows in 3,200 pages every 5 min, beside 83 that are sure.
    assert_eq!(
        warned("projects/sweeps/expected_per_day", "40000"),
        ["projects[0].sweeps.recent", "projects[0].sweeps.month", "projects[0].requests_per_day"]
    );
    assert_eq!(warned("projects/requests_per_day", "5000"), ["projects[0].requests_per_day"]);
    assert_eq!(
        warned("projects/requests_per_second", "0.1"),
        ["projects[0].sweeps.recent", "projects[0].sweeps.month"]
    );
}

/// A panic prints what `Debug` prints: the configuration in hand then must not be told by it.
#[test]
fn a_panic_over_the_configuration_shows_no_secret() {
    let loaded = load(MINIMAL).unwrap();
    let die = std::panic::AssertUnwindSafe(|| panic!("cannot go on with {:?}", loaded.config));
    let panicked = std::panic::catch_unwind(die).unwrap_err();
    let text = panicked.downcast_ref::<String>().unwrap();
    assert!(text.contains("acme"), "{text}");
    for secret in ["api-key-in-the-clear", DIGEST_KEY] {
        assert!(!text.contains(secret));
    }
}
