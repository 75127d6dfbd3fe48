//! What the tests want.

use trellis_lattice::{
    Action, Desired, DesiredListener, DesiredNetwork, DesiredRule, DesiredService, DesiredTargetGroup,
    DesiredVpcAssociation, HealthCheck, IpConfig, IpFamily, ListenerProtocol, Owner, PathMatch, PrivateDns,
    ProtocolVersion, RuleMatch, Tags, Target, TargetGroupConfig, TargetProtocol, WeightedTargetGroup, names,
};

pub(crate) const VPC: &str = "vpc-0a1b2c3d4e5f60001";

pub(crate) fn owner(unit: &str) -> Owner {
    let hash = unit.parse::<trellis_hint::UnitKey>().unwrap().hash();
    Owner { installation: "trellis".into(), unit: hash, key: unit.into() }
}

pub(crate) fn gateway(vpcs: &[&str]) -> Desired {
    let owner = owner("gateway/123456789012/us-west-2/my-hotel");
    let association = |vpc: &&str| DesiredVpcAssociation {
        network: "my-hotel".into(),
        vpc: (*vpc).to_owned(),
        security_groups: [].into(),
        private_dns: PrivateDns::default(),
        tags: owner.tags(),
    };
    Desired {
        network: Some(DesiredNetwork { name: "my-hotel".into(), tags: owner.tags() }),
        vpc_associations: vpcs.iter().map(association).collect(),
        ..Desired::nothing(owner.clone())
    }
}

/// The wish with the network `my-hotel` allowed, whosever it is.
pub(crate) fn allowing(desired: Desired) -> Desired {
    Desired { allowed_networks: ["my-hotel".to_owned()].into(), ..desired }
}

pub(crate) fn no_gateway() -> Desired {
    Desired::nothing(owner("gateway/123456789012/us-west-2/my-hotel"))
}

/// The route `inventory` with a rule for each path, all to one target group with these targets.
pub(crate) fn route(paths: &[&str], targets: usize) -> Desired {
    let owner = owner("route/123456789012/us-west-2/HTTPRoute/one/default/inventory");
    let group = target_group(&owner, 8090, targets);
    let rules = paths.iter().enumerate().map(|(index, path)| DesiredRule {
        name: format!("r-{}", names::short_hash(&[path], 10)),
        priority: u16::try_from(index + 1).unwrap(),
        matches: RuleMatch { path: Some(PathMatch::Prefix((*path).to_owned())), ..RuleMatch::default() },
        action: forward(&group.name),
    });
    let service = DesiredService {
        name: "inventory-default".into(),
        custom_domain: None,
        certificate_arn: None,
        idle_timeout_seconds: None,
        networks: ["my-hotel".to_owned()].into(),
        listeners: vec![DesiredListener {
            name: "http-80".into(),
            port: 80,
            protocol: ListenerProtocol::Http,
            default_action: Action::FixedResponse(404),
            rules: rules.collect(),
        }],
        tags: owner.tags(),
    };
    Desired { services: vec![service], target_groups: vec![group], ..Desired::nothing(owner) }
}

pub(crate) fn no_route() -> Desired {
    Desired::nothing(owner("route/123456789012/us-west-2/HTTPRoute/one/default/inventory"))
}

pub(crate) fn forward(group: &str) -> Action {
    Action::Forward(vec![WeightedTargetGroup { target_group: group.into(), weight: 1 }])
}

/// The export `inventory` with these targets.
pub(crate) fn export(targets: usize) -> Desired {
    let owner = owner("export/123456789012/us-west-2/one/default/inventory");
    let group = target_group(&owner, 8090, targets);
    Desired { target_groups: vec![group], ..Desired::nothing(owner) }
}

fn target_group(owner: &Owner, port: u16, targets: usize) -> DesiredTargetGroup {
    let config = IpConfig {
        port,
        protocol: TargetProtocol::Http,
        protocol_version: Some(ProtocolVersion::Http1),
        ip_family: IpFamily::Ipv4,
        vpc: VPC.into(),
    };
    DesiredTargetGroup {
        name: format!("k8s-default-inventory-{}-{port}", names::unit_hash(&owner.unit)),
        health_check: Some(HealthCheck::default_for(config.protocol, config.protocol_version)),
        config: TargetGroupConfig::Ip(config),
        targets: (0..targets)
            .map(|n| Target::at(format!("10.0.{}.{}", n / 250, n % 250 + 1), port))
            .collect(),
        tags: Tags::from([("k".into(), "v".into())]).into_iter().chain(owner.tags()).collect(),
    }
}
