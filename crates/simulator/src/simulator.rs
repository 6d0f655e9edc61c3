//! The handle on a running simulated ARGOS.
//!
//! Owns the listener's task and ties world, faults, counters and sender together for tests and scenarios.

use crate::change::Change;
use crate::clock::Clock;
use crate::config::Config;
use crate::counts::{Counters, Counts};
use crate::faults::FaultControl;
use crate::seal::Seal;
use crate::sender::Sender;
use crate::sent::{Posted, SendRecord, Sent, WebhookFaults};
use crate::server::{Backend, serve};
use crate::state::State;
use crate::view::{Fixed, Traits, View};
use crate::webhooks::{self, Trigger};
use crate::world::{World, WorldError};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A running simulated ARGOS. Stops when the last clone is dropped, or with [`Simulator::stop`].
#[derive(Clone)]
pub struct Simulator(Arc<Running>);

struct Running {
    backend: Arc<Backend>,
    base_url: String,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Cancels `stop` when the last handle goes.
    _guard: DropGuard,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Simulator").field("base_url", &self.0.base_url).finish_non_exhaustive()
    }
}

impl Simulator {
    /// Starts to answer on `listener`. Must be called within a tokio runtime.
    ///
    /// Fails if the listener has no address, no HTTP client can be made, or an API key is too short for its derivation.
    pub fn start(listener: TcpListener, config: Config, clock: Clock) -> std::io::Result<Simulator> {
        let base_url = format!("http://{}/v3", listener.local_addr()?);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let world = Arc::new(World::new(&config, clock));
        let seals = Arc::new(seals(&config)?);
        let (known, keys) = (Arc::clone(&world), Arc::clone(&seals));
        let sender = Arc::new(Sender::new(&config, known, keys, stop.clone(), tasks.clone())?);
        let backend = Arc::new(Backend {
            world,
            faults: FaultControl::new(config.seed),
            counters: Counters::default(),
            sender,
            seals,
            pages: AtomicU64::new(0),
            exchanged: Mutex::default(),
            config,
        });
        tasks.spawn(serve(listener, Arc::clone(&backend), stop.clone(), tasks.clone()));
        let guard = stop.clone().drop_guard();
        Ok(Simulator(Arc::new(Running { backend, base_url, tasks, stop, _guard: guard })))
    }

    /// What a project's `base_url` has to be: `http://127.0.0.1:PORT/v3`.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// The settings it was started with.
    pub fn config(&self) -> &Config {
        &self.0.backend.config
    }

    /// What is true.
    pub fn world(&self) -> &Arc<World> {
        &self.0.backend.world
    }

    /// What goes wrong with GETs.
    pub fn faults(&self) -> &FaultControl {
        &self.0.backend.faults
    }

    /// Requests so far.
    pub fn counts(&self) -> Counts {
        self.0.backend.counters.counts()
    }

    /// GETs of one submission so far, whatever they were answered.
    pub fn gets(&self, project: &str, id: &str) -> u64 {
        self.0.backend.counters.gets(project, id)
    }

    /// The API keys that are accepted from now on, instead of the configured one. What is encrypted stays under that.
    pub fn set_api_keys(&self, project: &str, keys: &[&str]) {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        let mut exchanged = self.0.backend.exchanged.lock().unwrap_or_else(PoisonError::into_inner);
        exchanged.insert(project.to_owned(), keys);
    }

    /// Where a project's webhooks go: base addresses of the receiver's replicas, and the secret path segment.
    pub fn set_targets(&self, project: &str, bases: Vec<String>, token: Option<String>) {
        self.sender().set_targets(project, bases, token);
    }

    /// How webhooks are delivered from now on, with dice from `seed`.
    pub fn set_webhook_faults(&self, faults: WebhookFaults, seed: u64) {
        self.sender().configure(faults, seed);
    }

    /// Makes a change true. [`Change::Create`] makes a submission with every optional part.
    pub fn change(&self, project: &str, id: &str, change: &Change) -> Result<(), WorldError> {
        let world = self.world();
        if *change == Change::Create {
            return world.create(project, id);
        }
        let now = world.now();
        world.set(project, id, |state| change.apply(state, now))
    }

    /// The honest body of a trigger about a submission as it is now, in one of its [`Trigger::shapes`].
    pub fn body(&self, project: &str, id: &str, trigger: Trigger, shape: u8) -> Result<Value, WorldError> {
        let view = self.world().view(project, id).ok_or_else(|| WorldError::NoSubmission(id.to_owned()))?;
        Ok(webhooks::body(&view, trigger, shape))
    }

    /// A body that lies: a trigger about an id as if it had just been approved (rejected, pending, deleted, flagged),
    /// whether or not the world knows it.
    pub fn forged_body(&self, id: &str, trigger: Trigger) -> Value {
        let now = self.world().now();
        let fixed = Fixed { id: id.to_owned(), user: 0, traits: Traits::FULL, created_at: now };
        let mut state = State::new(0, now);
        let before = state.clone();
        forgery(trigger).apply(&mut state, now);
        state.complete(&before, now);
        webhooks::body(&View { fixed: Arc::new(fixed), state: Arc::new(state) }, trigger, 0)
    }

    /// Sends any body at once, without faults, and says what it was answered.
    pub async fn send_webhook(&self, project: &str, body: &Value) -> Posted {
        self.sender().post_now(project, body).await
    }

    /// Sends a text as it stands at once, in the clear also for a project that encrypts.
    pub async fn send_as_it_stands(&self, project: &str, body: &str) -> Posted {
        self.sender().post_as_it_stands(project, body.to_owned()).await
    }

    /// Sends a lie ([`Simulator::forged_body`]) at once.
    pub async fn forge(&self, project: &str, id: &str, trigger: Trigger) -> Posted {
        self.send_webhook(project, &self.forged_body(id, trigger)).await
    }

    /// Hands a body to the delivery under the present webhook faults. Waits only while the backlog is full.
    pub async fn deliver(&self, project: &str, body: &Value) {
        self.deliver_due(project, body, Instant::now()).await;
    }

    pub(crate) async fn deliver_due(&self, project: &str, body: &Value, due: Instant) {
        self.sender().deliver(project, body, due).await;
    }

    /// Waits until every delivery so far is answered, given up or lost.
    pub async fn settled(&self) {
        self.sender().settled().await;
    }

    /// All POSTs so far.
    pub fn sent(&self) -> Sent {
        self.sender().sent()
    }

    /// The records of the POSTs since the last call, at most `keep_records`.
    pub fn take_records(&self) -> Vec<SendRecord> {
        self.sender().take_records()
    }

    /// Closes the listener, ends all connections and deliveries, and waits for them. Other clones are of no use then.
    pub async fn stop(self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn sender(&self) -> &Arc<Sender> {
        &self.0.backend.sender
    }
}

/// The keys of the projects that encrypt.
fn seals(config: &Config) -> std::io::Result<HashMap<String, Seal>> {
    let encrypting = config.projects.iter().filter_map(|project| Some((project, project.encryption?)));
    encrypting
        .map(|(project, encryption)| {
            let seal = Seal::new(encryption, &project.api_key);
            let seal = seal.ok_or_else(|| std::io::Error::other("the API key is too short for its derivation"))?;
            Ok((project.id.clone(), seal))
        })
        .collect()
}

fn forgery(trigger: Trigger) -> Change {
    match trigger {
        Trigger::Created => Change::Create,
        Trigger::Retry => Change::Retry("glare_detected"),
        Trigger::Submit => Change::Pend,
        Trigger::Rejected => Change::Reject { codes: &["other"], by_hand: false },
        Trigger::Delete => Change::Delete { hard: true },
        Trigger::Aml => Change::Screen { risk: crate::Risk::High, matches: 3 },
        Trigger::AmlMonitor => Change::Monitor,
        Trigger::Approved | Trigger::Updated | Trigger::Injection | Trigger::InjectionFail | Trigger::FaceAuth => {
            Change::Approve { by_hand: false }
        }
    }
}
