//! Where a request comes from: the other end of the connection or, where that is a proxy that we trust, what
//! it says of its own other end. Nobody else's word counts, or an address could be claimed.

use std::net::IpAddr;

use actix_web::{HttpRequest, web};
use ipnet::IpNet;

use crate::App;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Where a request's address is not known, which tests and sockets without one have.
const UNKNOWN: &str = "unknown";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(Option<IpAddr>);

impl Address {
    pub(crate) fn of(req: &HttpRequest) -> Self {
        let app = req.app_data::<web::Data<App>>();
        let trusted = app.map_or(&[][..], |app| &app.config.trusted_proxies);
        let peer = req.peer_addr().map(|peer| peer.ip().to_canonical());
        let said = req.headers().get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok());
        let said: Vec<_> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
        Self(peer.and_then(|peer| behind(peer, &said, trusted)))
    }

    /// For people; `None` where it is not known.
    pub(crate) fn text(self) -> Option<String> {
        self.0.map(|address| address.to_string())
    }

    /// Whether it is in one of these networks; in any, if there are none.
    pub(crate) fn is_among(self, networks: &[String]) -> bool {
        let holds = |network: &String, address: &IpAddr| {
            network.parse::<IpNet>().is_ok_and(|network| network.contains(address))
        };
        networks.is_empty()
            || self.0.is_some_and(|address| networks.iter().any(|one| holds(one, &address)))
    }
}

/// Each proxy adds at the end whom it has heard it from.
fn behind(peer: IpAddr, said: &[&str], trusted: &[IpNet]) -> Option<IpAddr> {
    let is_proxy = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer;
    for said in said.iter().rev() {
        if !is_proxy(&address) {
            break;
        }
        address = said.parse::<IpAddr>().ok()?.to_canonical();
    }
    Some(address)
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str(UNKNOWN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, said: &[&str]) -> Option<String> {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        behind(peer.parse().unwrap(), said, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn only_a_proxy_that_is_trusted_is_believed() {
        assert_eq!(seen("198.51.100.7", &["203.0.113.9"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(seen("10.0.0.1", &["203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        // what a client has written before the proxies added theirs
        let forged = ["192.0.2.1", "203.0.113.9", "10.0.0.2"];
        assert_eq!(seen("10.0.0.1", &forged).as_deref(), Some("203.0.113.9"));
        assert_eq!(seen("fd00::1", &["2001:db8::5"]).as_deref(), Some("2001:db8::5"));
        assert_eq!(seen("10.0.0.1", &[]).as_deref(), Some("10.0.0.1"));
        assert_eq!(seen("10.0.0.1", &["nonsense"]), None);
    }

    #[test]
    fn an_unknown_address_is_in_no_network() {
        let networks = ["203.0.113.0/24".to_owned()];
        assert!(Address(Some("203.0.113.9".parse().unwrap())).is_among(&networks));
        assert!(!Address(Some("203.0.114.9".parse().unwrap())).is_among(&networks));
        assert!(!Address(None).is_among(&networks));
        assert!(Address(None).is_among(&[]));
    }
}
