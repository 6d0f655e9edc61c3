//! The two listeners: `[ingest]`, which ARGOS calls, and `[admin]`, which only operators and probes may reach.

use super::durations::{self, ByteSize};
use super::read::Section;
use super::secret::Secrets;
use crate::admin::guard::Tokens;
use ingest::tls::InvalidTls;
use ipnet::IpNet;
use secrecy::ExposeSecret;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The public listener for webhooks.
#[derive(Clone, Debug, Serialize)]
pub struct Ingest {
    /// Where it listens. Default `0.0.0.0:8080`.
    pub listen: SocketAddr,
    /// Networks of the proxies in front. Only through these is `X-Forwarded-For` believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest body that is read. Default 1 MiB.
    pub body_limit: ByteSize,
    /// A caller must have sent its headers within this time. Default 5 s.
    #[serde(serialize_with = "durations::duration")]
    pub header_timeout: Duration,
    /// A caller must have sent its body within this time. Default 10 s.
    #[serde(serialize_with = "durations::duration")]
    pub body_timeout: Duration,
    /// Connections open at the same time; what comes on top waits to be accepted. Default 4,096.
    pub max_connections: usize,
    /// Webhooks between admission and answer at the same time; what comes on top is answered 429. Default 2,048.
    pub max_in_flight: usize,
    /// Bytes of their bodies, announced or kept; what comes on top is answered 429. Default 64 MiB.
    pub max_bytes_in_flight: ByteSize,
    /// The part of these two bounds that is set aside, in equal parts, one for each project; the rest is for whoever
    /// comes first. So no project's flood takes the whole. Default 0.5.
    pub project_share: f64,
    /// TLS on this listener. Default: none; a proxy in front ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
}

/// TLS of the public listener; both files are read again when they change.
#[derive(Clone, Debug, Serialize)]
pub struct ListenerTls {
    /// The chain in PEM, the server's own certificate first.
    pub cert_file: PathBuf,
    /// Its private key in PEM, not encrypted.
    pub key_file: PathBuf,
    /// Both, as read.
    #[serde(skip)]
    pub tls: ingest::Tls,
}

impl ListenerTls {
    fn read(parent: &mut Section<'_>) -> Option<ListenerTls> {
        let mut section = parent.optional_section("tls")?;
        let cert_file = section.required::<String>("cert_file").map(|name| section.base().join(name));
        let key_file = section.required::<String>("key_file").map(|name| section.base().join(name));
        let (cert_file, key_file) = (cert_file?, key_file?);
        let chain = section.read_secret("cert_file", &cert_file);
        let key = section.read_secret("key_file", &key_file);
        match ingest::Tls::new(chain?.expose_secret(), &key?) {
            Ok(tls) => Some(ListenerTls { cert_file, key_file, tls }),
            Err(error) => {
                let key = if matches!(error, InvalidTls::NoCertificate) { "cert_file" } else { "key_file" };
                section.wrong(key, error.to_string());
                None
            }
        }
    }
}

impl Ingest {
    pub(super) fn read(mut section: Section<'_>) -> Ingest {
        let ingest = Ingest {
            listen: section.or("listen", SocketAddr::from(([0, 0, 0, 0], 8080))),
            trusted_proxies: section.or("trusted_proxies", Vec::new()),
            body_limit: section.or("body_limit", ByteSize::mebibytes(1)),
            header_timeout: section.or("header_timeout", Duration::from_secs(5)),
            body_timeout: section.or("body_timeout", Duration::from_secs(10)),
            max_connections: section.or("max_connections", 4_096),
            max_in_flight: section.or("max_in_flight", 2_048),
            max_bytes_in_flight: section.or("max_bytes_in_flight", ByteSize::mebibytes(64)),
            project_share: section.or("project_share", 0.5),
            tls: ListenerTls::read(&mut section),
        };
        let sizes = ByteSize(1024)..=ByteSize::mebibytes(64);
        section.check("body_limit", sizes.contains(&ingest.body_limit), "must be from 1KiB to 64MiB");
        for (key, span) in [("header_timeout", ingest.header_timeout), ("body_timeout", ingest.body_timeout)] {
            let fits = (Duration::from_millis(100)..=Duration::from_mins(5)).contains(&span);
            section.check(key, fits, "must be from 100ms to 5m");
        }
        section.check("max_connections", ingest.max_connections > 0, "must be at least 1");
        section.check("max_in_flight", ingest.max_in_flight > 0, "must be at least 1");
        section.check(
            "max_bytes_in_flight",
            ingest.max_bytes_in_flight >= ingest.body_limit,
            "must be at least body_limit: no such body could be taken",
        );
        let share = (0.0..=1.0).contains(&ingest.project_share);
        section.check("project_share", share, "must be from 0 to 1");
        if ingest.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
            section.warn("trusted_proxies", "trusts everybody: any caller can claim any source address");
        }
        ingest
    }

    /// Whether each of so many projects has room for a body of its own, whatever the others do, where that is wanted.
    pub(super) fn gives_room_to(&self, projects: usize) -> bool {
        // Mistakes of their own, and told as such.
        let is_wrong = self.max_in_flight == 0 || self.max_bytes_in_flight < self.body_limit;
        if is_wrong || self.project_share <= 0.0 {
            return true;
        }
        let own = |bound: f64| bound * self.project_share / projects.max(1) as f64;
        own(self.max_bytes_in_flight.0 as f64) >= self.body_limit.0 as f64 && own(self.max_in_flight as f64) >= 1.0
    }
}

/// The listener for probes, metrics and operators: never make it public.
#[derive(Clone, Debug, Serialize)]
pub struct Admin {
    /// Where it listens. Default `127.0.0.1:9464`.
    pub listen: SocketAddr,
    /// What operators have to show for `/api/v1`. Default: nothing; then everybody who reaches the listener is one.
    #[serde(serialize_with = "as_one_of", skip_serializing_if = "Option::is_none")]
    pub token: Option<Secrets>,
}

#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn as_one_of<S: serde::Serializer>(token: &Option<Secrets>, out: S) -> Result<S::Ok, S::Error> {
    match token {
        Some(token) => super::secret::as_one(token, out),
        None => out.serialize_none(),
    }
}

impl Admin {
    pub(super) fn read(mut section: Section<'_>, ingest: &Ingest) -> Admin {
        let listen = section.or("listen", SocketAddr::from(([127, 0, 0, 1], 9464)));
        let admin = Admin { listen, token: section.optional_lines("token") };
        if let Some(Err(error)) = admin.token.as_ref().map(|token| Tokens::new(token.wrapped())) {
            section.wrong("token", error.to_string());
        }
        section.check(
            "listen",
            !overlap(admin.listen, ingest.listen),
            "is the address of ingest.listen too: the public listener has no admin routes",
        );
        admin
    }
}

/// Whether both cannot be bound at the same time. Port 0 is a free port each time.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_host = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && same_host
}
