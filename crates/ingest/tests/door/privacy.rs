//! Nothing of a body or a token is logged, at any level.

use crate::harness::{Mode, Server, TOKEN, post};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One thread, so that the subscriber of this thread sees the server's tasks too.
#[tokio::test(flavor = "current_thread")]
async fn neither_bodies_nor_tokens_are_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let server = Server::start().await;
    let body = r#"{"webhook_trigger":"approved","submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com",
        "full_name":"Kim Minji","phoneNumber":"+821000000000"}"#;
    let sealed = r#"{"data":"Kim Minji"}"#;
    // Whether anybody wants a line is remembered by its place in the code, and a test beside this one that comes to that
    // place just as this subscriber begins may have it remembered that nobody does. The second round asks anew.
    let modes = [Mode::Accepting, Mode::Full, Mode::Failing, Mode::Absent];
    for mode in modes.into_iter().chain(modes) {
        if matches!(mode, Mode::Accepting) {
            tracing::callsite::rebuild_interest_cache();
        }
        server.set(mode);
        for body in [body, sealed, "Kim Minji", r#"{"submission_id":"Kim\u0007Minji"}"#] {
            server.ask(post(&format!("/webhooks/secret/{TOKEN}"), body)).await;
            server.ask(post("/webhooks/secret/wrong-guess", body)).await;
        }
    }
    drop(guard);

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("webhook accepted") && text.contains("webhook refused"), "the log was seen: {text}");
    for private in [TOKEN, "wrong-guess", "minji", "Minji", "8210000", "k3f9x1mes3ugzb", "127.0.0.1"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}
