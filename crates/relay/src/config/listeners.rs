//! The two listeners: `[ingest]`, which ARGOS calls, and `[admin]`, which only operators and probes may reach.

use super::durations::{self, ByteSize};
use super::read::Section;
use ipnet::IpNet;
use serde::Serialize;
use std::net::SocketAddr;
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
        };
        let sizes = ByteSize(1024)..=ByteSize::mebibytes(64);
        section.check("body_limit", sizes.contains(&ingest.body_limit), "must be from 1KiB to 64MiB");
        for (key, span) in [("header_timeout", ingest.header_timeout), ("body_timeout", ingest.body_timeout)] {
            let fits = (Duration::from_millis(100)..=Duration::from_mins(5)).contains(&span);
            section.check(key, fits, "must be from 100ms to 5m");
        }
        section.check("max_connections", ingest.max_connections > 0, "must be at least 1");
        if ingest.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
            section.warn("trusted_proxies", "trusts everybody: any caller can claim any source address");
        }
        ingest
    }
}

/// The listener for probes, metrics and operators. It has no authentication: never make it public.
#[derive(Clone, Debug, Serialize)]
pub struct Admin {
    /// Where it listens. Default `127.0.0.1:9464`.
    pub listen: SocketAddr,
}

impl Admin {
    pub(super) fn read(mut section: Section<'_>, ingest: &Ingest) -> Admin {
        let admin = Admin { listen: section.or("listen", SocketAddr::from(([127, 0, 0, 1], 9464))) };
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
