//! What the index of tags shows of an installation, by unit, in little memory: a resource is a number here.

use std::collections::BTreeMap;
use trellis_hint::{ClusterId, UnitKey};
use trellis_lattice::{Desired, ResourceKind};
use trellis_ports::Owned;

/// Services that an index must show before it counts that it shows none of what every service has: a Region whose index
/// leaves out listeners or rules must not cost a deep look at everything in each pass.
const SERVICES_TELLING: usize = 50;

/// What bears the tags of the installation, or of the part of it that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// By the unit's hash.
    units: BTreeMap<String, Holding>,
    /// Resources that name no unit that can be told, by ARN.
    pub(crate) nobodys: Vec<String>,
    seen: BTreeMap<ResourceKind, usize>,
}

/// What the index shows of a unit.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    pub(crate) unit: UnitKey,
    pub(crate) counts: BTreeMap<ResourceKind, usize>,
    /// Names of services that bear its tag, where the index tells them.
    pub(crate) names: Vec<String>,
}

/// Of resources that name no unit, how many are told.
const NOBODYS_MAX: usize = 100;

impl Index {
    pub(crate) fn take(&mut self, owned: Owned) {
        *self.seen.entry(owned.kind).or_default() += 1;
        if let Some(holding) = self.units.get_mut(&owned.unit) {
            holding.add(owned.kind, owned.service);
            return;
        }
        let Some(unit) = unit_of(&owned) else {
            if owned.kind.stands() && self.nobodys.len() < NOBODYS_MAX {
                self.nobodys.push(owned.arn);
            }
            return;
        };
        let mut holding = Holding { unit, counts: BTreeMap::new(), names: vec![] };
        holding.add(owned.kind, owned.service);
        self.units.insert(owned.unit, holding);
    }

    /// What is shown of a unit.
    pub(crate) fn of(&self, unit: &UnitKey) -> Option<&Holding> {
        self.units.get(&unit.hash())
    }

    /// All units of which something is shown.
    pub(crate) fn holdings(&self) -> impl Iterator<Item = &Holding> {
        self.units.values()
    }

    /// The units of a cluster of which something is shown.
    pub(crate) fn of_cluster<'a>(&'a self, cluster: &'a ClusterId) -> impl Iterator<Item = &'a Holding> {
        self.holdings().filter(move |holding| holding.unit.cluster() == Some(cluster))
    }

    /// Whether a unit has more or less of anything than it wants. What is not known of the unit may be there beside what it
    /// wants: then only less counts.
    pub(crate) fn differs(&self, unit: &UnitKey, desired: &Desired, is_partly_unknown: bool) -> bool {
        let (wanted, held) = (desired.resources(), self.of(unit).map(|holding| &holding.counts));
        let count = |counts: Option<&BTreeMap<ResourceKind, usize>>, kind| {
            counts.and_then(|counts| counts.get(&kind)).copied().unwrap_or_default()
        };
        COMPARED.into_iter().filter(|kind| self.shows(*kind)).any(|kind| {
            let (wanted, held) = (count(Some(&wanted), kind), count(held, kind));
            held < wanted || held > wanted && !is_partly_unknown
        })
    }

    fn shows(&self, kind: ResourceKind) -> bool {
        let seen = |kind| self.seen.get(&kind).copied().unwrap_or_default();
        kind.stands() || seen(kind) > 0 || seen(ResourceKind::Service) < SERVICES_TELLING
    }
}

/// What routes, exports and resources have.
const COMPARED: [ResourceKind; 8] = [
    ResourceKind::Service,
    ResourceKind::ServiceAssociation,
    ResourceKind::Listener,
    ResourceKind::Rule,
    ResourceKind::TargetGroup,
    ResourceKind::ResourceGateway,
    ResourceKind::ResourceConfiguration,
    ResourceKind::ResourceAssociation,
];

impl Holding {
    fn add(&mut self, kind: ResourceKind, name: Option<String>) {
        *self.counts.entry(kind).or_default() += 1;
        self.names.extend(name);
    }

    pub(crate) fn count(&self, kind: ResourceKind) -> usize {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// Resources that are a leftover each, should nobody want the unit's.
    pub(crate) fn standing(&self) -> usize {
        self.counts.iter().filter(|(kind, _)| kind.stands()).map(|(_, count)| count).sum()
    }
}

/// The unit that made a resource. The text of the key is believed only if the hash, which ownership is told by, is its.
pub(crate) fn unit_of(owned: &Owned) -> Option<UnitKey> {
    owned.key.parse::<UnitKey>().ok().filter(|unit| unit.hash() == owned.unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_lattice::{
        DesiredTargetGroup, HealthCheck, IpConfig, IpFamily, Owner, TargetGroupConfig, TargetProtocol,
    };

    fn unit(name: &str) -> UnitKey {
        format!("route/123456789012/us-west-2/HTTPRoute/one/default/{name}").parse().unwrap()
    }

    fn owned(of: &UnitKey, kind: ResourceKind) -> Owned {
        let (unit, key) = (of.hash(), of.to_string());
        Owned { arn: "arn".into(), kind, unit, key, service: None }
    }

    fn wish(of: &UnitKey, groups: usize) -> Desired {
        let owner = Owner { installation: "trellis".into(), unit: of.hash(), key: of.to_string() };
        let config = IpConfig {
            port: 80,
            protocol: TargetProtocol::Http,
            protocol_version: None,
            ip_family: IpFamily::Ipv4,
            vpc: "vpc-1".into(),
        };
        let group = |n: usize| DesiredTargetGroup {
            name: format!("group-{n}"),
            config: TargetGroupConfig::Ip(config.clone()),
            health_check: Some(HealthCheck::default_for(config.protocol, config.protocol_version)),
            targets: std::collections::BTreeSet::new(),
            tags: trellis_lattice::Tags::new(),
        };
        Desired { target_groups: (0..groups).map(group).collect(), ..Desired::nothing(owner) }
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_differs_and_where_something_is_unknown_only_what_is_missing() {
        let mut index = Index::default();
        index.take(owned(&unit("a"), ResourceKind::TargetGroup));
        let differs = |groups, unknown| index.differs(&unit("a"), &wish(&unit("a"), groups), unknown);
        assert_eq!([0, 1, 2].map(|groups| differs(groups, false)), [true, false, true]);
        assert_eq!([0, 1, 2].map(|groups| differs(groups, true)), [false, false, true]);
        assert!(!index.differs(&unit("b"), &wish(&unit("b"), 0), false));
    }

    #[test]
    fn a_key_is_believed_only_with_its_hash() {
        let mut index = Index::default();
        let forged = Owned { unit: "another".into(), ..owned(&unit("a"), ResourceKind::Service) };
        index.take(forged);
        assert_eq!((index.holdings().count(), index.nobodys.len()), (0, 1));
    }

    #[test]
    fn an_index_that_shows_many_services_and_no_rule_does_not_know_rules() {
        let mut index = Index::default();
        assert!(index.shows(ResourceKind::Rule));
        for n in 0..SERVICES_TELLING {
            index.take(owned(&unit(&format!("r{n}")), ResourceKind::Service));
        }
        assert!(!index.shows(ResourceKind::Rule) && index.shows(ResourceKind::TargetGroup));
        index.take(owned(&unit("r1"), ResourceKind::Rule));
        assert!(index.shows(ResourceKind::Rule));
    }
}
