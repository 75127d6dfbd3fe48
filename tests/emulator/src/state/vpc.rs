//! The loopback map of VPCs: each VPC has a two-octet prefix, and an address `a.b.c.d` of it is reached at
//! `prefix.c.d`. So clusters with the same Pod addresses can run side by side on one machine. IPv6 has a single
//! loopback address, so an IPv6 address is reached by IPv4 too, at the prefix and its last two octets.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::State;

/// A two-octet prefix inside 127.0.0.0/8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u8);

/// First octet of all prefixes.
const LOOPBACK: u8 = 127;

/// Second octet of the first prefix that is given to a VPC nobody named before.
const FIRST_FREE: u8 = 70;

impl Prefix {
    /// Where an address of the VPC is reached.
    pub fn place(self, address: IpAddr) -> Ipv4Addr {
        let (c, d) = match address {
            IpAddr::V4(address) => {
                let [_, _, c, d] = address.octets();
                (c, d)
            }
            IpAddr::V6(address) => {
                let [.., c, d] = address.octets();
                (c, d)
            }
        };
        Ipv4Addr::new(LOOPBACK, self.0, c, d)
    }

    /// Where clients of the VPC reach the data plane.
    pub fn front(self) -> Ipv4Addr {
        Ipv4Addr::new(LOOPBACK, self.0, 255, 254)
    }
}

/// A text that is no prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no loopback prefix; write two octets such as 127.65")]
pub struct PrefixError(String);

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let second = text.strip_prefix("127.").and_then(|second| second.parse::<u8>().ok());
        second.filter(|second| *second > 0).map(Self).ok_or_else(|| PrefixError(text.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LOOPBACK}.{}", self.0)
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl State {
    /// Gives a VPC a prefix if it has none. When all prefixes are taken it stays without: its targets are then
    /// unreachable and it has no place for clients, but the control plane works.
    pub(super) fn ensure_vpc(&mut self, vpc: &str) {
        if self.store.vpcs.contains_key(vpc) {
            return;
        }
        let taken: Vec<Prefix> = self.store.vpcs.values().copied().collect();
        if let Some(free) = (FIRST_FREE..=u8::MAX).map(Prefix).find(|prefix| !taken.contains(prefix)) {
            self.store.vpcs.insert(vpc.to_owned(), free);
        }
    }

    /// All VPCs with their prefixes.
    pub fn vpcs(&self) -> &BTreeMap<String, Prefix> {
        &self.store.vpcs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_placed_under_the_prefix_of_its_vpc() {
        let prefix: Prefix = "127.65".parse().unwrap();
        for (address, place) in
            [("10.0.3.7", "127.65.3.7"), ("2001:db8::307", "127.65.3.7"), ("fd00::1", "127.65.0.1")]
        {
            assert_eq!(prefix.place(address.parse().unwrap()).to_string(), place, "{address}");
        }
        assert_eq!(prefix.front(), Ipv4Addr::new(127, 65, 255, 254));
        assert_eq!(prefix.to_string(), "127.65");
        for text in ["127.0", "10.0", "127.256", "127", "127.1.2"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
