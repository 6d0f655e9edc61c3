//! The wiring: from the configuration to running parts. The only file that sees every room.
//!
//! Owns: which part is made of what, and the order in which they stop. Must not know: how any of them works.
//!
//! Path: [`Wiring::new`] opens the listeners and names the health conditions; [`Wiring::ingest`] and
//! [`Wiring::reconciler`] add the parts of a role over any sink and ledger; [`Wiring::run`] runs them to their end.

use crate::admin;
use crate::admin::api::{Api, Means};
use crate::admin::guard::Tokens;
use crate::cli::Role;
use crate::config::{
    Baseline, Config, DateFormat, Fetch, Hmac, NoticeAuthentication, PersonalField, Project, Secret, SignatureEncoding,
    Sweep,
};
use crate::console;
use crate::health::{Health, Latch, Stage};
use crate::schema_registry::SchemaRegistry;
use crate::secrets::{SecretFiles, SecretMetrics};
use crate::shutdown::{PartError, Parts, Signals};
use crate::traces::{self, Exporter, FLUSH, TraceMetrics};
use anyhow::Context;
use argos::ApiKeys;
use axum::http::HeaderName;
use ingest::signature::{Encoding, Form};
use ingest::tls::InvalidTls;
use ingest::{
    Bounds, Door, DoorLimits, Methods, PathTokens, ProjectDoor, ServerLimits, SignedBody, StandardWebhooks,
    TrustedProxies,
};
use models::{Authentication, HintSink, Ledger, Traces};
use prometheus::Registry;
use publisher::sealing::{Sealer, SealingKeys};
use publisher::{KafkaSettings, LedgerWatch};
use reconciler::budget::ProjectBudget;
use reconciler::clock::Clock;
use reconciler::driver::Reconciler;
use reconciler::inquiry;
use reconciler::metrics::Metrics;
use reconciler::policy::{self, Policy};
use reconciler::state::{ProjectRules, Settings, State};
use reconciler::sweep::{Cadence, SweepRules};
use secrecy::ExposeSecret;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long the admin listener may take to close; it goes last, so that probes see the end.
const ADMIN_BOUND: Duration = Duration::from_secs(2);

/// How we name ourselves to ARGOS.
pub(crate) const USER_AGENT: &str = concat!("argos-relay/", env!("CARGO_PKG_VERSION"));

/// What a ledger is opened by, once the reconciler's part runs; it may wait for Kafka until `stop`.
pub trait OpenLedger: Send + 'static {
    /// The ledger.
    type Ledger: Ledger;

    /// Opens it. `None` if told to stop before it could be opened.
    fn open(self, stop: CancellationToken) -> impl Future<Output = anyhow::Result<Option<Self::Ledger>>> + Send;
}

/// The parts of one process.
pub struct Wiring {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    registry: Registry,
    health: Health,
    parts: Parts,
    drain: Latch,
    secrets: SecretFiles,
    traces: Traces,
    exporter: Option<Exporter>,
    role: Role,
    means: Means,
}

impl Wiring {
    /// Nothing runs yet; `role` is only told.
    pub fn new(config: Arc<Config>, clock: Arc<dyn Clock>, registry: Registry, role: Role) -> Wiring {
        let mut health = Health::new();
        let drain = health.latch(Stage::Ready, "drain", "not started");
        Wiring {
            config,
            clock,
            registry,
            health,
            parts: Parts::new(),
            drain,
            secrets: SecretFiles::default(),
            traces: Traces::default(),
            exporter: None,
            role,
            means: Means::default(),
        }
    }

    /// Has the parts that follow tell their spans, if a collector is configured.
    pub fn trace(&mut self) -> anyhow::Result<()> {
        let metrics = TraceMetrics::register(&self.registry)?;
        (self.traces, self.exporter) = traces::start(&self.config, &metrics)?;
        if let (Some(exporter), Some(given)) = (&self.exporter, &self.config.traces.headers) {
            let headers = exporter.headers();
            self.secrets.watch_lines("traces.headers", given, move |new| headers.replace(new));
        }
        Ok(())
    }

    /// What seals the protected fields, its keys exchanged with their file.
    pub fn sealer(&mut self) -> anyhow::Result<Option<Arc<Sealer>>> {
        let personal = &self.config.personal_data;
        let sealer = personal.sealer().context("personal_data.protect_keys")?;
        if let (Some(sealer), Some(keys)) = (&sealer, &personal.protect_keys) {
            let sealer = Arc::clone(sealer);
            self.secrets.watch_lines("personal_data.protect_keys", keys, move |new| {
                SealingKeys::read(new.iter().map(ExposeSecret::expose_secret)).map(|keys| sealer.replace(keys))
            });
        }
        Ok(sealer)
    }

    /// What finds out the ids of the schemas, its password or token exchanged with its file.
    pub fn schema_registry(&mut self) -> anyhow::Result<Option<SchemaRegistry>> {
        let Some(given) = &self.config.kafka.schema_registry else { return Ok(None) };
        let registry = SchemaRegistry::new(given)?;
        for (key, secret) in [("password", &given.password), ("token", &given.token)] {
            if let Some(file) = secret.as_ref().and_then(Secret::file) {
                let credentials = registry.credentials();
                self.secrets.watch(&format!("kafka.schema_registry.{key}"), &[file], move |texts| match texts {
                    [text] if !text.expose_secret().is_empty() => {
                        credentials.replace(text.clone());
                        Ok(())
                    }
                    _ => Err("is empty"),
                });
            }
        }
        Ok(Some(registry))
    }

    /// The conditions of `/startupz` and `/readyz`.
    pub fn health(&mut self) -> &mut Health {
        &mut self.health
    }

    /// Where the metrics are declared.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Where operators find topics, and the ledger once it is open.
    pub fn operators(&mut self, kafka: KafkaSettings, watch: Arc<OnceLock<LedgerWatch>>) {
        self.means.kafka = Some(kafka);
        self.means.watch = Some(watch);
    }

    /// Lets operators send hints to `sink`.
    pub fn operators_hints<S: HintSink>(&mut self, sink: &Arc<S>) {
        let sink = Arc::clone(sink);
        self.means.send = Some(Arc::new(move |key, lane, hint| {
            let sink = Arc::clone(&sink);
            Box::pin(async move { sink.accept(&key, lane, &hint).await })
        }));
    }

    /// The front door on `listener`; its hints go to `sink`.
    pub fn ingest<S: HintSink>(&mut self, listener: TcpListener, sink: &Arc<S>) -> anyhow::Result<()> {
        let clock = Arc::clone(&self.clock);
        let ingest = &self.config.ingest;
        let secrets = &mut self.secrets;
        let doors = self.config.projects.iter().map(|project| door(project, secrets)).collect::<Result<Vec<_>, _>>()?;
        let limits = DoorLimits {
            body_bytes: ingest.body_limit.0 as usize,
            body_timeout: ingest.body_timeout,
            bounds: Bounds {
                requests: ingest.max_in_flight,
                bytes: ingest.max_bytes_in_flight.0 as usize,
                project_share: ingest.project_share,
            },
        };
        let door = Door::new(
            doors,
            TrustedProxies::new(ingest.trusted_proxies.iter().copied()),
            Arc::clone(sink),
            Arc::new(move || clock.now()),
            limits,
            ingest::Metrics::register(&self.registry)?,
        );
        let door = Arc::new(door.traced(self.traces.clone()));
        let asked = Arc::clone(&door);
        self.health.ask(Stage::Ready, "ingest", move || {
            if asked.is_available() { Ok(()) } else { Err("a webhook could not be made durable now".into()) }
        });
        let bound = self.config.drain_timeout / 2;
        let drain = bound.saturating_sub(Duration::from_millis(500));
        let limits = ServerLimits {
            connections: ingest.max_connections,
            header_timeout: ingest.header_timeout,
            linger: (drain / 4).min(Duration::from_secs(1)),
            drain,
        };
        let tls = ingest.tls.as_ref().map(|given| given.tls.clone());
        if let Some(given) = &ingest.tls {
            let tls = given.tls.clone();
            self.secrets.watch("ingest.tls", &[&given.cert_file, &given.key_file], move |texts| match texts {
                [chain, key] => tls.replace(chain.expose_secret(), key),
                _ => Err(InvalidTls::NoKey),
            });
        }
        tracing::info!(address = %listener.local_addr()?, "webhooks are taken in");
        self.parts.add("ingest", bound, move |stop| async move {
            let drained = ingest::serve(listener, tls, door, limits, stop.cancelled_owned()).await;
            anyhow::ensure!(drained.cut_off == 0, "{} connections were cut off", drained.cut_off);
            Ok(())
        });
        Ok(())
    }

    /// The loop over the ledger that `opener` opens; what its sweeps find goes to `sink`.
    pub fn reconciler<O: OpenLedger, S: HintSink>(&mut self, opener: O, sink: &Arc<S>) -> anyhow::Result<()> {
        let source = Arc::new(source(&self.config, &self.clock, &mut self.secrets)?);
        let metrics = Metrics::register(&self.registry)?;
        let (inquiry, asks) = inquiry::channel();
        self.means.inquiry = Some(inquiry);
        self.means.client = Some(Arc::clone(&source));
        let (config, clock, sink) = (Arc::clone(&self.config), Arc::clone(&self.clock), Arc::clone(sink));
        let traces = self.traces.clone();
        let bound = self.config.drain_timeout / 2;
        self.parts.add_apart("reconciler", bound, move |stop| async move {
            let Some(ledger) = opener.open(stop.clone()).await? else { return Ok(()) };
            let rules = config.projects.iter().map(rules).collect();
            let state = State::new(settings(&config), rules, fastrand::Rng::new(), metrics, clock.now());
            let state = state.traced(traces);
            let reconciler = Reconciler::new(ledger, source, sink, clock, state).answering(asks);
            Ok(reconciler.run(stop).await?)
        });
        Ok(())
    }

    /// Runs everything until a signal, then stops it in order. Returns what went wrong.
    pub async fn run(
        mut self,
        admin: TcpListener,
        signal: impl Future<Output = &'static str>,
        hurry: impl Future<Output = &'static str>,
    ) -> anyhow::Result<Vec<PartError>> {
        let budget = self.config.drain_timeout;
        tracing::info!(address = %admin.local_addr()?, "the admin listener is open");
        // After all that makes spans.
        if let Some(exporter) = self.exporter {
            self.parts.add("traces", FLUSH + Duration::from_millis(500), move |stop| async move {
                exporter.run(stop).await;
                Ok(())
            });
        }
        let tokens = self.config.admin.token.as_ref().map(|given| {
            let tokens = Tokens::new(given.wrapped()).context("admin.token")?;
            let shared = tokens.clone();
            self.secrets.watch_lines("admin.token", given, move |new| shared.replace(new));
            anyhow::Ok(tokens)
        });
        let tokens = tokens.transpose()?;
        let (secrets, every, clock) = (self.secrets, self.config.reread_secrets, Arc::clone(&self.clock));
        let metrics = SecretMetrics::register(&self.registry)?;
        self.parts.add("secrets", ADMIN_BOUND, move |stop| secrets.run(metrics, clock, every, stop));
        let health = Arc::new(self.health);
        let (config, role) = (self.config, self.role.as_str());
        let api = Api::new(config, self.clock, role, Arc::clone(&health), self.registry.clone(), self.means);
        let api = Arc::new(api);
        let watched = Arc::clone(&api);
        self.parts.add("series", ADMIN_BOUND, move |stop| watched.watch(stop));
        let router =
            admin::router(health, self.registry).merge(admin::api::routes(api, tokens)).merge(console::router());
        self.parts.add("admin", ADMIN_BOUND, move |stop| async move {
            Ok(admin::serve(admin, router, stop.cancelled_owned()).await?)
        });
        self.drain.set();
        let drain = self.drain;
        let signal = async move {
            let name = signal.await;
            drain.clear("the process is stopping");
            name
        };
        Ok(self.parts.run(budget, signal, hurry).await)
    }

    /// As [`Wiring::run`], until SIGTERM or SIGINT.
    pub async fn run_until_signal(self, admin: TcpListener) -> anyhow::Result<Vec<PartError>> {
        let mut signals = Signals::listen().context("signals cannot be listened to")?;
        let mut hurry = Signals::listen().context("signals cannot be listened to")?;
        let second = async move {
            hurry.next().await;
            hurry.next().await
        };
        self.run(admin, async move { signals.next().await }, second).await
    }
}

/// Opens a listener; the error names the key that is to blame.
pub async fn listen(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{key}: cannot listen on {address}"))
}

fn door(project: &Project, secrets: &mut SecretFiles) -> anyhow::Result<ProjectDoor> {
    let webhook = &project.webhook;
    let at = |method: &str| format!("projects.{}.webhook.{method}", project.id);
    let tokens = webhook.path_tokens.as_ref().map(|tokens| PathTokens::new(tokens.wrapped())).transpose();
    let hmac = webhook.hmac.as_ref().map(signed_body).transpose();
    let standard = webhook.standard_webhooks.as_ref();
    let standard = standard.map(|given| StandardWebhooks::new(given.secrets.wrapped(), given.tolerance)).transpose();
    let methods = Methods {
        source_ip: webhook.source_ip.clone(),
        path_tokens: tokens.with_context(|| at("path_tokens"))?,
        hmac: hmac.with_context(|| at("hmac"))?,
        standard_webhooks: standard.with_context(|| at("standard_webhooks"))?,
        sealed: cipher(project)?,
        unauthenticated: webhook.unauthenticated,
    };
    watch_door(project, &methods, secrets);
    ProjectDoor::new(project.id.clone(), methods).with_context(|| format!("projects.{}.webhook", project.id))
}

/// Has a door's secrets follow their files.
fn watch_door(project: &Project, methods: &Methods, secrets: &mut SecretFiles) {
    let webhook = &project.webhook;
    let at = |method: &str| format!("projects.{}.webhook.{method}", project.id);
    if let (Some(given), Some(tokens)) = (&webhook.path_tokens, methods.path_tokens.clone()) {
        secrets.watch_lines(&at("path_tokens"), given, move |new| tokens.replace(new));
    }
    if let (Some(given), Some(signed)) = (&webhook.hmac, methods.hmac.clone()) {
        secrets.watch_lines(&at("hmac.secrets"), &given.secrets, move |new| signed.replace(new));
    }
    if let (Some(given), Some(standard)) = (&webhook.standard_webhooks, methods.standard_webhooks.clone()) {
        secrets.watch_lines(&at("standard_webhooks.secrets"), &given.secrets, move |new| standard.replace(new));
    }
    watch_cipher(project, methods.sealed.as_ref(), secrets);
}

/// Has a cipher follow the file of its keys, which are the API keys unless it has its own.
fn watch_cipher(project: &Project, cipher: Option<&Arc<argos::Cipher>>, secrets: &mut SecretFiles) {
    let Some(cipher) = cipher.cloned() else { return };
    let (key, given) = match &project.encryption.keys {
        Some(keys) => ("encryption.keys", keys),
        None => ("api_key", &project.api_key),
    };
    let is_api_key = project.encryption.keys.is_none();
    secrets.watch_lines(&format!("projects.{}.{key}", project.id), given, move |new| {
        if is_api_key {
            // A cipher takes keys that no header can carry, and any number of them. Client and ciphers follow together.
            ApiKeys::new(new).map_err(|error| error.to_string())?;
        }
        cipher.replace(new).map_err(|error| error.to_string())
    });
}

/// What opens and seals for a project.
fn cipher(project: &Project) -> anyhow::Result<Option<Arc<argos::Cipher>>> {
    let made = project.encryption.cipher(&project.api_key);
    Ok(made.with_context(|| format!("projects.{}.encryption", project.id))?.map(Arc::new))
}

fn signed_body(given: &Hmac) -> anyhow::Result<SignedBody> {
    let form = if given.timestamped {
        Form::Timestamped { tolerance: given.tolerance }
    } else {
        let encoding = match given.encoding {
            SignatureEncoding::Hex => Encoding::Hex,
            SignatureEncoding::Base64 => Encoding::Base64,
        };
        Form::Plain { encoding, prefix: given.prefix.clone() }
    };
    let header = HeaderName::try_from(&given.header).context("header")?;
    Ok(SignedBody::new(header, form, given.secrets.wrapped())?)
}

pub(crate) fn source(
    config: &Config,
    clock: &Arc<dyn Clock>,
    secrets: &mut SecretFiles,
) -> anyhow::Result<argos::client::Client> {
    let projects = config.projects.iter().map(|project| {
        let asked = asked(config, project)?;
        // The ciphers first, which refuse what the client would: either all follow, or none does.
        watch_cipher(project, asked.cipher.as_ref(), secrets);
        let keys = asked.api_keys.clone();
        let name = format!("projects.{}.api_key", project.id);
        secrets.watch_lines(&name, &project.api_key, move |new| keys.replace(new));
        Ok(asked)
    });
    let projects = projects.collect::<anyhow::Result<Vec<_>>>()?;
    let clock = Arc::clone(clock);
    argos::client::Client::new(projects, Arc::new(move || clock.now()), USER_AGENT).context("the client for ARGOS")
}

/// A project as the client asks it.
pub(crate) fn asked(config: &Config, project: &Project) -> anyhow::Result<argos::Project> {
    let reader = reader(config)?;
    let mut asked = argos::Project::new(
        project.id.clone(),
        project.base_url.clone(),
        ApiKeys::new(project.api_key.wrapped()).with_context(|| format!("projects.{}.api_key", project.id))?,
        reader,
    );
    asked.timeouts = argos::Timeouts {
        connect: project.connect_timeout,
        headers: project.request_timeout,
        body: project.request_timeout,
    };
    asked.max_body = project.response_limit.0 as usize;
    asked.cipher = cipher(project)?;
    asked.list = argos::ListSettings {
        date_format: match project.list.date_format {
            DateFormat::Dashed => argos::DateFormat::Dashed,
            DateFormat::Compact => argos::DateFormat::Compact,
        },
        page_size: project.list.page_size,
        zone_margin: project.list.zone_margin,
    };
    asked.fetch = match project.fetch {
        Fetch::Full => argos::Fetch::Full,
        Fetch::KycAmlOnly => argos::Fetch::KycAmlOnly,
    };
    Ok(asked)
}

fn reader(config: &Config) -> anyhow::Result<argos::reader::Reader> {
    use argos::personal::DigestKey;
    use argos::reader::{Policy, Reader};
    let personal = &config.personal_data;
    let include = personal.include.iter().fold(Policy::NONE, |policy, field| {
        policy.with(match field {
            PersonalField::UserId => Policy::USER_ID,
            PersonalField::Reviewer => Policy::REVIEWER,
            PersonalField::ReasonText => Policy::REASON_TEXT,
        })
    });
    let key = |secret: &crate::config::Secret| DigestKey::new(secret.expose().as_bytes());
    let previous = personal.previous_digest_key.as_ref().map(key).transpose();
    Ok(Reader {
        include,
        digest_key: Some(key(&personal.digest_key).context("personal_data.digest_key")?),
        previous_digest_key: previous.context("personal_data.previous_digest_key")?,
    })
}

fn settings(config: &Config) -> Settings {
    Settings {
        max_in_flight: config.reconciler.max_in_flight,
        commit_interval: config.reconciler.commit_interval,
        commit_max: config.reconciler.commit_max,
        partitioner: Some(publisher::partition::partition_of),
        ..Settings::default()
    }
}

fn rules(project: &Project) -> (String, ProjectRules) {
    let enough = |all: Authentication, method: &NoticeAuthentication| {
        all.with(match method {
            NoticeAuthentication::SourceIp => Authentication::SOURCE_IP,
            NoticeAuthentication::PathToken => Authentication::PATH_TOKEN,
            NoticeAuthentication::Hmac => Authentication::HMAC,
            NoticeAuthentication::Encrypted => Authentication::ENCRYPTED,
        })
    };
    let policy = Policy {
        ladder: project.rechecks.ladder.clone(),
        settle_first: project.rechecks.pending.first,
        settle_cap: project.rechecks.pending.cap,
        settle_for: project.rechecks.pending.within,
        relooks: project.relooks.decided.clone(),
        deletion_confirm_after: project.deletions.confirm_after,
        baseline: match project.baseline {
            Baseline::Snapshots => policy::Baseline::Snapshots { live_since: project.live_since },
            Baseline::Events => policy::Baseline::Events,
        },
        notice_authentication: project.aml.notice_authentication.iter().fold(Authentication::NONE, enough),
        aml_expected: project.aml.expected,
        failure_first: project.failures.first,
        failure_cap: project.failures.cap,
        dead_letter_after: project.failures.dead_letter_after,
        dead_letter_pause: project.failures.dead_letter_pause,
        ..Policy::default()
    };
    let rules = ProjectRules { policy, budget: budget(project), sweeps: sweeps(project) };
    (project.id.as_str().to_owned(), rules)
}

fn budget(project: &Project) -> ProjectBudget {
    ProjectBudget {
        per_second: project.requests_per_second,
        per_day: project.requests_per_day,
        deletions_per_hour: project.deletions.max_per_hour,
        cost: project.fetch.requests_per_look(),
    }
}

fn sweeps(project: &Project) -> SweepRules {
    let cadence = |sweep: &Sweep| Cadence { every: sweep.every, created_within: sweep.created_within };
    let given = &project.sweeps;
    SweepRules {
        recent: cadence(&given.recent),
        month: cadence(&given.month),
        full: cadence(&given.full),
        lag: given.lag,
        stalled_after: given.stalled_after,
        first_walk_share: given.first_walk_share,
        requests_per_second: project.requests_per_second / f64::from(project.fetch.requests_per_look().max(1)),
        ..SweepRules::default()
    }
}

#[cfg(test)]
#[path = "wiring_tests.rs"]
mod tests;
