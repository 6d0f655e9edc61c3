//! Carries faults out, each on its target, and takes them back.
//!
//! Owns the one task of each target: it waits, strikes, waits, heals, and once the time is over returns what it was
//! given, healed. Draws nothing: `plan` does.

use crate::book::Book;
use crate::plan::{Fault, Row, Step};
use simulator::{Faults, Simulator};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::cluster::{Cluster, NODES};
use tests::proxy::{Proxy, Weather};
use tests::service::Replica;

/// What goes wrong with ARGOS all the time.
pub(crate) fn usual() -> Faults {
    Faults { latency_ms: 10, jitter_ms: 40, error_rate: 0.01, stale_rate: 0.02, stale_ms: 500, ..Faults::default() }
}

/// Starts a replica that ended by itself, as an orchestrator would, and says so.
pub(crate) fn supervise(replica: &mut Replica, name: &str, book: &Book) {
    if let Some(status) = replica.ended() {
        book.write(&format!("{name} ended by itself: {status}"));
        println!("{name} ended by itself: {status}");
        replica.start();
    }
}

/// Strikes a replica until the time is over; it runs then.
pub(crate) async fn replica(mut replica: Replica, mut row: Row, until: Instant, book: Book) -> Replica {
    let target = row.target();
    let name = format!("{target:?}");
    loop {
        let step = row.draw();
        let at = Instant::now() + step.after;
        while Instant::now() < at.min(until) {
            supervise(&mut replica, &name, &book);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        if Instant::now() >= until {
            return replica;
        }
        book.begin(target, &step);
        match step.fault {
            Fault::Freeze => {
                replica.signal("STOP");
                tokio::time::sleep(step.lasts).await;
                replica.signal("CONT");
            }
            Fault::Kill => {
                replica.kill();
                tokio::time::sleep(step.lasts).await;
                replica.start();
            }
            _ => {
                let code = replica.terminate().await;
                book.write(&format!("{name} ended with {code:?}"));
                tokio::time::sleep(step.lasts).await;
                replica.start();
            }
        }
        book.end(target, &step);
    }
}

/// Strikes the brokers until the time is over; all run then.
pub(crate) async fn brokers(cluster: Arc<Cluster>, mut row: Row, until: Instant, book: Book) {
    loop {
        let step = row.draw();
        if !pause(step.after, until).await {
            return;
        }
        book.begin(row.target(), &step);
        let cluster = Arc::clone(&cluster);
        // The script blocks until the node serves.
        tokio::task::spawn_blocking(move || strike_brokers(&cluster, &step)).await.expect("the brokers are struck");
        book.end(row.target(), &step);
    }
}

#[expect(clippy::disallowed_methods, reason = "this thread waits for nothing but the end of the fault")]
fn strike_brokers(cluster: &Cluster, step: &Step) {
    let node = step.node;
    let others = [(node + 1) % NODES, (node + 2) % NODES];
    match step.fault {
        Fault::FreezeBroker => {
            cluster.freeze(node, true);
            std::thread::sleep(step.lasts);
            cluster.freeze(node, false);
        }
        Fault::RestartBroker => {
            cluster.stop(node);
            cluster.start(node);
        }
        Fault::KillTwoBrokers => {
            for other in others {
                cluster.kill(other);
            }
            std::thread::sleep(step.lasts);
            // Together: neither has a majority before the other is there.
            std::thread::scope(|scope| {
                for other in others {
                    scope.spawn(move || cluster.start(other));
                }
            });
        }
        Fault::FillDisk => {
            cluster.fill_disk(node);
            std::thread::sleep(step.lasts);
            cluster.kill(node);
            cluster.start(node);
        }
        _ => {
            cluster.kill(node);
            std::thread::sleep(step.lasts);
            cluster.start(node);
        }
    }
}

/// Strikes connections until the time is over; all are as they should be then.
pub(crate) async fn links(proxies: Vec<Arc<Proxy>>, mut row: Row, until: Instant, book: Book) {
    loop {
        let step = row.draw();
        if !pause(step.after, until).await {
            return;
        }
        book.begin(row.target(), &step);
        let struck = || proxies.iter().enumerate().filter(|(at, _)| step.all || *at == step.node % proxies.len());
        struck().for_each(|(_, proxy)| proxy.set(weather(step.fault)));
        if matches!(step.fault, Fault::Cut | Fault::Refuse) {
            struck().for_each(|(_, proxy)| proxy.cut());
        }
        tokio::time::sleep(step.lasts).await;
        if step.cut_after {
            struck().for_each(|(_, proxy)| proxy.cut());
        }
        struck().for_each(|(_, proxy)| proxy.set(Weather::default()));
        book.end(row.target(), &step);
    }
}

fn weather(fault: Fault) -> Weather {
    let calm = Weather::default();
    match fault {
        Fault::Refuse => Weather { refuse: true, ..calm },
        Fault::HoldRequests => Weather { hold_up: true, ..calm },
        Fault::HoldAnswers => Weather { hold_down: true, ..calm },
        Fault::BlackHole => Weather { hold_up: true, hold_down: true, ..calm },
        Fault::Delay => Weather { delay: Duration::from_millis(250), ..calm },
        Fault::Throttle => Weather { bytes_per_second: 8 * 1024, ..calm },
        _ => calm,
    }
}

/// Spoils ARGOS's answers until the time is over; they are as usual then.
pub(crate) async fn argos(sim: Simulator, mut row: Row, until: Instant, book: Book) {
    loop {
        let step = row.draw();
        if !pause(step.after, until).await {
            return;
        }
        book.begin(row.target(), &step);
        sim.faults().set(match step.fault {
            Fault::TooMany => Faults { throttle_rate: 0.6, ..usual() },
            Fault::Hang => Faults { hang_rate: 0.5, hang_ms: 5_000, ..usual() },
            Fault::Down => Faults { down: true, ..usual() },
            _ => Faults { error_rate: 0.5, garbage_rate: 0.1, ..usual() },
        });
        tokio::time::sleep(step.lasts).await;
        sim.faults().set(usual());
        book.end(row.target(), &step);
    }
}

/// Waits for the next fault; false if the time is over before.
async fn pause(after: Duration, until: Instant) -> bool {
    tokio::time::sleep_until((Instant::now() + after).min(until).into()).await;
    Instant::now() < until
}
