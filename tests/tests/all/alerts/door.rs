//! Faults at the front door, and of the secrets.

use super::stage::{Scene, Stage};
use simulator::Trigger;
use std::time::{Duration, SystemTime};
use tests::{PROJECT, TOKEN};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Three webhooks, and then none.
pub(super) async fn silent(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.confirmed(3).await;
    scene.begin();
    scene
}

/// Callers that know the path break off in the middle of their bodies.
pub(super) async fn lost(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.begin();
    for _ in 0..8 {
        let address = scene.replica.target().trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let head = format!("POST /webhooks/{PROJECT}/{TOKEN} HTTP/1.1\r\nhost: relay\r\ncontent-length: 200\r\n\r\n{{");
        stream.write_all(head.as_bytes()).await.expect("written");
        stream.shutdown().await.expect("closed");
    }
    scene.until("argos_relay_webhooks_total", r#"outcome="body_broken""#, 8.0).await;
    scene
}

/// ARGOS uses a path token that we do not know.
pub(super) async fn refused(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.sim.set_targets(PROJECT, vec![scene.replica.target()], Some("another-path-token-0000001".to_owned()));
    scene.begin();
    let ids = scene.approve(30);
    scene.tell(&ids, Trigger::Approved).await;
    scene
}

/// The file of the API key was written 200 days ago.
pub(super) async fn secret_old(stage: Stage) -> Scene {
    let mut scene = stage.closed(|_| {}).await;
    let file = std::fs::File::options().write(true).open(scene.secrets.path().join("key")).expect("the key");
    #[expect(clippy::disallowed_methods, reason = "a file's time is the system's")]
    let now = SystemTime::now();
    file.set_modified(now - Duration::from_hours(200 * 24)).expect("its time");
    scene.begin();
    scene.replica.start_ready().await;
    stage.watch(&scene).await;
    scene
}

/// The file of the path tokens is emptied.
pub(super) async fn secret_unreadable(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.begin();
    std::fs::write(scene.secrets.path().join("tokens"), "").expect("emptied");
    scene
}
