//! What a ServiceImport that is gone leaves for a while, and one that nothing permits any more ([`trellis_lattice::Grace`]).
//!
//! An import may stand for an export of another name, or for some exporters only. Once it is gone nothing names these: what
//! VPC Lattice has tells.
//!
//! | the import | its rules lead to, for a while |
//! |---|---|
//! | is there, and a grant is gone or nobody exports it any more | the target groups of what it says that it stands for |
//! | is gone, and all that its rules lead to beside the other imports' is of the export of its name | these target groups |
//! | is gone, and that is of another export, or may be another import's too | what they led to, as it was: the service is marked (`GoneImports`) |

use super::external;
use super::gone::{self, Origin};
use super::service::{Asked, Pool};
use super::{BackendError, Pools, imports};
use crate::api::{self, Meta, ServiceImport};
use crate::reasons;
use crate::route::{BackendRef, Route, RouteId, Rule};
use crate::view::{Found, View};
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, Scope, backend_kind};
use trellis_lattice::{ActualTargetGroup, Grace, RuleMatch, TAG_EXPORT, TAG_SOURCE, TargetGroupConfig};

/// What exports an import stands for.
struct Meaning {
    scope: Scope,
    export: String,
    /// Only the cluster of that name.
    cluster: Option<String>,
    /// Only clusters of that VPC.
    vpc: Option<String>,
    /// The one that a backend means which names none.
    port: Option<i64>,
}

impl Meaning {
    fn takes(&self, group: &ActualTargetGroup) -> bool {
        let source: Option<ClusterId> = group.tags.get(TAG_SOURCE).and_then(|source| source.parse().ok());
        let vpc = group.config.as_ref().and_then(TargetGroupConfig::reached).map(|reached| reached.vpc);
        group.tags.get(TAG_EXPORT) == Some(&self.export)
            && source.is_some_and(|source| {
                source.scope == self.scope && self.cluster.as_ref().is_none_or(|only| *only == source.name)
            })
            && self.vpc.as_ref().is_none_or(|only| Some(only) == vpc.as_ref())
    }
}

/// What is known of an import.
enum Import {
    Exports(Meaning),
    /// It stands for a target group that the unit did not make.
    OfOthers,
    Missing,
    Unknown,
}

impl Import {
    fn of(view: &View, cluster: &ClusterId, namespace: &str, name: &str) -> Self {
        let object = match view.get(cluster, Kind::ServiceImport, namespace, name) {
            Found::Unknown(_) => return Self::Unknown,
            Found::Missing => return Self::Missing,
            Found::Object(object) => object,
        };
        let meta: Meta = api::meta(object);
        if meta.annotation(external::ANNOTATION).is_some() {
            return Self::OfOthers;
        }
        let ports = api::parse::<ServiceImport>(object).ok().and_then(|import| import.spec.ports);
        let narrowed = |name| meta.annotation(name).map(str::to_owned);
        Self::Exports(Meaning {
            scope: cluster.scope.clone(),
            export: meta.annotation(imports::EXPORT_NAME).unwrap_or(name).to_owned(),
            cluster: narrowed(imports::ONLY_CLUSTER),
            vpc: narrowed(imports::ONLY_VPC),
            port: ports.and_then(|ports| Some(ports.first()?.port)),
        })
    }
}

/// A ServiceImport among a route's backends.
struct Reference<'a> {
    namespace: &'a str,
    backend: &'a BackendRef,
}

impl<'a> Reference<'a> {
    /// If it is one that gets requests.
    fn of(route: &'a RouteId, backend: &'a BackendRef) -> Option<Self> {
        let is_import = backend_kind(&backend.group, &backend.kind) == Some(Kind::ServiceImport);
        let namespace = backend.namespace.as_deref().unwrap_or(&route.namespace);
        (is_import && backend.weight > 0).then_some(Self { namespace, backend })
    }

    fn is_of(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.backend.name == name
    }

    fn import(&self, view: &View, cluster: &ClusterId) -> Import {
        Import::of(view, cluster, self.namespace, &self.backend.name)
    }
}

/// What requests go to of an import that is gone, or that is not permitted any more; else the error.
pub(super) fn for_a_while(
    view: &View,
    route: &Route,
    (namespace, backend): (&str, &BackendRef),
    asked: &Asked,
    error: BackendError,
) -> Result<Pools, BackendError> {
    gone::kept(error, |reason| {
        let beside = Beside::of(view, route, namespace, &backend.name);
        match Import::of(view, &route.id.cluster, namespace, &backend.name) {
            Import::OfOthers => vec![],
            // Somebody else's wish for a target group would take the mark away that it is to go by.
            Import::Exports(meaning)
                if reason == reasons::REF_NOT_PERMITTED && beside.shares(&meaning.export) =>
            {
                vec![]
            }
            Import::Exports(meaning) => {
                let asked = Asked { port: asked.port.or(meaning.port), ..*asked };
                let origin = origin(namespace, &meaning.export);
                let led_to = gone::led_to(view, &origin, &asked);
                gone::left(led_to.filter(|group| meaning.takes(group)), &asked)
            }
            Import::Missing | Import::Unknown => {
                beside.by_name(view, &route.id, (namespace, &backend.name), asked)
            }
        }
    })
}

fn origin<'a>(namespace: &'a str, export: &'a str) -> Origin<'a> {
    Origin { cluster: None, kind: Kind::Service, namespace, service: None, export: Some(export) }
}

/// Whether a target group is ours and of an export in that namespace, whatever the export's name.
fn is_exported(group: &ActualTargetGroup, namespace: &str, port: Option<i64>) -> bool {
    let export = group.tags.get(TAG_EXPORT);
    export.is_some_and(|export| gone::is_of(group, &origin(namespace, export), port))
}

/// What stands beside an import in its route.
#[derive(Default)]
struct Beside {
    /// Matches of the rules that have the import.
    matches: BTreeSet<RuleMatch>,
    /// Other imports of its namespace in these rules.
    in_rules: Vec<Import>,
    /// Those in other rules.
    elsewhere: Vec<Import>,
}

impl Beside {
    fn of(view: &View, route: &Route, namespace: &str, name: &str) -> Self {
        let mut beside = Self::default();
        for rule in &route.rules {
            let all = || rule.backends.iter().filter_map(|backend| Reference::of(&route.id, backend));
            let others = all().filter(|one| one.namespace == namespace && one.backend.name != name);
            let others = others.map(|one| one.import(view, &route.id.cluster));
            if !all().any(|one| one.is_of(namespace, name)) {
                beside.elsewhere.extend(others);
                continue;
            }
            beside.in_rules.extend(others);
            let alternatives = rule.matches.iter().flat_map(|one| &one.alternatives);
            beside.matches.extend(alternatives.map(RuleMatch::normalised));
        }
        beside
    }

    /// Whether another import of the route stands for an export of that name, too.
    fn shares(&self, export: &str) -> bool {
        let mut all = self.in_rules.iter().chain(&self.elsewhere);
        all.any(|one| matches!(one, Import::Exports(meaning) if meaning.export == export))
    }

    /// What the import's rules lead to of the export of its name, if that can be nobody else's.
    fn by_name(
        &self,
        view: &View,
        route: &RouteId,
        (namespace, name): (&str, &str),
        asked: &Asked,
    ) -> Vec<Pool> {
        let is_untold = |one: &Import| matches!(one, Import::Missing | Import::Unknown);
        if self.shares(name) || self.in_rules.iter().any(is_untold) {
            return vec![];
        }
        let (mut own, mut elsewhere, mut has_rule) = (BTreeSet::new(), BTreeSet::new(), false);
        for (matches, action) in gone::rules(view) {
            let is_own = self.matches.contains(&matches);
            has_rule |= is_own;
            if is_own { &mut own } else { &mut elsewhere }.extend(action.target_groups());
        }
        let is_others = |group: &ActualTargetGroup| {
            let mut others = self.in_rules.iter();
            others.any(|one| matches!(one, Import::Exports(meaning) if meaning.takes(group)))
        };
        let all = view.actual.target_groups.iter();
        let all = all.filter(|group| is_exported(group, namespace, asked.port) && !is_others(group));
        let is_named_so =
            |group: &&ActualTargetGroup| group.tags.get(TAG_EXPORT).is_some_and(|export| export == name);
        // Whose matches are being edited has none of them there: its own target groups are told by their tags.
        if !has_rule {
            let all = all.filter(|group| elsewhere.contains(group.name.as_str()));
            return gone::left(
                all.filter(|group| gone::is_of_route(group, route)).filter(is_named_so),
                asked,
            );
        }
        let theirs: Vec<&ActualTargetGroup> = all.filter(|group| own.contains(group.name.as_str())).collect();
        let are_clear =
            theirs.iter().all(|group| is_named_so(group) && !elsewhere.contains(group.name.as_str()));
        if are_clear { gone::left(theirs.into_iter(), asked) } else { vec![] }
    }
}

/// What tells of a rule's target groups whether they may be of an import of it that is gone.
pub(crate) struct Gone<'a> {
    /// Each with what it stands for, where it is there and only not permitted any more.
    missing: Vec<(Reference<'a>, Option<Meaning>)>,
    /// The others of the rule: namespace and meaning.
    present: Vec<(&'a str, Meaning)>,
    /// What the rule leads to.
    pools: Vec<&'a Pool>,
    grace: Option<Grace>,
}

impl<'a> Gone<'a> {
    /// Of a rule of a route, and what its backends lead to.
    pub(crate) fn of(
        view: &View,
        route: &'a RouteId,
        rule: &'a Rule,
        backends: &'a [(u32, Result<Pools, BackendError>)],
        grace: Option<Grace>,
    ) -> Self {
        let used = backends.iter().filter(|(weight, _)| *weight > 0);
        let pools = used.filter_map(|(_, found)| found.as_ref().ok()).flat_map(|found| &found.busy);
        let mut all = Self { missing: vec![], present: vec![], pools: pools.collect(), grace };
        for (backend, (_, found)) in rule.backends.iter().zip(backends) {
            let Some(one) = Reference::of(route, backend) else { continue };
            let refused = match found {
                Err(BackendError::Broken(reason, _)) => Some(*reason),
                Ok(_) | Err(BackendError::Awaited(..) | BackendError::Unknown(_)) => None,
            };
            match (refused, one.import(view, &route.cluster)) {
                (Some(reasons::BACKEND_NOT_FOUND | reasons::REF_NOT_PERMITTED), Import::Missing)
                | (Some(reasons::REF_NOT_PERMITTED), Import::Unknown) => all.missing.push((one, None)),
                (Some(reasons::REF_NOT_PERMITTED), Import::Exports(meaning)) => {
                    all.missing.push((one, Some(meaning)));
                }
                (_, Import::Exports(meaning)) => all.present.push((one.namespace, meaning)),
                (_, Import::OfOthers | Import::Missing | Import::Unknown) => {}
            }
        }
        all
    }

    /// Whether a target group may be of one that is gone: the rule leads there by nobody else. One that has borne a mark of its own
    /// for the grace is of nobody any more.
    pub(crate) fn may_have(&self, group: &ActualTargetGroup) -> bool {
        let is_present =
            |namespace: &str| self.present.iter().any(|(own, one)| *own == namespace && one.takes(group));
        let may_be = |(one, meaning): &(Reference, Option<Meaning>)| {
            let port = one.backend.port.or_else(|| meaning.as_ref().and_then(|meaning| meaning.port));
            is_exported(group, one.namespace, port)
                && meaning.as_ref().map_or_else(|| !is_present(one.namespace), |one| one.takes(group))
        };
        self.missing.iter().any(may_be) && !self.leads_to(group) && gone::mark(self.grace, group).is_some()
    }

    /// Whether what the rule leads to now has such a target group.
    pub(crate) fn leads_to(&self, group: &ActualTargetGroup) -> bool {
        self.pools.iter().any(|pool| {
            let origin = Origin {
                cluster: Some(&pool.cluster),
                kind: pool.kind,
                namespace: &pool.namespace,
                service: Some(&pool.service),
                export: pool.export.as_deref(),
            };
            gone::is_of(group, &origin, pool.config.port().map(i64::from))
        })
    }
}
