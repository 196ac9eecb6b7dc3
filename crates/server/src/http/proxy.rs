//! Where a request comes from.
//!
//! Invariant: a header counts only when a trusted proxy sent it, and only as far back as trusted proxies wrote it: the address is the
//! right-most one that is not a trusted proxy's. What a client writes in front of that, or in the header that the proxies do not write,
//! is never looked at.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, request::Parts},
};
use ipnet::IpNet;

use crate::config::{Forwarded, Http};

/// Hops that are followed: more proxies stand in no row.
const MAX_HOPS: usize = 16;

/// The client's address. A request that came over no connection is this machine's.
#[must_use]
pub fn client(parts: &Parts, http: &Http) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip().to_canonical());
    behind(peer, &parts.headers, &http.trusted_proxies, http.forwarded)
}

fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], header: Forwarded) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    let mut hops = hops(headers, header);
    for _ in 0..MAX_HOPS {
        if !is_trusted(&client) {
            break;
        }
        match hops.next() {
            // What is no address was not written by the proxy, which is then the nearest that is known.
            Some(Some(address)) => client = address,
            Some(None) | None => break,
        }
    }
    client
}

/// Addresses in the header that the proxies write, the nearest first; `None` where there is something else.
fn hops(headers: &HeaderMap, header: Forwarded) -> Box<dyn Iterator<Item = Option<IpAddr>> + '_> {
    let items = |name| {
        let values = headers.get_all(name).iter().collect::<Vec<_>>();
        values.into_iter().rev().flat_map(|value| value.to_str().unwrap_or_default().rsplit(','))
    };
    match header {
        Forwarded::XForwardedFor => Box::new(items("x-forwarded-for").map(address)),
        Forwarded::Forwarded => Box::new(items("forwarded").map(|item| {
            let pairs = item.split(';').filter_map(|pair| pair.split_once('='));
            let node = pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
            node.and_then(|(_, node)| address(node))
        })),
    }
}

/// `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]:80`, quoted or not.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, headers: &[(&'static str, &str)]) -> String {
        by(Forwarded::XForwardedFor, peer, headers)
    }

    fn by(header: Forwarded, peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        behind(peer.parse().unwrap(), &map, &trusted, header).to_string()
    }

    #[test]
    fn what_a_client_says_about_itself_is_not_believed() {
        assert_eq!(from("192.0.2.7", &[("x-forwarded-for", "203.0.113.1")]), "192.0.2.7");
        assert_eq!(from("192.0.2.7", &[("forwarded", "for=203.0.113.1")]), "192.0.2.7");
        // The client wrote the first two; the proxy added whom it saw.
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", "203.0.113.1, 10.0.0.9, 192.0.2.7")]), "192.0.2.7");
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", "10.0.0.9"), ("x-forwarded-for", "192.0.2.7")]), "192.0.2.7");
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", "192.0.2.7, unknown")]), "10.0.0.1");
        let both = [("forwarded", "for=203.0.113.1"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(from("10.0.0.1", &both), "192.0.2.7");
        assert_eq!(by(Forwarded::Forwarded, "10.0.0.1", &both), "203.0.113.1");
        assert_eq!(by(Forwarded::Forwarded, "10.0.0.1", &both[1..]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &both[..1]), "10.0.0.1");
    }

    #[test]
    fn trusted_proxies_in_a_row_are_seen_through() {
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", "192.0.2.7, 10.1.1.1, 10.2.2.2")]), "192.0.2.7");
        assert_eq!(
            by(
                Forwarded::Forwarded,
                "10.0.0.1",
                &[("forwarded", "for=\"[2001:db8::1]:4711\";proto=https, for=10.2.2.2")]
            ),
            "2001:db8::1"
        );
        assert_eq!(from("fd00::1", &[("x-forwarded-for", "192.0.2.7:5000")]), "192.0.2.7");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        let long = vec!["10.0.0.2"; 1_000].join(",");
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", &long)]), "10.0.0.2");
    }
}
