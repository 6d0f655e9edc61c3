//! The two protocols on one port, and a connection used more than once.

use crate::harness::{APPROVED, PATIENCE, Server, post};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

#[tokio::test]
async fn one_connection_carries_many_requests_of_http_1() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(post("/webhooks/open", APPROVED)).await;
        assert_eq!(client.answer().await.status, 200);
    }
    client.send(post("/webhooks/open", "[]")).await;
    assert_eq!(client.answer().await.status, 400, "a refused body does not spoil the connection");
    client.send(post("/webhooks/open", APPROVED)).await;
    assert_eq!(client.answer().await.status, 200);
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A header field without indexing and without Huffman coding (RFC 7541, section 6.2.2), its name by static index.
fn field(name_index: u8, value: &str) -> Vec<u8> {
    [&[name_index, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

#[tokio::test]
async fn http_2_in_clear_text_with_prior_knowledge() {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    // Static table (RFC 7541, appendix A): 0x83 = :method POST, 0x86 = :scheme http, 4 = :path, 1 = :authority.
    let fields = [&[0x83, 0x86][..], &field(4, "/webhooks/open"), &field(1, "relay.example")].concat();

    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send(frame(SETTINGS, 0, 0, &[])).await;
    client.send(frame(HEADERS, END_HEADERS, 1, &fields)).await;
    client.send(frame(DATA, END_STREAM, 1, APPROVED.as_bytes())).await;

    let answer = async {
        loop {
            let mut head = [0; 9];
            client.0.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            client.0.read_exact(&mut payload).await.unwrap();
            if head[3] == HEADERS {
                return payload;
            }
        }
    };
    let payload = timeout(PATIENCE, answer).await.unwrap();
    // 0x88 = :status 200.
    assert_eq!(payload.first(), Some(&0x88));
    assert_eq!(server.count("open", "accepted"), 1);
}
