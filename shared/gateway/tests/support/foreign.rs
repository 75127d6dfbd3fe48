//! What is somebody else's in VPC Lattice.

use std::collections::BTreeSet;
use trellis_lattice::names::is_network_id;
use trellis_lattice::{
    Actual, ActualNetwork, ActualService, ActualVpcAssociation, Desired, Limits, Ownership, PrivateDns,
    Status, Tags, plan, simulate,
};

/// The services that are made of a wish beside what others have.
pub(crate) fn services_beside(desired: &Desired, beside: &Actual, limits: &Limits) -> BTreeSet<String> {
    let there = simulate(beside, &plan(desired, beside, limits)).services;
    there.into_iter().map(|one| one.name).collect()
}

/// Somebody else's service of that name.
pub(crate) fn foreign(name: &String) -> ActualService {
    ActualService {
        id: format!("svc-{name}"),
        arn: format!("arn:svc-{name}"),
        name: name.clone(),
        status: Status::Active,
        dns_name: None,
        custom_domain: None,
        certificate_arn: None,
        idle_timeout_seconds: None,
        ownership: Ownership::Foreign,
        tags: Tags::new(),
        listeners: vec![],
        is_propagating: false,
        associations: vec![],
    }
}

/// Somebody else's network of that name, or of that id.
pub(crate) fn foreign_network(name: &str) -> ActualNetwork {
    let id = if is_network_id(name) { name } else { "sn-0fedcba9876543210" };
    ActualNetwork {
        id: id.into(),
        arn: format!("arn:aws:vpc-lattice:us-west-2:123456789012:servicenetwork/{id}"),
        name: name.to_owned(),
        ownership: Ownership::Foreign,
        tags: Tags::new(),
    }
}

/// Somebody else's association of that VPC.
pub(crate) fn foreign_vpc_association(vpc: &str) -> ActualVpcAssociation {
    ActualVpcAssociation {
        id: "snva-0123456789abcdef0".into(),
        arn: "arn:snva-0123456789abcdef0".into(),
        network: "my-hotel".into(),
        vpc: vpc.to_owned(),
        status: Status::Active,
        security_groups: BTreeSet::new(),
        private_dns: PrivateDns::default(),
        ownership: Ownership::Foreign,
        tags: Tags::new(),
    }
}
