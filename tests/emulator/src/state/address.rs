//! Where a target is: its address in its VPC, and the place on this machine that stands for it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::resources::{TargetGroup, TargetKey};
use super::settings::Settings;
use super::vpc::Prefix;

/// An instance that EC2 would know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Instance {
    /// Its private address.
    pub address: IpAddr,
    /// Id of its VPC.
    pub vpc: String,
    /// Its state; one that has stopped, or not begun, answers nothing.
    #[serde(default = "running")]
    pub state: String,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// States in which its programs may still answer.
const ANSWERS: [&str; 3] = ["running", "stopping", "shutting-down"];

fn running() -> String {
    "running".to_owned()
}

/// A block of addresses, written as `10.0.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Whether an address is in the block.
    pub fn has(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// Address of a target and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Address and port in the VPC.
    pub address: SocketAddr,
    /// Where it is reached on this machine.
    pub place: SocketAddr,
}

/// Where a target of a group is reached at a port; `None` = nobody knows. `turn` chooses among the addresses of a
/// load balancer.
pub(super) fn locate(
    settings: &Settings,
    vpcs: &BTreeMap<String, Prefix>,
    group: &TargetGroup,
    key: &TargetKey,
    port: Option<u16>,
    turn: usize,
) -> Option<Location> {
    let (vpc, port) = (group.config.vpc.as_ref()?, port?);
    let address = match group.kind.as_str() {
        "IP" => key.id.parse().ok()?,
        "INSTANCE" => {
            settings
                .instances
                .get(&key.id)
                .filter(|it| it.vpc == *vpc && ANSWERS.contains(&it.state.as_str()))?
                .address
        }
        "ALB" => {
            let addresses = settings.load_balancers.get(&key.id)?;
            *addresses.get(turn.checked_rem(addresses.len())?)?
        }
        _ => return None,
    };
    let place = SocketAddr::from((vpcs.get(vpc)?.place(address), port));
    Some(Location { address: SocketAddr::from((address, port)), place })
}
