//! The client's address, as the host and trusted proxies report it.
//!
//! Invariant: a value that a client writes into a header is never taken as its address. Without trusted proxies the
//! address is the peer of the connection. With `n` of them it is the `n`-th entry of `X-Forwarded-For` from the
//! right, which the outermost trusted proxy appended.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;

use crate::base::values::Invalid;

/// The header to which each proxy appends the address of its client.
pub const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of the connection. The host inserts it into a request's extensions: the peer of the socket, or the
/// `sourceIp` of API Gateway's request context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// The client's address. [`identify`] inserts it into a request's extensions, if it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The number of reverse proxies in front of the server that append to `X-Forwarded-For`: 0 to 10.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrustedProxies(u8);

impl TrustedProxies {
    /// No proxy: the peer is the client.
    pub const NONE: Self = Self(0);
    /// The maximum number of proxies.
    pub const MAX: u8 = 10;

    /// Whether there are none.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Returns the client's address for a request of this peer with these headers. If the header has too few entries,
    /// or its entry is not an address, the peer's address is returned.
    pub fn client(self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let Some(position) = usize::from(self.0).checked_sub(1) else { return peer };
        let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().ok()).collect();
        let entries = values.iter().rev().flat_map(|value| value.unwrap_or_default().rsplit(','));
        entries.map(str::trim).nth(position).and_then(address).or(peer)
    }
}

impl FromStr for TrustedProxies {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number = text.parse().ok().filter(|number| *number <= Self::MAX).map(Self);
        number.ok_or_else(|| Invalid::new("The number of trusted proxies is a whole number from 0 to 10."))
    }
}

/// Parses an address with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

/// The network that one client can send from, by which attempts are limited: an IPv4 address, or the /64 of an IPv6
/// address, because a home connection has a whole /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address.
    V6([u16; 4]),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        // An IPv6 socket reports an IPv4 client as ::ffff:192.0.2.1.
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6([a, b, c, d]) => write!(f, "{a:x}:{b:x}:{c:x}:{d:x}::/64"),
        }
    }
}

/// The network that a request comes from, if the host knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientNetwork(pub Option<Network>);

impl<S: Sync> FromRequestParts<S> for ClientNetwork {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ClientAddress>();
        Ok(Self(address.map(|address| address.0.into())))
    }
}

/// The layer that inserts the [`ClientAddress`] into a request's extensions.
pub async fn identify(State(proxies): State<TrustedProxies>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
    if let Some(address) = proxies.client(peer, request.headers()) {
        request.extensions_mut().insert(ClientAddress(address));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PEER: &str = "198.51.100.7";

    fn client(proxies: &str, values: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let proxies: TrustedProxies = proxies.parse().unwrap();
        proxies.client(PEER.parse().ok(), &headers).unwrap().to_string()
    }

    #[test]
    fn the_client_is_the_entry_that_the_outermost_trusted_proxy_appended() {
        for (proxies, values, expected) in [
            ("0", &["203.0.113.1"][..], PEER),
            ("1", &["203.0.113.1"], "203.0.113.1"),
            ("1", &["10.9.9.9, 203.0.113.1"], "203.0.113.1"),
            ("1", &["10.9.9.9", "203.0.113.1"], "203.0.113.1"),
            ("2", &["10.9.9.9, 203.0.113.1, 192.0.2.1"], "203.0.113.1"),
            ("2", &["10.9.9.9,203.0.113.1", "192.0.2.1"], "203.0.113.1"),
            ("1", &["203.0.113.1:4711"], "203.0.113.1"),
            ("1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("1", &["[2001:db8::1]"], "2001:db8::1"),
            ("1", &["2001:db8::1"], "2001:db8::1"),
            ("1", &[], PEER),
            ("2", &["203.0.113.1"], PEER),
            ("1", &["203.0.113.1, unknown"], PEER),
            ("1", &["203.0.113.1,"], PEER),
        ] {
            assert_eq!(client(proxies, values), expected, "{proxies} {values:?}");
        }
    }

    #[test]
    fn without_a_peer_only_a_trusted_proxys_entry_counts() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(FORWARDED_FOR),
            HeaderValue::from_static("203.0.113.1"),
        )]);
        assert_eq!(TrustedProxies::NONE.client(None, &headers), None);
        assert_eq!(TrustedProxies(1).client(None, &headers), "203.0.113.1".parse().ok());
        assert_eq!(TrustedProxies(1).client(None, &HeaderMap::new()), None);
    }

    #[test]
    fn the_number_of_proxies_is_0_to_10() {
        assert_eq!("10".parse(), Ok(TrustedProxies(10)));
        for text in ["", "-1", "11", "256", "one", "1.0", " 1"] {
            assert!(text.parse::<TrustedProxies>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_a_64_bit_ipv6_prefix() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:203.0.113.1"), network("203.0.113.1"));
        assert_ne!(network("203.0.113.1"), network("203.0.113.2"));
        assert_eq!(network("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
        assert_eq!(network("203.0.113.1").to_string(), "203.0.113.1");
    }
}
