//! Small values to build cases from, and what every case must hold.

use std::collections::BTreeSet;
use trellis_lattice::{
    Action, Actual, ActualAssociation, ActualListener, ActualNetwork, ActualRule, ActualService,
    ActualTargetGroup, ActualVpcAssociation, Desired, DesiredListener, DesiredNetwork, DesiredRule,
    DesiredService, DesiredTargetGroup, DesiredVpcAssociation, HealthCheck, IpConfig, IpFamily, Limits,
    ListenerProtocol, Owner, Ownership, PathMatch, Plan, PrivateDns, ProtocolVersion, RuleMatch, Status,
    Step, TAG_USER, Tags, TakenDomain, Target, TargetGroupConfig, TargetProtocol, ViolationKind,
    WeightedTargetGroup, check, plan, settle, simulate, user_tags_mark,
};

pub(crate) const VPC: &str = "vpc-1";

pub(crate) fn owner() -> Owner {
    Owner { installation: "trellis".into(), unit: "route-one".into(), key: "route/one".into() }
}

pub(crate) fn other_unit() -> Ownership {
    Ownership::OtherUnit("route/other".into())
}

pub(crate) fn forward(shares: &[(&str, u16)]) -> Action {
    let share = |(group, weight): &(&str, u16)| WeightedTargetGroup {
        target_group: (*group).into(),
        weight: *weight,
    };
    Action::Forward(shares.iter().map(share).collect())
}

pub(crate) fn prefix(path: &str) -> RuleMatch {
    RuleMatch { path: Some(PathMatch::Prefix(path.into())), ..RuleMatch::default() }
}

/// A rule named after its path.
pub(crate) fn rule(priority: u16, path: &str, action: Action) -> DesiredRule {
    let name = format!("r{}", path.replace('/', "-"));
    DesiredRule { name, priority, matches: prefix(path), action }
}

pub(crate) fn listener(port: u16, rules: Vec<DesiredRule>) -> DesiredListener {
    DesiredListener {
        name: format!("l-{port}"),
        port,
        protocol: ListenerProtocol::Http,
        default_action: Action::FixedResponse(404),
        rules,
    }
}

pub(crate) fn service(name: &str, listeners: Vec<DesiredListener>) -> DesiredService {
    DesiredService {
        name: name.into(),
        custom_domain: None,
        certificate_arn: None,
        idle_timeout_seconds: None,
        networks: ["net".to_owned()].into(),
        listeners,
        tags: Tags::new(),
    }
}

pub(crate) fn config() -> IpConfig {
    IpConfig {
        port: 8090,
        protocol: TargetProtocol::Http,
        protocol_version: Some(ProtocolVersion::Http1),
        ip_family: IpFamily::Ipv4,
        vpc: VPC.into(),
    }
}

pub(crate) fn targets(last: &[u8]) -> BTreeSet<Target> {
    last.iter().map(|n| Target::at(format!("10.0.0.{n}"), 8090)).collect()
}

pub(crate) fn group(name: &str, last: &[u8]) -> DesiredTargetGroup {
    DesiredTargetGroup {
        name: name.into(),
        config: TargetGroupConfig::Ip(config()),
        health_check: Some(HealthCheck::default_for(config().protocol, config().protocol_version)),
        targets: targets(last),
        tags: Tags::new(),
    }
}

pub(crate) fn route(services: Vec<DesiredService>, target_groups: Vec<DesiredTargetGroup>) -> Desired {
    Desired { services, target_groups, ..Desired::nothing(owner()) }
}

/// One service `s` with one listener on port 80.
pub(crate) fn simple_route(rules: Vec<DesiredRule>, groups: &[&str]) -> Desired {
    let groups = groups.iter().map(|name| group(name, &[1])).collect();
    route(vec![service("s", vec![listener(80, rules)])], groups)
}

pub(crate) fn gateway(vpcs: &[&str]) -> Desired {
    let association = |vpc: &&str| DesiredVpcAssociation {
        network: "net".into(),
        vpc: (*vpc).into(),
        security_groups: BTreeSet::new(),
        private_dns: PrivateDns::default(),
        tags: Tags::new(),
    };
    Desired {
        network: Some(DesiredNetwork { name: "net".into(), tags: Tags::new() }),
        vpc_associations: vpcs.iter().map(association).collect(),
        ..Desired::nothing(owner())
    }
}

pub(crate) fn network(name: &str, ownership: Ownership) -> ActualNetwork {
    let tags = if ownership == Ownership::Ours { owner().tags() } else { Tags::new() };
    ActualNetwork {
        id: format!("sn-{name}"),
        arn: format!("arn:sn-{name}"),
        name: name.into(),
        ownership,
        tags,
    }
}

pub(crate) fn vpc_association(network: &str, status: Status, ownership: Ownership) -> ActualVpcAssociation {
    ActualVpcAssociation {
        id: format!("snva-{network}"),
        arn: format!("arn:snva-{network}"),
        network: network.into(),
        vpc: VPC.into(),
        status,
        security_groups: BTreeSet::new(),
        private_dns: PrivateDns::default(),
        ownership,
        tags: Tags::new(),
    }
}

/// What is there before a route: the network of a Gateway.
pub(crate) fn only_network() -> Actual {
    Actual { networks: vec![network("net", Ownership::OtherUnit("gateway/net".into()))], ..Actual::default() }
}

/// What is there when the wish has come true.
pub(crate) fn made(desired: &Desired) -> Actual {
    let start = if desired.network.is_some() { Actual::default() } else { only_network() };
    settle(&simulate(&start, &plan(desired, &start, &Limits::default())))
}

/// What is there when the wish has come true, but for one change.
pub(crate) fn made_but(desired: &Desired, change: impl FnOnce(&mut Actual)) -> Actual {
    let mut actual = made(desired);
    change(&mut actual);
    actual
}

pub(crate) fn only_service(actual: &mut Actual) -> &mut ActualService {
    &mut actual.services[0]
}

pub(crate) fn only_association(actual: &mut Actual) -> &mut ActualAssociation {
    &mut only_service(actual).associations[0]
}

pub(crate) fn only_listener(actual: &mut Actual) -> &mut ActualListener {
    &mut only_service(actual).listeners[0]
}

pub(crate) fn only_group(actual: &mut Actual) -> &mut ActualTargetGroup {
    &mut actual.target_groups[0]
}

/// The tag `team` as a user asks for it, with what tells of that.
pub(crate) fn user_tags(team: &str) -> Tags {
    let mark = user_tags_mark([&"team".to_owned()]);
    Tags::from([("team".to_owned(), team.to_owned()), (TAG_USER.to_owned(), mark)])
}

/// A rule that somebody else put there.
pub(crate) fn foreign_rule(priority: u16) -> ActualRule {
    ActualRule {
        id: format!("rule-foreign-{priority}"),
        arn: format!("arn:rule-foreign-{priority}"),
        name: format!("foreign-{priority}"),
        priority,
        matches: prefix(&format!("/foreign/{priority}")),
        action: Action::FixedResponse(500),
        ownership: Ownership::Foreign,
        tags: Tags::new(),
    }
}

/// The plan, after holding it against what every plan must fulfil: the checker finds nothing, no step touches what is
/// not ours, and once it is done nothing is left to do.
pub(crate) fn plan_within(desired: &Desired, actual: &Actual, limits: &Limits) -> Plan {
    let made = plan(desired, actual, limits);
    let violations = check(&made, desired, actual, limits);
    assert!(violations.is_empty(), "{violations:?}\nin\n{made}");
    let then = settle(&simulate(actual, &made));
    let next = plan(desired, &then, limits);
    assert!(next.is_settled(), "after\n{made}\nthere is still\n{next}");
    made
}

/// What the checker finds in a plan of one step.
pub(crate) fn violations(desired: &Desired, actual: &Actual, step: impl Into<Step>) -> Vec<ViolationKind> {
    let plan = Plan {
        owner: owner(),
        steps: vec![step.into()],
        blocked: vec![],
        withheld: vec![],
        grace_left: None,
    };
    check(&plan, desired, actual, &Limits::default()).into_iter().map(|found| found.kind).collect()
}

/// The first of [`violations`].
pub(crate) fn violation(desired: &Desired, actual: &Actual, step: impl Into<Step>) -> Option<ViolationKind> {
    violations(desired, actual, step).into_iter().next()
}

/// [`plan_within`] AWS's default quotas, as text.
pub(crate) fn planned(desired: &Desired, actual: &Actual) -> String {
    plan_within(desired, actual, &Limits::default()).to_string()
}

/// Whether the lines stand in the text in this order, with anything between.
pub(crate) fn assert_in_order(text: &str, lines: &[&str]) {
    let mut rest = text.lines();
    for line in lines {
        assert!(rest.any(|held| held.trim() == *line), "`{line}` is missing or out of order in\n{text}");
    }
}

/// Ids are of one listener and one rule only.
pub(crate) fn name_after(service: &str, listener: &mut ActualListener) {
    let port = listener.port;
    (listener.id, listener.arn) =
        (format!("{}-{service}", listener.id), format!("{}-{service}", listener.arn));
    for one in &mut listener.rules {
        (one.id, one.arn) = (format!("{}-{service}-{port}", one.id), format!("{}-{service}-{port}", one.arn));
    }
}

/// A custom domain that wishes have.
pub(crate) fn taken_in(network: &str) -> TakenDomain {
    let (network, domain) = (network.to_owned(), "example.com".to_owned());
    TakenDomain { network, domain, arn: "arn:svc-of-others".into(), unit: None }
}

/// A custom domain is one service's in a network, so nobody wishes for two.
pub(crate) fn one_in_a_network(mut services: Vec<DesiredService>) -> Vec<DesiredService> {
    let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
    for service in &mut services {
        if let Some(domain) = service.custom_domain.clone() {
            service.networks.retain(|network| taken.insert((domain.clone(), network.clone())));
        }
    }
    services
}

/// The first of each key.
pub(crate) fn unique<T, K: Ord>(values: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = BTreeSet::new();
    values.into_iter().filter(|value| seen.insert(key(value))).collect()
}
