//! Made-up wishes and made-up contents of VPC Lattice, odd ones on purpose: small alphabets of names, so that the two
//! meet often, and every status and ownership.

use crate::consistent::make_consistent;
use crate::support::{
    config, listener, name_after, one_in_a_network, owner, prefix, rule, service, taken_in, targets, unique,
};
pub(crate) use crate::tags::{held_tags, tags_there};
use crate::tags::{tags, users_tags};
use crate::vpc_settings::private_dns;
use crate::{access_logs, auth, imports, resources, vpc_endpoints};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{
    Action, Actual, ActualAssociation, ActualListener, ActualNetwork, ActualRule, ActualService,
    ActualTarget, ActualTargetGroup, ActualVpcAssociation, Desired, DesiredListener, DesiredNetwork,
    DesiredRule, DesiredService, DesiredTargetGroup, DesiredVpcAssociation, Grace, HealthCheck, IpConfig,
    Limits, ListenerProtocol, Mode, Ownership, Status, TAG_IDLE_TIMEOUT, TARGET_GROUP_ID, Tags,
    TargetGroupConfig, TargetHealth, WeightedTargetGroup,
};

pub(crate) const NETWORKS: [&str; 2] = ["net-1", "net-2"];
pub(crate) const VPCS: [&str; 2] = ["vpc-1", "vpc-2"];
pub(crate) const SERVICES: [&str; 3] = ["s1", "s2", "s3"];
const PORTS: [u16; 3] = [80, 443, 8080];
const PATHS: [&str; 6] = ["/a", "/b", "/c", "/d", "/e", "/f"];
/// A target group serves one service only, so each service has its own names.
const GROUPS_PER_SERVICE: usize = 3;

/// A wish, what is there, and the limits between them.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) desired: Desired,
    pub(crate) actual: Actual,
    pub(crate) limits: Limits,
}

/// Short enough to read, and good enough to paste into a case of its own.
impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        let (desired, actual) = (serde_json::to_string(&self.desired), serde_json::to_string(&self.actual));
        write!(f, "desired {}\nactual {}\n{:?}", json(desired), json(actual), self.limits)
    }
}

pub(crate) fn worlds() -> impl Strategy<Value = World> {
    (wishes(), actuals(), limits()).prop_map(|(desired, actual, limits)| World { desired, actual, limits })
}

/// Low ones, so that they are met.
fn limits() -> impl Strategy<Value = Limits> {
    (3..6_usize, 1..4_usize, 1..4_usize, 2..5_usize, 5..9_u16).prop_map(
        |(rules, listeners, groups, targets, max)| Limits {
            rules_per_listener: rules,
            listeners_per_service: listeners,
            target_groups_per_service: groups,
            targets_per_target_group: targets,
            priority_max: max,
            ..Limits::default()
        },
    )
}

fn group_name(service: &str, index: usize) -> String {
    format!("tg-{service}-{index}")
}

/// The target group of others that rules of a service may lead to.
fn external(service: &str) -> String {
    format!("{TARGET_GROUP_ID}external-{service}")
}

fn action(service: &'static str) -> impl Strategy<Value = Action> {
    let group = prop_oneof![
        5 => (0..GROUPS_PER_SERVICE).prop_map(|index| group_name(service, index)),
        1 => Just(external(service)),
    ];
    let share =
        (group, 0..3_u16).prop_map(|(target_group, weight)| WeightedTargetGroup { target_group, weight });
    prop_oneof![
        1 => select(vec![404, 500]).prop_map(Action::FixedResponse),
        4 => vec(share, 1..3).prop_map(Action::Forward),
    ]
}

fn graces() -> impl Strategy<Value = Option<Grace>> {
    select(vec![None, Some(0), Some(10)]).prop_map(|seconds| Some(Grace { now: 1_000, seconds: seconds? }))
}

fn protocols() -> impl Strategy<Value = ListenerProtocol> {
    prop_oneof![4 => Just(ListenerProtocol::Http), 1 => Just(ListenerProtocol::Https)]
}

fn desired_rules(service: &'static str) -> impl Strategy<Value = Vec<DesiredRule>> {
    let paths = subsequence(PATHS.to_vec(), 0..=4).prop_shuffle();
    (paths, vec(action(service), 4), 0..3_u16).prop_map(|(paths, actions, gap)| {
        let numbered = (1_u16..).zip(paths).zip(actions);
        numbered.map(|((n, path), action)| rule(n + gap, path, action)).collect()
    })
}

fn desired_listener(service: &'static str) -> impl Strategy<Value = DesiredListener> {
    (select(PORTS.to_vec()), protocols(), action(service), desired_rules(service)).prop_map(
        |(port, protocol, default_action, rules)| DesiredListener {
            protocol,
            default_action,
            ..listener(port, rules)
        },
    )
}

fn desired_service() -> impl Strategy<Value = DesiredService> {
    select(SERVICES.to_vec()).prop_flat_map(|name| {
        let domain = proptest::option::weighted(0.2, Just("example.com".to_owned()));
        let certificate = proptest::option::weighted(0.3, Just("arn:certificate".to_owned()));
        let networks = subsequence(NETWORKS.to_vec(), 0..=2);
        let idle = idle_timeouts();
        (domain, certificate, idle, networks, vec(desired_listener(name), 0..3), users_tags()).prop_map(
            move |(custom_domain, certificate_arn, idle, networks, listeners, tags)| DesiredService {
                custom_domain,
                certificate_arn,
                idle_timeout_seconds: idle,
                networks: networks.into_iter().map(str::to_owned).collect(),
                tags: marked(tags, idle),
                ..service(name, unique(listeners, |l| l.port))
            },
        )
    })
}

fn idle_timeouts() -> impl Strategy<Value = Option<u16>> {
    proptest::option::weighted(0.3, select(vec![60, 300, 600]))
}

/// Tags with the one that goes with an idle time-out.
fn marked(mut tags: Tags, idle: Option<u16>) -> Tags {
    tags.extend(idle.map(|_| (TAG_IDLE_TIMEOUT.to_owned(), "set".to_owned())));
    tags
}

fn health_checks() -> impl Strategy<Value = HealthCheck> {
    select(vec!["/", "/healthz"]).prop_map(|path| HealthCheck {
        path: path.into(),
        ..HealthCheck::default_for(config().protocol, config().protocol_version)
    })
}

fn desired_groups() -> impl Strategy<Value = Vec<DesiredTargetGroup>> {
    // Most of the names that actions can mean, so that most listeners are possible.
    let names: Vec<String> =
        SERVICES.iter().flat_map(|s| (0..GROUPS_PER_SERVICE).map(|i| group_name(s, i))).collect();
    let group = (health_checks(), btree_set(1..6_u8, 0..4), tags());
    let count = names.len();
    (subsequence(names, count - 3..=count), vec(group, count)).prop_map(|(names, groups)| {
        let both = names.into_iter().zip(groups);
        both.map(|(name, (health_check, last, tags))| DesiredTargetGroup {
            name,
            config: TargetGroupConfig::Ip(config()),
            health_check: Some(health_check),
            targets: targets(&Vec::from_iter(last)),
            tags,
        })
        .collect()
    })
}

fn wishes() -> impl Strategy<Value = Desired> {
    let network = proptest::option::of(select(NETWORKS.to_vec()));
    let security_groups = btree_set("sg-[12]", 0..2);
    let settings = (security_groups, private_dns());
    let vpcs = vec((select(NETWORKS.to_vec()), select(VPCS.to_vec()), settings), 0..3);
    let route = prop_oneof![
        1 => Just((vec![], vec![])),
        6 => (vec(desired_service(), 0..3), desired_groups()),
    ];
    // As a rule all that rules lead to; of those that nobody names nothing is made.
    let externals = (1..=SERVICES.len()).prop_flat_map(|count| subsequence(SERVICES.to_vec(), count));
    let places = SERVICES.iter().flat_map(|service| NETWORKS.iter().map(move |network| (*service, *network)));
    let giving_way = subsequence(places.collect::<Vec<_>>(), 0..=2);
    let allowed = (subsequence(NETWORKS.to_vec(), 0..=2), externals, giving_way);
    let all = (
        network,
        (vpcs, vpc_endpoints::wishes(), resources::wishes()),
        route,
        allowed,
        tags(),
        graces(),
        access_logs::wishes(),
        auth::wishes(),
        imports::wishes(),
    );
    all.prop_map(
        |(
            network,
            (vpcs, endpoints, (resource_gateways, resource_configurations)),
            (services, target_groups),
            (allowed, externals, giving_way),
            tags,
            grace,
            access_logs,
            auth,
            certificates,
        )| {
            Desired {
                handovers: BTreeMap::new(),
                in_full: false,
                mode: Mode::Sync,
                owner: owner(),
                grace,
                allowed_networks: allowed.into_iter().map(str::to_owned).collect(),
                external_groups: externals.into_iter().map(external).collect(),
                functions: BTreeMap::new(),
                giving_way: giving_way
                    .into_iter()
                    .map(|(service, network)| (service.into(), network.into()))
                    .collect(),
                network: network.map(|name| DesiredNetwork { name: name.into(), tags: tags.clone() }),
                vpc_associations: unique(vpcs, |(_, vpc, _)| *vpc)
                    .into_iter()
                    .map(|(network, vpc, (security_groups, private_dns))| DesiredVpcAssociation {
                        network: network.into(),
                        vpc: vpc.into(),
                        security_groups,
                        private_dns,
                        tags: Tags::new(),
                    })
                    .collect(),
                vpc_endpoints: unique(endpoints, |one| (one.network.clone(), one.vpc.clone())),
                resource_gateways,
                resource_configurations,
                services: one_in_a_network(unique(services, |s| s.name.clone())),
                target_groups,
                access_logs,
                auth,
                certificates,
            }
        },
    )
}

pub(crate) fn ownerships() -> impl Strategy<Value = Ownership> {
    prop_oneof![
        8 => Just(Ownership::Ours),
        1 => Just(Ownership::Foreign),
        1 => Just(Ownership::Unread),
        1 => Just(Ownership::OtherUnit("route/other".into())),
    ]
}

/// Of what is below a service, or used by one. Another unit's are only there when a hand-over was cut off, which has tests of
/// its own.
fn part_ownerships() -> impl Strategy<Value = Ownership> {
    ownerships().prop_map(|ownership| match ownership {
        Ownership::OtherUnit(_) => Ownership::Foreign,
        other => other,
    })
}

pub(crate) fn statuses() -> impl Strategy<Value = Status> {
    prop_oneof![
        8 => Just(Status::Active),
        1 => Just(Status::Unknown),
        1 => select(vec![
            Status::CreateInProgress,
            Status::UpdateInProgress,
            Status::DeleteInProgress,
            Status::CreateFailed,
            Status::UpdateFailed,
            Status::DeleteFailed,
        ]),
    ]
}

fn actual_network() -> impl Strategy<Value = ActualNetwork> {
    (select(NETWORKS.to_vec()), ownerships(), tags_there()).prop_map(|(name, ownership, tags)| {
        ActualNetwork {
            id: format!("sn-0-{name}"),
            arn: format!("arn:sn-0-{name}"),
            name: name.into(),
            tags: held_tags(&ownership, tags),
            ownership,
        }
    })
}

fn actual_vpc_association() -> impl Strategy<Value = ActualVpcAssociation> {
    let settings = (btree_set("sg-[12]", 0..2), private_dns());
    (select(NETWORKS.to_vec()), select(VPCS.to_vec()), statuses(), settings, ownerships()).prop_map(
        |(network, vpc, status, (security_groups, private_dns), ownership)| ActualVpcAssociation {
            id: format!("snva-0-{network}-{vpc}"),
            arn: format!("arn:snva-0-{network}-{vpc}"),
            network: network.into(),
            vpc: vpc.into(),
            status,
            security_groups,
            private_dns,
            ownership,
            tags: Tags::new(),
        },
    )
}

fn actual_rules(service: &'static str) -> impl Strategy<Value = Vec<ActualRule>> {
    let priorities = subsequence((1..9_u16).collect::<Vec<_>>(), 0..=4).prop_shuffle();
    let parts =
        (select(PATHS.to_vec()), select(PATHS.to_vec()), action(service), part_ownerships(), users_tags());
    (priorities, vec(parts, 4)).prop_map(|(priorities, rules)| {
        let numbered = priorities.into_iter().zip(rules);
        let rules = numbered.map(|(priority, (name, path, action, ownership, tags))| ActualRule {
            id: format!("rule-0-{priority}"),
            arn: format!("arn:rule-0-{priority}"),
            name: rule(priority, name, action.clone()).name,
            priority,
            matches: prefix(path),
            action,
            tags: held_tags(&ownership, tags),
            ownership,
        });
        unique(rules.collect(), |r| r.name.clone())
    })
}

fn actual_listener(service: &'static str) -> impl Strategy<Value = ActualListener> {
    let ours = (part_ownerships(), users_tags());
    (select(PORTS.to_vec()), protocols(), action(service), actual_rules(service), ours).prop_map(
        |(port, protocol, default_action, rules, (ownership, tags))| ActualListener {
            id: format!("listener-0-{port}"),
            arn: format!("arn:listener-0-{port}"),
            name: format!("l-{port}"),
            port,
            protocol,
            default_action,
            rules,
            tags: held_tags(&ownership, tags),
            ownership,
        },
    )
}

fn actual_association() -> impl Strategy<Value = ActualAssociation> {
    let ours = (part_ownerships(), users_tags());
    (select(NETWORKS.to_vec()), statuses(), ours).prop_map(|(network, status, (ownership, tags))| {
        ActualAssociation {
            id: format!("snsa-0-{network}"),
            arn: format!("arn:snsa-0-{network}"),
            network: network.into(),
            status,
            tags: held_tags(&ownership, tags),
            ownership,
        }
    })
}

fn actual_service() -> impl Strategy<Value = ActualService> {
    select(SERVICES.to_vec()).prop_flat_map(|name| {
        let domain = proptest::option::weighted(0.1, Just("example.com".to_owned()));
        let listeners = vec(actual_listener(name), 0..4);
        let associations = vec(actual_association(), 0..3);
        (statuses(), domain, ownerships(), tags_there(), listeners, associations, idle_timeouts()).prop_map(
            move |(status, custom_domain, ownership, tags, mut listeners, mut associations, idle)| {
                for listener in &mut listeners {
                    name_after(name, listener);
                }
                for one in &mut associations {
                    (one.id, one.arn) = (format!("{}-{name}", one.id), format!("{}-{name}", one.arn));
                }
                let read = ownership == Ownership::Ours;
                // A service cannot be deleted while it is associated.
                let associated = read && status != Status::DeleteInProgress;
                ActualService {
                    is_propagating: false,
                    id: format!("svc-0-{name}"),
                    arn: format!("arn:svc-0-{name}"),
                    name: name.into(),
                    status,
                    dns_name: None,
                    custom_domain,
                    certificate_arn: None,
                    idle_timeout_seconds: idle,
                    tags: held_tags(&ownership, marked(tags, idle)),
                    ownership,
                    listeners: if read { unique(listeners, |l| l.port) } else { vec![] },
                    associations: if associated {
                        unique(associations, |a| a.network.clone())
                    } else {
                        vec![]
                    },
                }
            },
        )
    })
}

fn actual_targets() -> impl Strategy<Value = Vec<ActualTarget>> {
    let health = select(vec![TargetHealth::Healthy, TargetHealth::Draining, TargetHealth::Unhealthy]);
    proptest::collection::btree_map(1..6_u8, health, 0..4).prop_map(|held| {
        let targets = held
            .into_iter()
            .flat_map(|(last, health)| targets(&[last]).into_iter().map(move |t| (t, health)));
        targets.map(|(target, health)| ActualTarget { target, health }).collect()
    })
}

fn actual_group() -> impl Strategy<Value = ActualTargetGroup> {
    let settings = prop_oneof![
        9 => Just(Some(TargetGroupConfig::Ip(config()))),
        1 => Just(None),
        1 => Just(Some(TargetGroupConfig::Ip(IpConfig { port: 1, ..config() }))),
    ];
    let name = (select(SERVICES.to_vec()), 0..GROUPS_PER_SERVICE + 1);
    let user = proptest::option::weighted(0.1, Just("arn:svc-of-others".to_owned()));
    (name, statuses(), settings, health_checks(), actual_targets(), part_ownerships(), tags(), user).prop_map(
        |((service, index), status, config, health_check, targets, ownership, tags, user)| {
            let name = group_name(service, index);
            ActualTargetGroup {
                id: format!("tg-0-{name}"),
                arn: format!("arn:tg-0-{name}"),
                name,
                status,
                config,
                health_check: Some(health_check),
                targets,
                service_arns: user.into_iter().collect(),
                tags: held_tags(&ownership, tags),
                ownership,
            }
        },
    )
}

fn actuals() -> impl Strategy<Value = Actual> {
    let networks = vec(actual_network(), 0..4);
    let vpc_associations =
        (vec(actual_vpc_association(), 0..3), vpc_endpoints::actuals(), resources::actuals());
    let taken = subsequence(NETWORKS.to_vec(), 0..=1);
    let logs = (access_logs::actuals(), auth::actuals(), imports::actuals(), taken);
    (networks, vpc_associations, vec(actual_service(), 0..5), vec(actual_group(), 0..12), logs).prop_map(
        |(
            networks,
            (vpc_associations, endpoints, (resource_gateways, resource_configurations)),
            services,
            target_groups,
            (access_logs, auth, certificates, taken),
        )| {
            let mut actual = Actual {
                networks: unique(networks, |n| n.name.clone()),
                vpc_associations: unique(vpc_associations, |a| a.vpc.clone()),
                vpc_endpoints: endpoints,
                subnet_zones: vpc_endpoints::zones(),
                resource_gateways,
                resource_configurations,
                services: unique(services, |s| s.name.clone()),
                target_groups: unique(target_groups, |g| g.name.clone()),
                access_logs,
                auth,
                certificates,
                refused: vec![],
                allowed_functions: BTreeSet::new(),
                taken_domains: taken.into_iter().map(taken_in).collect(),
                network_usage: BTreeMap::new(),
            };
            make_consistent(&mut actual);
            actual
        },
    )
}
