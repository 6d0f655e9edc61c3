//! Kafka as people run it: over TLS, with SCRAM or with client certificates, on a broker that denies by default.

use simulator::{Pace, Scenario};
use std::time::{Duration, Instant};
use tests::acls::{self, Acl};
use tests::secure::{CA, OTHER_CA, PASSWORD, SecureBroker, USER};
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator};
use tokio::task::spawn_blocking;

const WRONG: &str = "not-the-password";
/// "Within seconds", on a machine that has other things to do.
const SECONDS: Duration = Duration::from_secs(30);

/// How somebody comes in: the address, and the properties as TOML.
type Way = (String, String);

fn deployment(broker: &SecureBroker, (address, properties): Way, argos: &str) -> Setup {
    Setup {
        broker: Some(address),
        kafka: format!("[kafka.properties]\n{properties}"),
        ..Setup::new(&broker.bootstrap(), "tls", argos)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_with_scram_or_certificates_all_works_and_every_refusal_says_what_to_do() {
    if broker::bootstrap().is_none() {
        return;
    }
    let broker = spawn_blocking(|| SecureBroker::start(&[])).await.expect("a broker");
    works(&broker, broker.scram(USER, PASSWORD, CA)).await;
    works(&broker, broker.certificate(Some("client"))).await;
    refusals(&broker).await;
}

/// Topics are made, webhooks become events, and a second start goes on.
async fn works(broker: &SecureBroker, way: Way) {
    let sim = simulator(91).await;
    let setup = deployment(broker, way, sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    let printed = replica.command(&["topics", "apply", "--print-acls", "--output", "json"]).stdout;
    let printed = serde_json::from_slice(&printed).expect("JSON");
    let rights: Vec<Acl> =
        ["topics", "reconciler"].iter().flat_map(|role| Acl::of_role(&printed, role, USER)).collect();
    let bootstrap = broker.bootstrap();
    spawn_blocking(move || acls::allow(&bootstrap, &rights)).await.expect("allowed");

    replica.apply_topics();
    for seed in [91, 92] {
        replica.start_ready().await;
        sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
        let scenario =
            Scenario { seed, submissions: 15, pace: Pace { min_ms: 20, max_ms: 200 }, ..Scenario::default() };
        let report = scenario.run(&sim).await.expect("played");
        assert!(report.sent.failed == 0 && report.sent.refused.is_empty(), "{:?}", report.sent);
        check::converged(&setup, &sim, Duration::from_mins(2)).await;
        assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());
    }
    check::safe(&setup, &sim).await;
    let logs = replica.logs();
    assert!(!logs.contains(PASSWORD) && !logs.contains("--print-acls"), "{logs}");
}

/// Each way that does not lead in, and what is said of it: by a command, which ends, and by the service, which waits.
/// (Clear text towards a port with TLS is not among them: the broker hangs up without a word, as if it were away.)
async fn refusals(broker: &SecureBroker) {
    let (clear, certificate) = (broker.bootstrap(), broker.certificate(Some("client")).1);
    for (name, way, expected) in [
        ("a wrong password", broker.scram(USER, WRONG, CA), "refuses the user or the password"),
        ("an unknown user", broker.scram("nobody", WRONG, CA), "refuses the user or the password"),
        ("an unknown authority", broker.scram(USER, PASSWORD, OTHER_CA), "certificate is not trusted here"),
        ("no certificate", broker.certificate(None), "refuses our certificate, or the lack of one"),
        ("an expired certificate", broker.certificate(Some("expired")), "refuses our certificate, or the lack of one"),
        (
            "a stranger's certificate",
            broker.certificate(Some("stranger")),
            "refuses our certificate, or the lack of one",
        ),
        ("TLS towards clear text", (clear, certificate), "speaks another protocol"),
    ] {
        let setup = deployment(broker, way, "http://127.0.0.1:1");
        let asking = Replica::new(&setup, "relay-0");
        let mut command = asking.prepared(&["topics", "check"]);
        let began = Instant::now();
        let output = spawn_blocking(move || command.output()).await.expect("it ran").expect("it runs");
        let (took, said) = (began.elapsed(), String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(output.status.code() == Some(69) && said.contains(expected), "{name}: {:?} {said}", output.status);
        assert!(took < SECONDS && !said.contains(WRONG), "{name}: {took:?} {said}");
        println!("{name}: {took:?}: {said}");

        let mut replica = Replica::new(&setup, "relay-0");
        replica.start();
        let until = Instant::now() + SECONDS;
        while !replica.logs().contains(expected) {
            assert!(Instant::now() < until && replica.is_running(), "{name}: {}", replica.logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(replica.is_running() && !replica.logs().contains(WRONG), "{name}: {}", replica.logs());
    }
}
