//! Servers on the loopback address that answer every request the same way.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server saw of one request: path with query, headers by name.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) api_key: String,
    pub(crate) user_agent: String,
}

/// Answers every request the same way; keeps what it saw.
pub(crate) async fn server(
    status: u16,
    headers: &[(&str, &str)],
    body: &'static str,
) -> (SocketAddr, Arc<Mutex<Vec<Seen>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let app = Router::new().fallback(move |request: Request| {
        let header = |name: &str| {
            let value = request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            value.unwrap_or_default()
        };
        let target = request.uri().to_string();
        log.lock().unwrap().push(Seen { target, api_key: header("x-api-key"), user_agent: header("user-agent") });
        let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
        for (name, value) in &headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            answer.headers_mut().insert(name, value.parse().unwrap());
        }
        std::future::ready(answer)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, seen)
}

/// What a server that answers by the query is asked.
pub(crate) struct Asked {
    /// Path with query.
    pub(crate) target: String,
    /// The query's parameters.
    pub(crate) pairs: Vec<(String, String)>,
}

/// Answers each request with what `answer` makes of it: status and body.
pub(crate) async fn answering(answer: impl Fn(Asked) -> (u16, String) + Send + Sync + 'static) -> SocketAddr {
    let answer = Arc::new(answer);
    let app = Router::new().fallback(move |request: Request| {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let pairs = url::form_urlencoded::parse(query).into_owned().collect();
        let (status, body) = answer(Asked { target: request.uri().to_string(), pairs });
        std::future::ready((StatusCode::from_u16(status).unwrap(), body).into_response())
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// After a request: these bytes, then silence with the connection open, or its end.
pub(crate) async fn raw_server(answer: Vec<u8>, stay_open: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open: Vec<TcpStream> = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            // The client may hang up while we write: that is what some tests are about.
            let _ = stream.write_all(&answer).await;
            if stay_open {
                open.push(stream);
            }
        }
    });
    address
}
