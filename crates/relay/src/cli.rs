//! The command line: what can be asked for, and how each command ends.
//!
//! Owns: names, arguments and exit codes. Must not know: how anything is done; one file in [`crate::commands`] does it.

mod operate;

pub use operate::{
    AdminAt, Backfill, Doctor, Erase, Explain, LedgerCommand, Lookup, Rebuild, Reconcile, Redrive, Status, Verify,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use publisher::topics::access::Role as Access;
use std::path::PathBuf;
use std::process::ExitCode;

/// ARGOS Identity webhooks and polling to confirmed, ordered KYC and AML events on Kafka.
#[derive(Debug, Parser)]
#[command(name = "argos-relay", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 the check found something or the service failed, \
                        64 bad configuration or usage, 69 a dependency is unreachable.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service.
    Serve(Serve),
    /// Create or verify the topics.
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Run the whole service against a simulated ARGOS, with a ledger in memory: nothing else is needed.
    #[cfg(feature = "dev")]
    Demo(Demo),
    /// Run a simulated ARGOS to try a deployment against.
    #[cfg(feature = "dev")]
    Simulate(Simulate),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask ARGOS a few harmless questions; say which settings hold. Changes nothing.
    Doctor(Doctor),
    /// Say how a running replica is, and what wants attention.
    Status(Status),
    /// Say why one submission is where it is, as a timeline.
    Explain(Explain),
    /// Ask ARGOS for all submissions of one person.
    Lookup(Lookup),
    /// Have one submission looked at now.
    Reconcile(Reconcile),
    /// Walk a period of ARGOS's list once, and confirm what differs.
    Backfill(Backfill),
    /// Compare ARGOS's list with the state topic.
    Verify(Verify),
    /// Have dead letters reconciled again.
    Redrive(Redrive),
    /// Forget one submission for good: its state and its entry. Its past events stay until their retention ends.
    Erase(Erase),
    /// What is done with the ledger itself, in an emergency.
    #[command(subcommand)]
    Ledger(LedgerCommand),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What this process does.
    #[arg(long, value_enum, default_value_t = Role::All)]
    pub role: Role,
}

/// What one process of the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Both.
    All,
    /// Takes webhooks in.
    Ingest,
    /// Confirms and publishes.
    Reconciler,
}

impl Role {
    /// Whether it has the public listener.
    pub const fn takes_webhooks(self) -> bool {
        matches!(self, Role::All | Role::Ingest)
    }

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Ingest => "ingest",
            Role::Reconciler => "reconciler",
        }
    }

    /// Whether it runs the loop.
    pub const fn reconciles(self) -> bool {
        matches!(self, Role::All | Role::Reconciler)
    }
}

/// What can be done with the topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Create what is missing, then check.
    Apply(Topics),
    /// Say which topics would break which promise; change nothing.
    Check(Topics),
}

/// Arguments of `topics apply` and `topics check`.
#[derive(Debug, Args)]
pub struct Topics {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
    /// Only print what each role needs to be allowed, as lines for kafka-acls.sh; the cluster is not asked.
    #[arg(long)]
    pub print_acls: bool,
    /// Who comes in a role, for --print-acls: ingest, reconciler, console, topics, operator or consumer, then `=User:NAME`. A
    /// consumer's group is its NAME.
    #[arg(long, value_name = "ROLE=PRINCIPAL", requires = "print_acls", value_parser = principal)]
    pub principal: Vec<(Access, String)>,
}

fn principal(text: &str) -> Result<(Access, String), String> {
    let (role, principal) = text.split_once('=').ok_or("expected ROLE=User:NAME")?;
    let known = Access::ALL.into_iter().find(|known| known.as_str() == role);
    let role = known.ok_or_else(|| format!("there is no role {role:?}"))?;
    // The line is meant for a shell.
    let plain = |letter: char| letter.is_alphanumeric() || "._-=,: @/".contains(letter);
    let name = principal.strip_prefix("User:").filter(|name| !name.is_empty() && name.chars().all(plain));
    name.map(|_| (role, principal.to_owned())).ok_or_else(|| "expected ROLE=User:NAME".to_owned())
}

/// Arguments of `demo`.
#[cfg(feature = "dev")]
#[derive(Debug, Args)]
pub struct Demo {
    /// The same seed plays the same lives.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many submissions live.
    #[arg(long, default_value_t = 40)]
    pub submissions: usize,
    /// Go on with new lives until interrupted.
    #[arg(long)]
    pub forever: bool,
    /// The form of the events and of the summary.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Arguments of `simulate`.
#[cfg(feature = "dev")]
#[derive(Debug, Args)]
pub struct Simulate {
    /// Where GETs are answered.
    #[arg(long, default_value = "127.0.0.1:9400")]
    pub listen: std::net::SocketAddr,
    /// The simulated ARGOS as a TOML file, instead of the five flags that follow.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["project", "api_key", "token", "encryption", "key_derivation"])]
    pub world: Option<PathBuf>,
    /// The project's id.
    #[arg(long, default_value = "acme")]
    pub project: String,
    /// The project's API key.
    #[arg(long, default_value = "simulated-api-key")]
    pub api_key: String,
    /// The secret path segment of the webhook address.
    #[arg(long)]
    pub token: Option<String>,
    /// Encrypt webhooks and answers: aes-256-ecb or aes-256-gcm.
    #[arg(long, value_name = "MODE", value_parser = word::<simulator::Mode>)]
    pub encryption: Option<simulator::Mode>,
    /// How its key comes from the API key.
    #[arg(long, value_name = "HOW", requires = "encryption", default_value = "sha256", value_parser = word::<simulator::Derivation>)]
    pub key_derivation: simulator::Derivation,
    /// Base address of a replica of the service; may be given more than once.
    #[arg(long, value_name = "URL")]
    pub target: Vec<String>,
    /// What is played, as a TOML file; the flags that follow go over it.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// The same seed plays the same lives.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many submissions live.
    #[arg(long)]
    pub submissions: Option<usize>,
    /// A steady rate of webhooks a second instead of lives.
    #[arg(long)]
    pub rate: Option<f64>,
    /// For how long, with `--rate`.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Write what is true of every submission when all is played: JSON, one a line.
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// Go on answering GETs when all is played, until interrupted.
    #[arg(long)]
    pub stay: bool,
}

/// One of the words by which a scene's file names such a value.
#[cfg(feature = "dev")]
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// List everything that is wrong with it, or show what is in effect, secrets redacted.
    Check(ConfigCheck),
}

/// Arguments of `config check`.
#[derive(Debug, Args)]
pub struct ConfigCheck {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The TOML file; `ARGOS_RELAY__SECTION__KEY` in the environment goes over it.
    #[arg(long = "config", value_name = "FILE")]
    pub path: PathBuf,
}

/// How a result is printed.
#[derive(Debug, Args)]
pub struct OutputForm {
    /// For people, or one JSON document.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// See [`OutputForm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The check found something, or the service failed.
    Failed,
    /// The configuration or the arguments cannot be used (`EX_USAGE`).
    Usage,
    /// Kafka or ARGOS cannot be reached (`EX_UNAVAILABLE`).
    Unreachable,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 64,
            Exit::Unreachable => 69,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Reads the arguments. Help and version are printed and end with 0, mistakes with 64.
pub fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Cli, Exit> {
    Cli::try_parse_from(arguments).map_err(|error| {
        // Where the text cannot be written there is nobody to tell; the exit code still says it.
        let printed = error.print();
        if error.use_stderr() || printed.is_err() { Exit::Usage } else { Exit::Done }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(line: &str) -> Result<Cli, Exit> {
        parse(line.split(' ').map(Into::into))
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn mistakes_end_with_64_and_help_with_0() {
        for line in ["argos-relay fly", "argos-relay config check", "argos-relay config check --config x --output xml"]
        {
            assert_eq!(parsed(line).unwrap_err(), Exit::Usage, "{line}");
        }
        for line in ["argos-relay --help", "argos-relay --version", "argos-relay config check --help"] {
            assert_eq!(parsed(line).unwrap_err(), Exit::Done, "{line}");
        }
        assert_eq!(Exit::Usage.code(), 64);
    }

    #[test]
    fn a_person_is_one_user_or_one_address() {
        let lookup = "argos-relay lookup --config a --project acme";
        assert_eq!(parsed(lookup).unwrap_err(), Exit::Usage);
        assert_eq!(parsed(&format!("{lookup} --user u --email e")).unwrap_err(), Exit::Usage);
        let cli = parsed(&format!("{lookup} --email minji.kim@example.com")).unwrap();
        assert!(!format!("{cli:?}").contains("minji"), "{cli:?}");
        assert!(parsed(&format!("{lookup} --user u-1001")).is_ok() && parsed(&format!("{lookup} --user -")).is_ok());
        for wrong in ["reconcile --config a acme", "erase --config a ACME/x", "redrive --config a --limit 0"] {
            assert_eq!(parsed(&format!("argos-relay {wrong}")).unwrap_err(), Exit::Usage, "{wrong}");
        }
    }

    #[cfg(feature = "dev")]
    #[test]
    fn a_simulated_argos_can_be_told_to_encrypt() {
        let simulate = |flags: &str| match parsed(&format!("argos-relay simulate{flags}")).map(|cli| cli.command) {
            Ok(Command::Simulate(simulate)) => Ok((simulate.encryption, simulate.key_derivation)),
            Ok(other) => panic!("{other:?}"),
            Err(exit) => Err(exit),
        };
        let (mode, sha) = (simulator::Mode::Gcm, simulator::Derivation::Sha256);
        assert_eq!(simulate(""), Ok((None, sha)));
        assert_eq!(simulate(" --encryption aes-256-gcm"), Ok((Some(mode), sha)));
        let last = simulator::Derivation::Last32Bytes;
        assert_eq!(simulate(" --encryption aes-256-gcm --key-derivation last_32_bytes"), Ok((Some(mode), last)));
        assert_eq!(simulate(" --encryption rot13"), Err(Exit::Usage));
        assert_eq!(simulate(" --key-derivation sha256"), Err(Exit::Usage));
    }

    #[test]
    fn config_check_takes_a_file_and_a_form() {
        let command = parsed("argos-relay config check --config a.toml --output json").unwrap().command;
        let Command::Config(ConfigCommand::Check(check)) = command else { panic!("{command:?}") };
        assert_eq!(check.config.path, PathBuf::from("a.toml"));
        assert_eq!(check.output.output, Output::Json);
    }
}
