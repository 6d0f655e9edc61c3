//! `config check`: everything that is wrong with the configuration at once, or what is in effect.
//!
//! Owns: how that is printed. Secrets stay redacted by their types. Reads files only; no connection is made.

use crate::cli::{ConfigCheck, Exit, Output};
use crate::config::{Config, ConfigError, Environment, Loaded};
use serde_json::json;
use std::io::Write;

/// Exit 0 if the configuration can be used, else 64.
pub(super) fn run(
    check: &ConfigCheck,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    let result = Config::load(&check.config.path, environment);
    match check.output.output {
        Output::Json => as_json(&result, out)?,
        Output::Text => as_text(&result, out, err)?,
    }
    Ok(if result.is_ok() { Exit::Done } else { Exit::Usage })
}

fn as_json(result: &Result<Loaded, Vec<ConfigError>>, out: &mut impl Write) -> anyhow::Result<()> {
    let document = match result {
        Ok(loaded) => json!({ "ok": true, "warnings": loaded.warnings, "config": loaded.config }),
        Err(errors) => json!({ "ok": false, "errors": errors }),
    };
    writeln!(out, "{document:#}")?;
    Ok(())
}

/// The effective configuration as TOML on `out`, so that it can be compared; all else on `err`.
fn as_text(
    result: &Result<Loaded, Vec<ConfigError>>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<()> {
    match result {
        Ok(loaded) => {
            write!(out, "{}", toml::to_string(&loaded.config)?)?;
            for warning in &loaded.warnings {
                writeln!(err, "warning: {warning}")?;
            }
            writeln!(err, "the configuration can be used")?;
        }
        Err(errors) => write_errors(errors, err)?,
    }
    Ok(())
}

/// The list of mistakes, one a line, for every command that reads the configuration.
pub(super) fn write_errors(errors: &[ConfigError], err: &mut impl Write) -> std::io::Result<()> {
    for error in errors {
        writeln!(err, "error: {error}")?;
    }
    let plural = if errors.len() == 1 { "" } else { "s" };
    writeln!(err, "the configuration cannot be used: {} error{plural}", errors.len())
}

#[cfg(test)]
mod tests {
    use crate::cli::{self, Exit};
    use crate::config::Environment;
    use std::fs;

    const GOOD: &str = "kafka = { bootstrap_servers = 'b:9092', instance_id = 'r' }\n\
        personal_data = { digest_key = '0123456789abcdef0123456789abcdef' }\n\
        [[projects]]\nid = 'acme'\napi_key = 'secret-api-key'\nwebhook = { unauthenticated = true }\n";

    /// Exit, standard output, standard error.
    fn check(content: &str, form: &str) -> (Exit, String, String) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("relay.toml");
        fs::write(&path, content).unwrap();
        let arguments = ["argos-relay", "config", "check", "--output", form, "--config", path.to_str().unwrap()];
        let cli = cli::parse(arguments.map(Into::into)).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = crate::commands::run(&cli, &Environment::default(), &mut out, &mut err).unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_good_file_is_shown_with_its_defaults_and_without_secrets() {
        let (exit, out, err) = check(GOOD, "text");
        assert_eq!(exit, Exit::Done, "{err}");
        assert!(out.contains("\ngroup_id = \"argos-relay\"\n"), "{out}");
        assert!(out.contains("\napi_key = \"[redacted]\"\n"), "{out}");
        assert!(!out.contains("secret-"), "{out}");
        assert!(err.starts_with("warning: projects[0].webhook.unauthenticated: "), "{err}");
        let (exit, out, _) = check(GOOD, "json");
        let document: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((exit, &document["ok"]), (Exit::Done, &true.into()));
        assert_eq!(document["config"]["projects"][0]["rechecks"]["pending"]["cap"], "6h");
        assert!(!out.contains("secret-"), "{out}");
    }

    #[test]
    fn a_bad_file_lists_every_error_and_ends_with_64() {
        let bad = GOOD.replace("id = 'acme'", "id = 'ACME'").replace("api_key", "apikey");
        let (exit, out, err) = check(&bad, "text");
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
        assert_eq!(
            err,
            "error: projects[0].id: expected 1 to 64 of the characters a-z 0-9 . _ -, the first of them a letter or digit\n\
             error: projects[0].api_key: is required (or `api_key_file`)\n\
             error: projects[0].apikey: unknown key; did you mean `api_key`?\n\
             the configuration cannot be used: 3 errors\n"
        );
        let (exit, out, _) = check(&bad, "json");
        let document: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(exit, Exit::Usage);
        assert_eq!(document["errors"][2]["key"], "projects[0].apikey");
    }
}
