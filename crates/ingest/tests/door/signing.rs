//! A gateway that signs: the header lines it would send.

use crate::harness::{NOW, SIGNING_KEY};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The time of every test, in whole seconds.
pub(crate) const SECONDS: i64 = NOW / 1000;

/// The line of a plain signature.
pub(crate) fn signed(body: &str) -> String {
    format!("x-signature: sha256={}\r\n", hex::encode(code("", body)))
}

/// The line of a signature with its time.
pub(crate) fn timed(seconds: i64, body: &str) -> String {
    format!("x-signature: t={seconds},v1={}\r\n", hex::encode(code(&format!("{seconds}."), body)))
}

/// The lines of Standard Webhooks.
pub(crate) fn standard(seconds: i64, body: &str) -> String {
    let code = BASE64_STANDARD.encode(code(&format!("msg_1.{seconds}."), body));
    format!("webhook-id: msg_1\r\nwebhook-timestamp: {seconds}\r\nwebhook-signature: v1,{code}\r\n")
}

fn code(before: &str, body: &str) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(SIGNING_KEY.as_bytes()).unwrap();
    mac.chain_update(before).chain_update(body).finalize().into_bytes().into()
}
