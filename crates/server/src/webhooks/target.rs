//! Where messages may go. Its one invariant: a connection is opened to an address of the public internet and to nothing else, whatever a
//! name resolves to at that moment; so nobody has this machine ask its own network something.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::net::lookup_host;

use crate::config::Webhooks;

/// Characters of an address.
const MAX_URL: usize = 2048;

/// What is special or somebody's own (IANA's registry of IPv4 special-purpose addresses, RFC 6890), multicast, and the host of Azure's
/// machines, which stands among the public ones.
const NOT_PUBLIC_4: [Ipv4Net; 16] = [
    net4(0, 0, 0, 0, 8),
    net4(10, 0, 0, 0, 8),
    net4(100, 64, 0, 0, 10),
    net4(127, 0, 0, 0, 8),
    net4(168, 63, 129, 16, 32),
    net4(169, 254, 0, 0, 16),
    net4(172, 16, 0, 0, 12),
    net4(192, 0, 0, 0, 24),
    net4(192, 0, 2, 0, 24),
    net4(192, 88, 99, 0, 24),
    net4(192, 168, 0, 0, 16),
    net4(198, 18, 0, 0, 15),
    net4(198, 51, 100, 0, 24),
    net4(203, 0, 113, 0, 24),
    net4(224, 0, 0, 0, 4),
    net4(240, 0, 0, 0, 4),
];

/// What is given out to the world at all; mapped and translated IPv4, link-local, unique local and multicast are elsewhere.
const GLOBAL_6: Ipv6Net = net6([0x2000, 0], 3);

/// Of that, protocols (Teredo among them), documentation, and what carries IPv4 (6to4).
const NOT_PUBLIC_6: [Ipv6Net; 4] =
    [net6([0x2001, 0], 23), net6([0x2001, 0xdb8], 32), net6([0x2002, 0], 16), net6([0x3fff, 0], 20)];

const fn net4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn net6([a, b]: [u16; 2], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

/// Whether an address is of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => GLOBAL_6.contains(&address) && !NOT_PUBLIC_6.iter().any(|net| net.contains(&address)),
    }
}

/// Reads where an endpoint is; a sentence where that cannot be.
pub(super) fn parse(text: &str, settings: Webhooks) -> Result<Url, &'static str> {
    if text.len() > MAX_URL {
        return Err("an address has at most 2048 characters");
    }
    let url = Url::parse(text).map_err(|_| "this is not an address: write it as https://example.com/hooks")?;
    match url.scheme() {
        "https" => {}
        "http" if settings.allow_http => {}
        _ => return Err("an address begins with https://"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address has no user and no password: messages are signed");
    }
    if url.fragment().is_some() {
        return Err("an address has no fragment: it would not be sent");
    }
    // Written out it may be longer, and that is what is kept.
    if url.as_str().len() > MAX_URL {
        return Err("an address has at most 2048 characters, in which it is written as it is sent");
    }
    // As the URL standard reads a host: 0x7f.1 is 127.0.0.1.
    let host = url.host_str().ok_or("an address has a host")?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if literal.is_ok_and(|address| !settings.allow_private_addresses && !is_public(address)) {
        return Err("the host is not a public address");
    }
    Ok(url)
}

/// Resolves names to public addresses.
pub(super) struct PublicOnly;

/// A name has no public address.
#[derive(Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the host has no public address")
    }
}

impl Error for NotPublic {}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port of the address is kept where this one is 0.
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether a request failed because its host has no public address.
pub(super) fn is_not_public(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STRICT: Webhooks = Webhooks { allow_http: false, allow_private_addresses: false };

    #[test]
    fn only_addresses_of_the_public_internet_are_reached() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in
            ["1.1.1.1", "100.63.255.255", "172.32.0.1", "192.0.1.1", "223.255.255.255", "2606:4700::1111", "2a00::1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn an_endpoint_is_a_safe_address() {
        for safe in ["https://example.com/hooks?key=1", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"] {
            assert!(parse(safe, STRICT).is_ok(), "{safe}");
        }
        for unsafe_one in [
            "",
            "example.com",
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://user@example.com/",
            "https://:password@example.com/",
            "https://example.com/#part",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[fd00:ec2::254]/",
            "https://１２７.0.0.1/",
        ] {
            assert!(parse(unsafe_one, STRICT).is_err(), "{unsafe_one}");
        }
        let open = Webhooks { allow_http: true, allow_private_addresses: true };
        assert!(parse("http://127.0.0.1:9/", open).is_ok());
        assert!(parse("http://user@127.0.0.1:9/", open).is_err());
    }

    proptest! {
        #[test]
        fn no_way_to_write_a_private_address_is_taken(number in any::<u32>()) {
            let address = Ipv4Addr::from(number);
            let [a, b, c, d] = address.octets();
            let mapped = format!("https://[{}]/", address.to_ipv6_mapped());
            let ways = [format!("https://{address}/"), format!("https://{number}/"), format!("https://{number:#x}/"),
                format!("https://{a:#o}.{b}.{}/", u16::from(c) * 256 + u16::from(d)).replace("0o", "0")];
            for way in ways {
                prop_assert_eq!(parse(&way, STRICT).is_ok(), is_public(address.into()), "{}", way);
            }
            prop_assert!(parse(&mapped, STRICT).is_err());
        }
    }
}
