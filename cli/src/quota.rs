//! How much of each quota of VPC Lattice is used.

use crate::evaluate::Evaluation;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{Action, DesiredService, Limits};

/// One quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// As AWS calls it.
    pub quota: &'static str,
    /// Its code in Service Quotas.
    pub code: &'static str,
    /// How much is asked for: of what has most, where there are several.
    pub used: usize,
    /// How much there may be.
    pub limit: usize,
    /// What has most; none of a quota of the whole Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

impl Usage {
    /// Whether more is asked for than there may be.
    pub fn is_exceeded(&self) -> bool {
        self.used > self.limit
    }
}

/// The usage of all quotas that Trellis keeps, in the order of their size.
pub fn usage(evaluation: &Evaluation, limits: &Limits) -> Vec<Usage> {
    let wanted: Vec<_> = evaluation.units.values().filter_map(|one| one.desired.as_ref()).collect();
    let services = || wanted.iter().flat_map(|desired| &desired.services);
    let groups = || wanted.iter().flat_map(|desired| &desired.target_groups);
    let listeners = || services().flat_map(|service| service.listeners.iter().map(move |one| (service, one)));
    let mut in_networks: BTreeMap<&str, usize> = BTreeMap::new();
    for network in services().flat_map(|service| &service.networks) {
        *in_networks.entry(network).or_default() += 1;
    }
    let mut vpcs: BTreeMap<&str, usize> = BTreeMap::new();
    for association in wanted.iter().flat_map(|desired| &desired.vpc_associations) {
        *vpcs.entry(&association.network).or_default() += 1;
    }
    let most = |quota, code, limit, all: &mut dyn Iterator<Item = (String, usize)>| {
        let (of, used) = all.max_by_key(|(_, count)| *count).map_or((None, 0), |(of, used)| (Some(of), used));
        Usage { quota, code, used, limit, of }
    };
    let total = |quota, code, limit, used| Usage { quota, code, used, limit, of: None };
    let networks = wanted.iter().filter(|desired| desired.network.is_some()).count();
    let counted = |counts: &BTreeMap<&str, usize>| {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>().into_iter()
    };
    vec![
        total("Service networks per Region", "L-9CAD07FB", limits.networks_per_region, networks),
        total("Services per Region", "L-620C821E", limits.services_per_region, services().count()),
        total("Target groups per Region", "L-BB11C6B9", limits.target_groups_per_region, groups().count()),
        most(
            "Service associations per service network",
            "L-75D4A19E",
            limits.services_per_network,
            &mut counted(&in_networks),
        ),
        most(
            "VPC associations per service network",
            "L-EF6E2D62",
            limits.vpcs_per_network,
            &mut counted(&vpcs),
        ),
        most(
            "Listeners per service",
            "L-D64E952E",
            limits.listeners_per_service,
            &mut services().map(|service| (service.name.clone(), service.listeners.len())),
        ),
        most(
            "Rules per listener",
            "L-CF78395E",
            limits.rules_per_listener,
            &mut listeners()
                .map(|(service, one)| (format!("{}:{}", service.name, one.port), one.rules.len())),
        ),
        most(
            "Target groups per service",
            "L-3DEC3B9F",
            limits.target_groups_per_service,
            &mut services().map(|service| (service.name.clone(), groups_of(service))),
        ),
        most(
            "Targets per target group",
            "L-D71303F3",
            limits.targets_per_target_group,
            &mut groups().map(|group| (group.name.clone(), group.targets.len())),
        ),
    ]
}

/// How many target groups a service's rules lead to.
fn groups_of(service: &DesiredService) -> usize {
    let actions = service.listeners.iter().flat_map(|listener| {
        listener.rules.iter().map(|rule| &rule.action).chain([&listener.default_action])
    });
    actions.flat_map(Action::target_groups).collect::<BTreeSet<_>>().len()
}
