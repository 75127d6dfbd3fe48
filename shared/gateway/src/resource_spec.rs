//! What ResourceGateways and ResourceConfigurations say; what is wrong with one is named by its field.

use crate::api::{
    self, DnsWire, ResourceConfigurationObject, ResourceConfigurationSpec, ResourceGatewayObject,
};
use crate::code::Code;
use crate::hostname;
use crate::naming;
use crate::problem::{Problem, quoted};
use crate::snapshot::ClusterFacts;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use trellis_hint::{Kind, Scope};
use trellis_lattice::{DesiredResourceGateway, Owner, ResourceDefinition, ResourceFamily, Tags, names};

/// Security groups of a resource gateway (API model, CreateResourceGatewayRequestSecurityGroupIdsList).
const GROUPS_MAX: usize = 5;
/// IPv4 addresses of each network interface (API model, Ipv4AddressesPerEni).
const PER_ENI: std::ops::RangeInclusive<i64> = 1..=62;
/// Characters of an ARN of a resource (API model, WildcardArn).
const ARN_CHARS_MAX: usize = 1_224;
/// What a resource can be.
const KINDS: &str = "dns, ip, arn";

/// What a ResourceConfiguration says beside its parents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The ResourceGateway's name, in the same namespace.
    pub(crate) gateway: String,
    pub(crate) definition: ResourceDefinition,
    pub(crate) port_ranges: BTreeSet<String>,
    pub(crate) custom_domain: Option<String>,
}

fn refuse<T>(path: &str, text: String) -> Result<T, Problem> {
    Err(Problem::new(Code::ResourceValue, path, text))
}

/// What one object asks for wrongly, whatever else there is.
pub(crate) fn problem(kind: Kind, object: &Value) -> Option<Problem> {
    match kind {
        Kind::ResourceGateway => checked_gateway(object).err(),
        Kind::ResourceConfiguration => configuration(object, None).err(),
        _ => None,
    }
}

/// The resource gateway that an object asks for. What of it cannot be changed is part of its name.
pub(crate) fn gateway(
    object: &Value,
    facts: &ClusterFacts,
    owner: &Owner,
) -> Result<DesiredResourceGateway, Problem> {
    let wish = checked_gateway(object)?;
    let vpc = if wish.vpc.is_empty() { facts.vpc.clone() } else { wish.vpc };
    let subnets: Vec<&str> = wish.subnets.iter().map(String::as_str).collect();
    let per_eni = wish.ipv4_addresses_per_eni.map_or_else(String::new, |count| count.to_string());
    let fixed = [&[vpc.as_str(), wish.family.as_str(), &per_eni], subnets.as_slice()].concat();
    let name = naming::resource(&wish.name, "rgw-", &owner.unit, &fixed);
    let tags = naming::tags(owner.tags().into_iter().chain([naming::managed_by(facts)]), &Tags::new());
    Ok(DesiredResourceGateway { name, vpc, tags, ..wish })
}

/// The wish with the object's own name, without tags, and without a VPC where the cluster's is meant.
fn checked_gateway(object: &Value) -> Result<DesiredResourceGateway, Problem> {
    let ResourceGatewayObject { metadata, spec } = api::parse(object)?;
    if let Some(unknown) = spec.rest.keys().next() {
        return refuse(&format!("spec.{unknown}"), "A ResourceGateway has no such field; remove it".into());
    }
    let vpc = spec.vpc.unwrap_or_default();
    if !vpc.is_empty() {
        ids("spec.vpc", "vpc-", std::slice::from_ref(&vpc))?;
    }
    let subnets = ids("spec.subnetIds", "subnet-", &spec.subnet_ids)?;
    if subnets.is_empty() {
        return refuse("spec.subnetIds", "The list is empty; name a subnet in each Availability Zone".into());
    }
    let groups = spec.security_group_ids.unwrap_or_default();
    let security_groups = ids("spec.securityGroupIds", "sg-", &groups)?;
    if security_groups.len() > GROUPS_MAX {
        let text = format!("A resource gateway takes {GROUPS_MAX} security groups; name fewer");
        return refuse("spec.securityGroupIds", text);
    }
    let family = family("spec.ipAddressType", spec.ip_address_type.as_deref())?;
    let per_eni = spec.ipv4_addresses_per_eni;
    if let Some(count) = per_eni.filter(|count| !PER_ENI.contains(count)) {
        let text = format!("{count} is not from {} to {}; correct it", PER_ENI.start(), PER_ENI.end());
        return refuse("spec.ipv4AddressesPerEni", text);
    }
    Ok(DesiredResourceGateway {
        name: metadata.name,
        vpc,
        subnets,
        security_groups,
        family,
        ipv4_addresses_per_eni: per_eni.and_then(|count| count.try_into().ok()),
        tags: Tags::new(),
    })
}

/// Ids of EC2 with this prefix.
fn ids(path: &str, prefix: &str, all: &[String]) -> Result<BTreeSet<String>, Problem> {
    let is_id = |id: &String| {
        id.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() >= 8 && rest.bytes().all(|one| one.is_ascii_hexdigit()))
    };
    match all.iter().find(|id| !is_id(id)) {
        None => Ok(all.iter().cloned().collect()),
        Some(wrong) => refuse(path, format!("{} is no id; write {prefix} and its digits", quoted(wrong))),
    }
}

fn family(path: &str, text: Option<&str>) -> Result<ResourceFamily, Problem> {
    match text {
        None | Some("IPV4") => Ok(ResourceFamily::Ipv4),
        Some("IPV6") => Ok(ResourceFamily::Ipv6),
        Some("DUALSTACK") => Ok(ResourceFamily::Dualstack),
        Some(other) => refuse(path, format!("{} is none; use IPV4, IPV6 or DUALSTACK", quoted(other))),
    }
}

/// Reads a ResourceConfiguration. Without a scope (whoever reviews knows none) nothing is said of an ARN's account and Region.
pub(crate) fn configuration(object: &Value, scope: Option<&Scope>) -> Result<Resource, Problem> {
    let ResourceConfigurationObject { spec } = api::parse(object)?;
    if let Some(unknown) = spec.rest.keys().next() {
        let text = "A ResourceConfiguration has no such field; remove it".to_owned();
        return refuse(&format!("spec.{unknown}"), text);
    }
    let definition = definition(&spec, scope)?;
    let is_arn = matches!(definition, ResourceDefinition::Arn { .. });
    let port_ranges = ports(spec.ports.as_deref().unwrap_or_default())?;
    if is_arn && !port_ranges.is_empty() {
        let text = "A resource that is named by its ARN has its own ports; remove the field".to_owned();
        return refuse("spec.ports", text);
    }
    if !is_arn && port_ranges.is_empty() {
        return refuse("spec.ports", "The list is empty; name a port".into());
    }
    let custom_domain = spec.domain_name.map(|name| names::domain(&name));
    if let Some(why) = custom_domain.as_deref().and_then(hostname::no_domain) {
        return refuse("spec.domainName", why);
    }
    if spec.resource_gateway_ref.name.is_empty() {
        return refuse("spec.resourceGatewayRef.name", "It is empty; name a ResourceGateway".into());
    }
    let gateway = spec.resource_gateway_ref.name;
    Ok(Resource { gateway, definition, port_ranges, custom_domain })
}

fn definition(
    spec: &ResourceConfigurationSpec,
    scope: Option<&Scope>,
) -> Result<ResourceDefinition, Problem> {
    match (&spec.dns, &spec.ip, &spec.arn) {
        (Some(wire), None, None) => dns(wire),
        (None, Some(wire), None) => match wire.address.parse::<IpAddr>() {
            Ok(address) => Ok(ResourceDefinition::Ip { address: address.to_string() }),
            Err(_) => {
                refuse("spec.ip.address", format!("{} is no address; correct it", quoted(&wire.address)))
            }
        },
        (None, None, Some(arn)) => match arn_problem(arn, scope) {
            None => Ok(ResourceDefinition::Arn { arn: arn.clone() }),
            Some(why) => refuse("spec.arn", why),
        },
        _ => refuse("spec", format!("A resource is one thing; name exactly one of {KINDS}")),
    }
}

fn dns(wire: &DnsWire) -> Result<ResourceDefinition, Problem> {
    let domain_name = names::domain(&wire.domain_name);
    if let Some(why) = hostname::no_domain(&domain_name) {
        return refuse("spec.dns.domainName", why);
    }
    let family = family("spec.dns.ipAddressType", wire.ip_address_type.as_deref())?;
    Ok(ResourceDefinition::Dns { domain_name, family })
}

fn arn_problem(arn: &str, scope: Option<&Scope>) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, _, region, account, resource] = parts.as_slice() else {
        return Some(format!("{} is no ARN; correct it", quoted(arn)));
    };
    if resource.is_empty() || arn.len() > ARN_CHARS_MAX {
        return Some(format!("{} is no ARN; correct it", quoted(arn)));
    }
    let is_here = |scope: &Scope| (*region, *account) == (&*scope.region, &*scope.account);
    scope.filter(|scope| !is_here(scope)).map(|scope| {
        format!(
            "{} is of another account or Region than the cluster, {} in {}; name one of these",
            quoted(arn),
            scope.account,
            scope.region
        )
    })
}

/// Ports and ranges as VPC Lattice writes them.
fn ports(wire: &[Value]) -> Result<BTreeSet<String>, Problem> {
    let mut all = BTreeSet::new();
    for (at, port) in wire.iter().enumerate() {
        let text = port.as_str().map_or_else(|| port.to_string(), str::to_owned);
        let number = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let range = match text.split_once('-') {
            None => number(&text).map(|port| port.to_string()),
            Some((first, last)) => {
                let ends = number(first).zip(number(last)).filter(|(first, last)| first <= last);
                ends.map(|(first, last)| format!("{first}-{last}"))
            }
        };
        let Some(range) = range else {
            let text = format!("{} is no port or range; write 5432 or 9000-9010", quoted(&text));
            return refuse(&format!("spec.ports[{at}]"), text);
        };
        all.insert(range);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(spec: &Value) -> Result<Resource, String> {
        let object = json!({"metadata": {"name": "db", "namespace": "default"}, "spec": spec});
        let scope = Scope::new("123456789012", "us-west-2").unwrap();
        configuration(&object, Some(&scope)).map_err(|problem| problem.to_string())
    }

    #[test]
    fn ports_are_numbers_and_ranges() {
        let of = |ports: Value| {
            let gateway = json!({"name": "databases"});
            let spec =
                json!({"resourceGatewayRef": gateway, "dns": {"domainName": "DB.internal."}, "ports": ports});
            read(&spec).map(|resource| resource.port_ranges.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(of(json!([5432, "9000 - 9010", "5432"])).unwrap(), ["5432", "9000-9010"]);
        for odd in [json!([0]), json!(["70000"]), json!(["9-8"]), json!(["a"]), json!([])] {
            let told = of(odd.clone()).unwrap_err();
            assert!(told.contains("spec.ports"), "{odd}: {told}");
        }
    }

    #[test]
    fn a_resource_is_exactly_one_thing() {
        let spec = |more: Value| {
            let mut spec = json!({"resourceGatewayRef": {"name": "databases"}});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        for (odd, where_) in [
            (json!({"ports": [1]}), "spec: "),
            (json!({"ports": [1], "dns": {"domainName": "a.b"}, "ip": {"address": "10.0.0.1"}}), "spec: "),
            (json!({"ports": [1], "ip": {"address": "10.0.0"}}), "spec.ip.address"),
            (json!({"ports": [1], "dns": {"domainName": "10.0.0.1"}}), "spec.dns.domainName"),
            (json!({"ports": [1], "arn": "arn:aws:rds:us-west-2:123456789012:db:a"}), "spec.ports"),
            (json!({"arn": "arn:aws:rds:eu-west-1:123456789012:db:a"}), "spec.arn"),
            (json!({"arn": "db"}), "spec.arn"),
            (json!({"cidr": "10.0.0.0/8"}), "spec.cidr"),
        ] {
            let told = read(&spec(odd.clone())).unwrap_err();
            assert!(told.contains(where_), "{odd}: {told}");
        }
        let arn = read(&spec(json!({"arn": "arn:aws:rds:us-west-2:123456789012:db:a"}))).unwrap();
        assert!(matches!(arn.definition, ResourceDefinition::Arn { .. }));
    }

    #[test]
    fn what_a_gateway_cannot_be_is_named_by_its_field() {
        let of = |spec: Value| {
            let object = json!({"metadata": {"name": "databases", "namespace": "default"}, "spec": spec});
            problem(Kind::ResourceGateway, &object).map(|problem| problem.to_string())
        };
        let subnets = json!(["subnet-0a1b2c3d4e5f60001"]);
        assert_eq!(of(json!({"subnetIds": subnets})), None);
        for (odd, where_) in [
            (json!({}), "spec.subnetIds"),
            (json!({"subnetIds": ["sn-1"]}), "spec.subnetIds"),
            (json!({"subnetIds": subnets, "vpc": "mine"}), "spec.vpc"),
            (json!({"subnetIds": subnets, "ipAddressType": "IPV5"}), "spec.ipAddressType"),
            (json!({"subnetIds": subnets, "ipv4AddressesPerEni": 63}), "spec.ipv4AddressesPerEni"),
            (json!({"subnetIds": subnets, "colour": "red"}), "spec.colour"),
        ] {
            let told = of(odd.clone()).unwrap();
            assert!(told.contains(where_), "{odd}: {told}");
        }
    }
}
