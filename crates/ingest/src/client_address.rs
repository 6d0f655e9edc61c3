//! Where a caller really is, when proxies stand in between.
//!
//! Owns the reading of `X-Forwarded-For` and `Forwarded` (RFC 7239). Must not know what the address is used for. Pure.
//!
//! Path: [`TrustedProxies::client`] starts at the peer and walks the hops from the right, as long as each was reported
//! by a proxy that the operator trusts. What a caller writes into these headers stands further left and is never
//! reached. Whatever cannot be read makes the address unknown, never somebody else's.

use crate::authenticate::{canonical, contains};
use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The networks of the proxies whose word on the hop before them is taken.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// From the operator's list; empty = the peer is the caller.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> TrustedProxies {
        TrustedProxies(networks.into_iter().map(canonical).collect())
    }

    /// The right-most address that is not a trusted proxy; the left-most one if all are. `None` = it cannot be told.
    ///
    /// A proxy that writes one of the two headers may pass a forged other one on. So if both are there, they must
    /// agree.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if !contains(&self.0, peer) {
            return Some(peer);
        }
        let listed = headers.contains_key(X_FORWARDED_FOR).then(|| self.walk(peer, forwarded_for(headers)));
        let described = headers.contains_key(FORWARDED).then(|| self.walk(peer, forwarded(headers)));
        match (listed, described) {
            (Some(one), Some(other)) => one.filter(|_| one == other),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => Some(peer),
        }
    }

    /// Goes through the hops from the right. An unreadable one ends the walk without an answer.
    fn walk(&self, peer: IpAddr, hops_from_the_right: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut last = peer;
        for hop in hops_from_the_right {
            last = hop?.to_canonical();
            if !contains(&self.0, last) {
                return Some(last);
            }
        }
        Some(last)
    }
}

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED: &str = "forwarded";

fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    lines_from_the_right(headers, X_FORWARDED_FOR).flat_map(|line| match line {
        Some(line) => line.rsplit(',').map(|hop| address(hop.trim())).collect(),
        None => vec![None],
    })
}

fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    lines_from_the_right(headers, FORWARDED).flat_map(|line| match line.and_then(|line| split(line, ',')) {
        Some(elements) => elements.into_iter().rev().map(forwarded_element).collect(),
        None => vec![None],
    })
}

/// A header may come as several lines, which read as one list.
fn lines_from_the_right<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = Option<&'a str>> {
    let lines: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
    lines.into_iter().rev().map(|line| line.to_str().ok())
}

/// The address after `for=` in one element of `Forwarded`. Two of them are one too many.
fn forwarded_element(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in split(element, ';')? {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    let node = found?;
    let node = match node.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => node,
    };
    address(node)
}

/// Splits outside of quotes. `None` if a quote is not closed, or something is escaped: no address needs that.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut quoted = false;
    let mut start = 0;
    for (index, char) in text.char_indices() {
        match char {
            '\\' => return None,
            '"' => quoted = !quoted,
            _ if char == separator && !quoted => {
                parts.push(&text[start..index]);
                start = index + char.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse::<SocketAddr>().ok().map(|socket| socket.ip())
}

#[cfg(test)]
#[path = "client_address_tests.rs"]
mod tests;
