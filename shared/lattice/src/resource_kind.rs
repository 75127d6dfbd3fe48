use crate::Desired;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a resource of VPC Lattice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResourceKind {
    /// A service network.
    Network,
    /// The association of a VPC with a service network.
    VpcAssociation,
    /// A resource gateway.
    ResourceGateway,
    /// A resource configuration.
    ResourceConfiguration,
    /// The association of a resource configuration with a service network.
    ResourceAssociation,
    /// The endpoint of a VPC for a service network, in EC2.
    VpcEndpoint,
    /// A service.
    Service,
    /// The association of a service with a service network.
    ServiceAssociation,
    /// A listener of a service.
    Listener,
    /// A rule of a listener.
    Rule,
    /// A target group.
    TargetGroup,
    /// A certificate in ACM.
    Certificate,
    /// Anything else.
    Other,
}

impl ResourceKind {
    /// The kind of the resource with this ARN.
    pub fn of(arn: &str) -> Self {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let resource = match *parts.as_slice() {
            ["arn", _, "vpc-lattice", _, _, resource] => resource,
            ["arn", _, "acm", _, _, resource] if resource.starts_with("certificate/") => {
                return Self::Certificate;
            }
            ["arn", _, "ec2", _, _, resource] if resource.starts_with("vpc-endpoint/") => {
                return Self::VpcEndpoint;
            }
            _ => return Self::Other,
        };
        match *resource.split('/').collect::<Vec<_>>().as_slice() {
            ["servicenetwork", _] => Self::Network,
            ["servicenetworkvpcassociation", _] => Self::VpcAssociation,
            ["service", _] => Self::Service,
            ["resourcegateway", _] => Self::ResourceGateway,
            ["resourceconfiguration", _] => Self::ResourceConfiguration,
            ["servicenetworkresourceassociation", _] => Self::ResourceAssociation,
            ["servicenetworkserviceassociation", _] => Self::ServiceAssociation,
            ["service", _, "listener", _] => Self::Listener,
            ["service", _, "listener", _, "rule", _] => Self::Rule,
            ["targetgroup", _] => Self::TargetGroup,
            _ => Self::Other,
        }
    }

    /// Whether it stands by itself: what is below a service goes with it.
    pub fn stands(self) -> bool {
        match self {
            Self::Network
            | Self::VpcAssociation
            | Self::VpcEndpoint
            | Self::ResourceGateway
            | Self::ResourceConfiguration
            | Self::ResourceAssociation
            | Self::Service
            | Self::TargetGroup
            | Self::Certificate => true,
            Self::ServiceAssociation | Self::Listener | Self::Rule | Self::Other => false,
        }
    }
}

impl Desired {
    /// How many resources of each kind are wanted; a kind of which none is wanted is left out. Default rules come with their
    /// listener and bear no tags of ours, so they do not count.
    pub fn resources(&self) -> BTreeMap<ResourceKind, usize> {
        let listeners = || self.services.iter().flat_map(|service| &service.listeners);
        let counts = [
            (ResourceKind::Network, usize::from(self.network.is_some())),
            (ResourceKind::VpcAssociation, self.vpc_associations.len()),
            (ResourceKind::VpcEndpoint, self.vpc_endpoints.len()),
            (ResourceKind::ResourceGateway, self.resource_gateways.len()),
            (ResourceKind::ResourceConfiguration, self.resource_configurations.len()),
            (
                ResourceKind::ResourceAssociation,
                self.resource_configurations.iter().map(|one| one.networks.len()).sum(),
            ),
            (ResourceKind::Service, self.services.len()),
            (
                ResourceKind::ServiceAssociation,
                self.services.iter().map(|service| service.networks.len()).sum(),
            ),
            (ResourceKind::Listener, listeners().count()),
            (ResourceKind::Rule, listeners().map(|listener| listener.rules.len()).sum()),
            (ResourceKind::TargetGroup, self.target_groups.len()),
            (ResourceKind::Certificate, self.certificates.iter().flatten().count()),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_what_it_names() {
        let certificate = "arn:aws:acm:us-west-2:123456789012:certificate/0a1b";
        assert_eq!(ResourceKind::of(certificate), ResourceKind::Certificate);
        let endpoint = "arn:aws:ec2:us-west-2:123456789012:vpc-endpoint/vpce-1";
        assert_eq!(ResourceKind::of(endpoint), ResourceKind::VpcEndpoint);
        let arn = |resource: &str| format!("arn:aws:vpc-lattice:us-west-2:123456789012:{resource}");
        for (resource, kind) in [
            ("servicenetwork/sn-1", ResourceKind::Network),
            ("servicenetworkvpcassociation/snva-1", ResourceKind::VpcAssociation),
            ("service/svc-1", ResourceKind::Service),
            ("servicenetworkserviceassociation/snsa-1", ResourceKind::ServiceAssociation),
            ("service/svc-1/listener/listener-1", ResourceKind::Listener),
            ("service/svc-1/listener/listener-1/rule/rule-1", ResourceKind::Rule),
            ("targetgroup/tg-1", ResourceKind::TargetGroup),
            ("resourcegateway/rgw-1", ResourceKind::ResourceGateway),
            ("resourceconfiguration/rcfg-1", ResourceKind::ResourceConfiguration),
            ("servicenetworkresourceassociation/snra-1", ResourceKind::ResourceAssociation),
            ("domainverification/dv-1", ResourceKind::Other),
            ("service", ResourceKind::Other),
            ("service/svc-1/listener", ResourceKind::Other),
        ] {
            assert_eq!(ResourceKind::of(&arn(resource)), kind, "{resource}");
        }
        for odd in ["", "arn:aws:ec2:us-west-2:123456789012:service/svc-1", "service/svc-1"] {
            assert_eq!(ResourceKind::of(odd), ResourceKind::Other, "{odd}");
        }
    }
}
