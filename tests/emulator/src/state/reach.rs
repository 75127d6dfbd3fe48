//! How clients of a VPC reach resources: each association of a resource configuration with the VPC's service network has an address
//! of its own there, and its domain names lead to it.
//!
//! | a name | leads to the address |
//! |---|---|
//! | the association's generated one | in each VPC that is associated with the network |
//! | the configuration's custom domain | where both the association and the VPC's have private DNS, and the VPC's preference takes the domain |
//!
//! What is behind it is looked for in the VPC of the resource gateway: an address as it is, a domain name by the setting `names`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::access_log::text;
use super::kind::{Kind, Status};
use super::resources::{Generic, VpcAssociation};
use super::{Moment, Prefix, State};

/// Ports of one resource that are listened at; the rest of wider ranges is not there.
const PORTS_MAX: usize = 64;

/// The third octets of the addresses of associations, from the first on.
const FIRST_OCTET: u8 = 240;
const OCTETS: u64 = 14;
/// The fourth octets.
const LAST_OCTETS: u64 = 253;

/// A place where clients of a VPC reach a port of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outlet {
    /// The VPC.
    pub vpc: String,
    /// The association of the resource with the VPC's network.
    pub association: String,
    /// The port.
    pub port: u16,
}

impl State {
    /// All places where resources are reached, by address and port.
    pub fn outlets(&self) -> BTreeMap<SocketAddr, Outlet> {
        let mut all = BTreeMap::new();
        for (vpc, prefix, link) in self.reached() {
            let address = address_of(prefix, link);
            for port in self.ports_of(link) {
                let outlet = Outlet { vpc: vpc.to_owned(), association: link.meta.id.clone(), port };
                all.insert(SocketAddr::from((address, port)), outlet);
            }
        }
        all
    }

    /// Where a connection to a place is carried on to; none while nobody may come by it.
    pub fn behind(&mut self, now: Moment, outlet: &Outlet) -> Option<SocketAddr> {
        self.advance(now);
        let (.., link) =
            self.reached().find(|(vpc, _, link)| *vpc == outlet.vpc && link.meta.id == outlet.association)?;
        is_active(link).then_some(())?;
        let configuration = self.store.others.get(text(link, "resourceConfigurationId"))?;
        let gateway = self.store.others.get(text(configuration, "resourceGatewayId"))?;
        let definition = configuration.members.get("resourceConfigurationDefinition")?;
        let named = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str);
        let address: IpAddr = if let Some(address) = named("/ipResource/ipAddress") {
            address.parse().ok()?
        } else {
            let name = named("/dnsResource/domainName").or_else(|| named("/arnResource/arn"))?;
            *self.settings.names.get(name)?
        };
        let place = self.store.vpcs.get(text(gateway, "vpcId"))?.place(address);
        self.ports_of(link).contains(&outlet.port).then(|| SocketAddr::from((place, outlet.port)))
    }

    /// The addresses that a name of a resource leads to for clients of a VPC.
    pub fn resolve(&mut self, now: Moment, vpc: &str, name: &str) -> Vec<Ipv4Addr> {
        self.advance(now);
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let reached = self.reached().filter(|(of, _, link)| *of == vpc && is_active(link));
        let named = reached.filter(|(_, _, link)| self.has_name(vpc, link, &name));
        named.map(|(_, prefix, link)| address_of(prefix, link)).collect()
    }

    /// The associations of resources that VPCs reach, whether active yet or not.
    fn reached(&self) -> impl Iterator<Item = (&str, Prefix, &Generic)> {
        let inside = self.store.vpc_associations.values().filter(|vpc| vpc.life.status == Status::Active);
        inside.flat_map(move |inside| {
            let prefix = self.store.vpcs.get(&inside.vpc).copied();
            let links = self.others_of(Kind::ResourceAssociation);
            let links = links.filter(move |link| text(link, "serviceNetworkId") == inside.network);
            let lasting = links.filter(|link| {
                let status = link.life.as_ref().map(|life| life.status);
                matches!(status, Some(Status::Active | Status::CreateInProgress))
            });
            lasting.filter_map(move |link| Some((inside.vpc.as_str(), prefix?, link)))
        })
    }

    fn ports_of(&self, link: &Generic) -> Vec<u16> {
        let configuration = self.store.others.get(text(link, "resourceConfigurationId"));
        let ranges = configuration.and_then(|one| one.members.get("portRanges")?.as_array());
        let ranges = ranges.into_iter().flatten().filter_map(Value::as_str).filter_map(|range| {
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            Some(low.parse::<u16>().ok()?..=high.parse::<u16>().ok()?)
        });
        ranges.flatten().take(PORTS_MAX).collect()
    }

    fn has_name(&self, vpc: &str, link: &Generic, name: &str) -> bool {
        let named = self.view_other(&link.meta.id).unwrap_or_default();
        let is = |member: &str| {
            let told = named.get(member).and_then(|entry| entry.get("domainName")?.as_str());
            told.is_some_and(|told| told.eq_ignore_ascii_case(name))
        };
        let inside = self.store.vpc_associations.values().find(|one| one.vpc == vpc);
        let verified = named.get("domainVerificationStatus").and_then(Value::as_str) == Some("VERIFIED");
        is("dnsEntry") || is("privateDnsEntry") && inside.is_some_and(|one| takes(one, name, verified))
    }
}

fn is_active(link: &Generic) -> bool {
    link.life.as_ref().is_some_and(|life| life.status == Status::Active)
}

/// An association's address in a VPC. No Pod is to have one of these.
fn address_of(prefix: Prefix, link: &Generic) -> Ipv4Addr {
    let octet = |number: u64| u8::try_from(number).unwrap_or_default();
    let third = FIRST_OCTET + octet(link.meta.seq / LAST_OCTETS % OCTETS);
    prefix.place(IpAddr::V4(Ipv4Addr::new(0, 0, third, 1 + octet(link.meta.seq % LAST_OCTETS))))
}

/// Whether a VPC's association takes a private name; the preference is by default for verified domains only.
fn takes(inside: &VpcAssociation, name: &str, verified: bool) -> bool {
    let options = inside.dns_options.as_ref();
    let specified = options.and_then(|all| all.get("privateDnsSpecifiedDomains")?.as_array());
    let is_specified = specified.into_iter().flatten().filter_map(Value::as_str).any(|domain| {
        let suffix = domain.trim_start_matches("*.").to_ascii_lowercase();
        name == suffix || name.ends_with(&format!(".{suffix}"))
    });
    let preference = options.and_then(|all| all.get("privateDnsPreference")?.as_str());
    inside.private_dns == Some(true)
        && match preference.unwrap_or("VERIFIED_DOMAINS_ONLY") {
            "ALL_DOMAINS" => true,
            "SPECIFIED_DOMAINS_ONLY" => is_specified,
            "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS" => verified || is_specified,
            _ => verified,
        }
}
