//! A replica's admin listener, asked by a command.
//!
//! Owns: where it is, the token, and which failure is which exit code. Must not know: what is asked. Plain HTTP: the
//! listener speaks nothing else; it is reached through a port-forward or from within the cluster.

use super::support::Ended;
use crate::cli::AdminAt;
use crate::config::{Config, read_secret_file, secret_lines};
use anyhow::{Context, anyhow};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A listener that is there takes a connection within this time.
const CONNECT: Duration = Duration::from_secs(3);
/// An answer may need a scan of topics, behind another one.
const ANSWER: Duration = Duration::from_mins(1);
/// The largest answer that is read.
const LARGEST: usize = 64 * 1024 * 1024;

/// Why there is no answer.
pub(super) enum Refused {
    /// Nobody listens there, or nobody answers.
    Away(anyhow::Error),
    /// It answered, and not with what was asked for.
    Ended(Ended),
}

impl From<Refused> for Ended {
    fn from(refused: Refused) -> Ended {
        match refused {
            Refused::Away(error) => Ended::Unreachable(error),
            Refused::Ended(ended) => ended,
        }
    }
}

/// One listener.
pub(super) struct Replica {
    /// `host:port`.
    authority: String,
    token: Option<SecretString>,
}

impl Replica {
    /// As the arguments say, else as the configuration does.
    pub(super) fn new(arguments: &AdminAt, config: &Config) -> Result<Replica, Ended> {
        let authority = if let Some(url) = &arguments.admin {
            let wrong = || Ended::Usage(format!("--admin: {url:?} is no address like http://127.0.0.1:9464"));
            let plain = url.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
            if plain.is_empty() || plain.contains('/') { Err(wrong()) } else { Ok(plain.to_owned()) }?
        } else {
            let mut listen = config.admin.listen;
            // Whoever listens everywhere listens here too.
            match listen.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
                IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
                _ => {}
            }
            listen.to_string()
        };
        let authority = if authority.contains(':') { authority } else { format!("{authority}:80") };
        let token = match &arguments.token_file {
            Some(file) => {
                let text = read_secret_file(file).map_err(|why| Ended::Usage(format!("--token-file: {why}")))?;
                secret_lines(text.expose_secret()).into_iter().next()
            }
            None => config.admin.token.as_ref().and_then(|token| token.wrapped().first().cloned()),
        };
        Ok(Replica { authority, token })
    }

    /// Where it is, for messages.
    pub(super) fn at(&self) -> &str {
        &self.authority
    }

    /// One GET.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refused> {
        let stream = timeout(CONNECT, TcpStream::connect(&self.authority)).await;
        let stream = stream.map_err(anyhow::Error::from).and_then(|connected| Ok(connected?));
        let stream = stream.map_err(|error| Refused::Away(error.context(self.nobody())))?;
        let answered = timeout(ANSWER, self.answer(stream, path)).await;
        let answered = answered.map_err(anyhow::Error::from).flatten();
        let (status, body) = answered.map_err(|error| Refused::Away(error.context(self.nobody())))?;
        if status != StatusCode::OK {
            return Err(Refused::Ended(self.refused(status, &body)));
        }
        let read = serde_json::from_slice(&body).context("the answer is not what this version expects");
        read.map_err(|error| Refused::Ended(Ended::Failed(error)))
    }

    fn nobody(&self) -> String {
        format!("no replica answers at {}", self.authority)
    }

    async fn answer(&self, stream: TcpStream, path: &str) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the exchange.
        let connection = tokio::spawn(connection);
        let mut request = Request::get(path).header(header::HOST, &self.authority);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        }
        let response = sender.send_request(request.body(Body::empty())?).await?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), LARGEST).await?.to_vec();
        connection.abort();
        Ok((status, body))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Ended {
        let told: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let message = told["error"]["message"].as_str().unwrap_or("it does not say why");
        let text = format!("{} answers {status}: {message}", self.authority);
        match status {
            StatusCode::UNAUTHORIZED => Ended::Usage(format!("{text} (--token-file)")),
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => Ended::Usage(text),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Ended::Unreachable(anyhow!(text)),
            _ => Ended::Failed(anyhow!(text)),
        }
    }
}
