use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const PROXY: &str = "10.0.0.1";

fn proxies() -> TrustedProxies {
    TrustedProxies::new(["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const XFF: &str = X_FORWARDED_FOR;
const FWD: &str = FORWARDED;

/// What a trusted proxy's header lines tell.
fn told(lines: &[(&str, &str)]) -> Option<String> {
    let found = proxies().client(ip(PROXY), &headers(lines));
    found.map(|address| address.to_string())
}

#[test]
fn the_headers_of_a_stranger_are_ignored() {
    for lines in [&[][..], &[(XFF, "203.0.113.10")], &[(FWD, "for=203.0.113.10")]] {
        for peer in ["198.51.100.1", "::ffff:198.51.100.1"] {
            let found = proxies().client(ip(peer), &headers(lines));
            assert_eq!(found, Some(ip("198.51.100.1")), "{peer} {lines:?}");
        }
    }
}

#[test]
fn the_right_most_untrusted_hop_counts() {
    let v4: &[&[(&str, &str)]] = &[
        &[(XFF, "203.0.113.10")],
        &[(XFF, "203.0.113.10:4711")],
        &[(XFF, "1.1.1.1, 203.0.113.10 , 10.2.3.4")],
        &[(XFF, "1.1.1.1"), (XFF, "203.0.113.10"), (XFF, "10.9.9.9, 10.8.8.8")],
        &[(XFF, "::ffff:203.0.113.10")],
        &[(FWD, "for=203.0.113.10;proto=https;by=10.0.0.1")],
        &[(FWD, "For=\"203.0.113.10:4711\"; host=\"a,b;c\"")],
        &[(FWD, "for=1.1.1.1, for=203.0.113.10, for=10.5.5.5")],
        &[(FWD, "for=203.0.113.10"), (XFF, "1.1.1.1, 203.0.113.10")],
    ];
    for lines in v4 {
        assert_eq!(told(lines).as_deref(), Some("203.0.113.10"), "{lines:?}");
    }
    let v6: &[&[(&str, &str)]] = &[
        &[(XFF, "2001:db8::7")],
        &[(XFF, "[2001:db8::7]:443, fd00::2")],
        &[(FWD, "for=\"[2001:db8::7]:4711\"")],
        &[(FWD, "for=\"[2001:db8::7]\"")],
    ];
    for lines in v6 {
        assert_eq!(told(lines).as_deref(), Some("2001:db8::7"), "{lines:?}");
    }
}

#[test]
fn where_only_proxies_are_told_of_the_outermost_counts() {
    assert_eq!(told(&[(XFF, "10.3.3.3, 10.2.2.2")]).as_deref(), Some("10.3.3.3"));
    assert_eq!(told(&[]).as_deref(), Some(PROXY));
}

#[test]
fn what_cannot_be_read_makes_the_address_unknown() {
    let unreadable: &[&[(&str, &str)]] = &[
        &[(FWD, "for=203.0.113.10"), (XFF, "203.0.113.11")],
        &[(XFF, "")],
        &[(XFF, "203.0.113.10,")],
        &[(XFF, "203.0.113.10, unknown")],
        &[(XFF, "203.0.113.10, é")],
        &[(FWD, "for=unknown")],
        &[(FWD, "for=_hidden")],
        &[(FWD, "by=10.0.0.1")],
        &[(FWD, "for=203.0.113.10;for=203.0.113.11")],
        &[(FWD, "for=\"203.0.113.10")],
        &[(FWD, "for=\"203.0.113\\.10\"")],
        &[(FWD, "203.0.113.10")],
    ];
    for lines in unreadable {
        assert_eq!(told(lines), None, "{lines:?}");
    }
}

#[test]
fn without_trusted_proxies_the_peer_is_the_client() {
    let lines = headers(&[("x-forwarded-for", "203.0.113.10"), ("forwarded", "for=203.0.113.10")]);
    assert_eq!(TrustedProxies::default().client(ip(PROXY), &lines), Some(ip(PROXY)));
}

/// Any address that is not one of our proxies'.
fn stranger() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_filter("not a proxy", |bytes| bytes[0] != 10).prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(|bytes| IpAddr::from(bytes).to_canonical()).prop_filter("not a proxy", |address| {
            match address {
                IpAddr::V4(v4) => v4.octets()[0] != 10,
                IpAddr::V6(v6) => v6.octets()[0] != 0xfd,
            }
        }),
    ]
}

fn for_pair(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("for={v4}"),
        IpAddr::V6(v6) => format!("for=\"[{v6}]\""),
    }
}

proptest! {
    /// Whatever a caller writes into the header, the proxies append its true address to the right of it.
    #[test]
    fn a_forged_prefix_changes_nothing(
        forged in "[ -~]{0,60}",
        client in stranger(),
        inner in vec(any::<[u8; 3]>(), 0..4),
    ) {
        let inner: Vec<IpAddr> = inner.into_iter().map(|[a, b, c]| IpAddr::from([10, a, b, c])).collect();
        let hops = || std::iter::once(client).chain(inner.iter().copied());

        let list: Vec<String> = std::iter::once(forged.clone()).chain(hops().map(|hop| hop.to_string())).collect();
        let lines = headers(&[("x-forwarded-for", &list.join(", "))]);
        prop_assert_eq!(proxies().client(ip(PROXY), &lines), Some(client));

        // A proxy may also append a line of its own.
        let described: Vec<String> = hops().map(for_pair).collect();
        let lines = headers(&[("forwarded", forged.as_str()), ("forwarded", &described.join(", "))]);
        prop_assert_eq!(proxies().client(ip(PROXY), &lines), Some(client));
    }

    /// Appended to the same line, an open quote can at most hide the address, never forge one.
    #[test]
    fn a_forged_prefix_of_forwarded_never_yields_another_address(forged in "[ -~]{0,60}", client in stranger()) {
        let line = format!("{forged}, {}", for_pair(client));
        let found = proxies().client(ip(PROXY), &headers(&[("forwarded", &line)]));
        prop_assert!(found.is_none() || found == Some(client), "{:?}", found);
    }

    #[test]
    fn any_bytes_from_a_trusted_peer_are_read_without_panic(one in vec(any::<u8>(), 0..40), other in vec(any::<u8>(), 0..40)) {
        let mut lines = HeaderMap::new();
        for (name, bytes) in [(X_FORWARDED_FOR, &one), (FORWARDED, &other)] {
            if let Ok(value) = HeaderValue::from_bytes(bytes) {
                lines.append(name, value);
            }
        }
        proxies().client(ip(PROXY), &lines);
        prop_assert_eq!(proxies().client(ip("198.51.100.1"), &lines), Some(ip("198.51.100.1")));
    }
}
