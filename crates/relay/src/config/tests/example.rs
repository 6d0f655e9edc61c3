//! The example file, held to the reader: it has every key, shows the defaults, and its secrets stay hidden.

use super::*;
use toml::Value;

/// A folder with every secret that the example names, and the example's text pointing there.
fn example_folder() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    for (name, content) in [
        ("digest-key", format!("{DIGEST_KEY}\n")),
        ("acme-api-key", "secret-api-key\n".to_owned()),
        ("acme-tokens", "# rotated in May\nsecret-token-0123456789abc\n\nsecret-token-new-0123456789\n".to_owned()),
        ("kafka-password", "secret-password".to_owned()),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let text = EXAMPLE.replace("/etc/argos-relay", folder.path().to_str().unwrap());
    (folder, text)
}

#[test]
fn the_example_loads_and_reads_its_secrets() {
    let (folder, text) = example_folder();
    let path = folder.path().join("argos-relay.toml");
    fs::write(&path, text).unwrap();
    let loaded = Config::load(&path, &environment(&[])).unwrap();
    let project = &loaded.config.projects[0];
    assert_eq!(project.api_key.wrapped()[0].expose_secret(), "secret-api-key");
    assert_eq!(project.webhook.path_tokens.as_ref().unwrap().wrapped().len(), 2);
    let warned: Vec<_> = loaded.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert!(warned.is_empty(), "{warned:?}");
}

/// Every leaf and table of a document, list indices left out.
fn key_paths(value: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Table(table) => {
            for (key, inner) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                found.insert(path.clone(), inner.clone());
                key_paths(inner, &path, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| key_paths(inner, &format!("{path}[]"), found)),
        _ => {}
    }
}

#[test]
fn the_example_has_every_key_that_the_reader_knows_and_no_other() {
    let everything: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') && !key.is_empty() => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let table: Table = everything.parse().unwrap();
    let mut shown = BTreeMap::new();
    key_paths(&Value::Table(table.clone()), "", &mut shown);
    let (result, known) = Config::assemble(table, Path::new("/nowhere"), &environment(&[]));
    let missing: Vec<_> = known.iter().filter(|key| !shown.contains_key(*key)).collect();
    assert!(missing.is_empty(), "not in the example: {missing:?}");
    let unknown: Vec<_> =
        result.unwrap_err().into_iter().filter(|error| matches!(error.problem, Problem::Unknown { .. })).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_example_shows_the_defaults() {
    let (folder, text) = example_folder();
    let example = Config::assemble(text.parse().unwrap(), folder.path(), &environment(&[])).0.unwrap().config;
    let defaults = load(MINIMAL).unwrap().config;
    let paths = |config: &Config| {
        let mut found = BTreeMap::new();
        key_paths(&Value::try_from(config).unwrap(), "", &mut found);
        found.retain(|_, value| !value.is_table());
        found.retain(|path, _| path != "projects");
        found
    };
    let (example, defaults) = (paths(&example), paths(&defaults));
    let differing: Vec<_> =
        example.keys().chain(defaults.keys()).filter(|key| example.get(*key) != defaults.get(*key)).collect();
    let meant: BTreeSet<_> = differing.into_iter().map(String::as_str).collect();
    let expected = [
        "personal_data.digest_key",
        "projects[].api_key",
        "projects[].webhook.path_tokens",
        "projects[].webhook.source_ip",
        "projects[].webhook.unauthenticated",
    ];
    assert_eq!(meant.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn no_secret_is_shown_anywhere() {
    let (folder, text) = example_folder();
    let text = text.replace("#\"sasl.password_file\"", "\"sasl.username_file\"").replace(
        "[kafka.properties]",
        "[kafka.properties]\n\"sasl.password\" = \"secret-key-password\"\n\"client.rack\" = \"r1\"",
    );
    let signed = "unauthenticated = false\nhmac = { secrets = [\"secret-signing-key\"] }";
    let text = text.replace("unauthenticated = false", signed);
    let config = Config::assemble(text.parse().unwrap(), folder.path(), &environment(&[])).0.unwrap().config;
    let shown = toml::to_string(&config).unwrap();
    assert!(shown.contains("\"client.rack\" = \"r1\""), "{shown}");
    assert!(shown.contains("\"sasl.password\" = \"[redacted]\""), "{shown}");
    assert!(shown.contains("\"sasl.username\" = \"[redacted, from "), "{shown}");
    assert!(shown.contains("api_key = \"[redacted, from "), "{shown}");
    assert!(shown.contains("secrets = [\"[redacted]\"]"), "{shown}");
    let debugged = format!("{config:?}");
    for secret in ["secret-", DIGEST_KEY] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!debugged.contains(secret), "{debugged}");
    }
}
