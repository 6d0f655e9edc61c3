//! Where log lines go, and in which form.
//!
//! Owns: the one subscriber of the process, the only global state there is. The rules for what is logged stand in
//! `docs/logging.md`. Must not know: who logs what.
//!
//! Path: a command that runs for longer calls [`init`] once, right after the configuration is read.

use crate::config::{Log, LogFormat};
use std::fmt;
use std::io::{IsTerminal, stderr, stdout};
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not a list of levels.
    #[error("log.filter cannot be used")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in the process has set a subscriber.
    #[error("logging was set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// The stream that log lines go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// For a service: whoever runs it collects standard output.
    Stdout,
    /// For a command whose results go to standard output.
    Stderr,
}

/// Sets up logging for the whole process; once.
pub fn init(log: &Log, stream: Stream) -> Result<(), TelemetryError> {
    let terminal = match stream {
        Stream::Stdout => stdout().is_terminal(),
        Stream::Stderr => stderr().is_terminal(),
    };
    let format = resolve(log.format, terminal);
    match stream {
        Stream::Stdout => subscriber(format, &log.filter, terminal, stdout)?.try_init()?,
        Stream::Stderr => subscriber(format, &log.filter, terminal, stderr)?.try_init()?,
    }
    Ok(())
}

/// A form that is not `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Text,
}

fn resolve(format: LogFormat, terminal: bool) -> Form {
    let text = match format {
        LogFormat::Json => false,
        LogFormat::Text => true,
        LogFormat::Auto => terminal,
    };
    if text { Form::Text } else { Form::Json }
}

/// The subscriber itself, to any writer.
fn subscriber<W>(form: Form, filter: &str, colours: bool, writer: W) -> Result<impl Subscriber, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(filter)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match form {
        Form::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
        Form::Text => lines.with_ansi(colours).boxed(),
    };
    Ok(tracing_subscriber::registry().with(filter).with(lines))
}

/// An error with its causes, `outer: inner: …`; for the one place where it is handled.
pub fn chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> impl fmt::Display + use<'a> {
    fmt::from_fn(move |out| {
        write!(out, "{error}")?;
        let mut cause = error.source();
        while let Some(inner) = cause {
            write!(out, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(form: Form, filter: &str) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = subscriber(form, filter, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(project = "acme", partition = 3, "the breaker is open");
            tracing::debug!("not wanted");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_has_message_and_fields_at_the_top() {
        let text = logged(Form::Json, "info");
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "the breaker is open");
        assert_eq!((&line["project"], &line["partition"]), (&"acme".into(), &3.into()));
        assert_eq!(line["level"], "INFO");
        assert!(line["timestamp"].is_string());
    }

    #[test]
    fn text_is_for_people_and_the_filter_holds() {
        let text = logged(Form::Text, "debug");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("the breaker is open project=\"acme\" partition=3"), "{text}");
        assert_eq!(logged(Form::Text, "off"), "");
        assert!(subscriber(Form::Text, "x=loud", false, stdout).is_err());
    }

    #[test]
    fn auto_follows_the_terminal() {
        assert_eq!(resolve(LogFormat::Auto, true), Form::Text);
        assert_eq!(resolve(LogFormat::Auto, false), Form::Json);
        assert_eq!(resolve(LogFormat::Json, true), Form::Json);
        assert_eq!(resolve(LogFormat::Text, false), Form::Text);
    }
}
