//! What is told of TargetGroupPolicies, in the status of each: an entry for its Service or export, and one for each route
//! whose target groups follow it.
//!
//! | entry | written by |
//! |---|---|
//! | Service, Backend | the routes that lead to it, and its `dependents` unit |
//! | route | its own unit |
//! | ServiceExport | the export's unit |
//!
//! Routes of other clusters follow the policies of an export and have no entry: a reference names no cluster.

use super::attached::missing;
use super::target_group::{Judged, judged};
use crate::backend::{declared, is_of_other_federation};
use crate::problem::quoted;
use crate::report::{Condition, Effect, PolicyEntry, PolicyReport, Report};
use crate::route::RouteId;
use crate::status::policy_routes;
use crate::units::dependents::{Changed, Hints};
use crate::units::subject;
use crate::view::{Found, View};
use crate::{Translation, api, conditions, naming, reasons};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, PolicyTarget, UnitKey, policy_targets};
use trellis_lattice::{DesiredTargetGroup, TAG_EXPORT, TAG_POLICY, TAG_SOURCE};

/// Adds to a route's translation what it tells of the policies of the Services and Backends that it leads to, in its own cluster, and of
/// those that it followed before.
pub(super) fn add_of_route(view: &View, id: &RouteId, translation: &mut Translation) {
    let Some(desired) = &translation.desired else { return };
    let own: Vec<&DesiredTargetGroup> =
        desired.target_groups.iter().filter(|group| is_of_own(group, &id.cluster)).collect();
    let route = reference(id.kind, &id.namespace, &id.name);
    let mut reports = vec![];
    let namespaces = own.iter().filter_map(|group| source_of(group)).map(|(_, namespace, _)| namespace);
    for namespace in namespaces.chain([id.namespace.as_str()]).collect::<BTreeSet<&str>>() {
        let Ok(listed) = view.list(&id.cluster, Kind::TargetGroupPolicy, Some(namespace)) else { continue };
        let followed = |object: &&Value| policy_routes(object).contains(&route);
        let before = listed.values().filter(followed).flat_map(policy_targets);
        let before: Vec<PolicyTarget> = before.collect();
        let before = before.iter().filter(|target| target.is_local(namespace)).filter_map(|target| {
            let kind = target.known_kind().filter(|kind| FOLLOWED.contains(kind))?;
            Some((kind, target.name.as_str()))
        });
        let now = own.iter().filter_map(|group| source_of(group)).filter(|(_, at, _)| *at == namespace);
        let sources: BTreeSet<(Kind, &str)> = now.map(|(kind, _, name)| (kind, name)).chain(before).collect();
        let mut told: BTreeMap<String, PolicyReport> = BTreeMap::new();
        for (kind, name) in sources {
            for one in judged_of(view, &id.cluster, (kind, namespace, name)).unwrap_or_default() {
                tell(&one, &own, &route, &mut told);
            }
        }
        reports.extend(told.into_values().map(Report::Policy));
    }
    translation.reports.extend(reports);
}

/// Tells of one policy of a Service: of the Service, and of the route if its target groups follow it.
fn tell(
    one: &Judged,
    own: &[&DesiredTargetGroup],
    route: &PolicyTarget,
    told: &mut BTreeMap<String, PolicyReport>,
) {
    let Judged { candidate, .. } = one;
    let report = told.entry(candidate.meta.name.clone()).or_insert_with(|| {
        let mut routes = policy_routes(candidate.object);
        routes.remove(route);
        PolicyReport {
            subject: subject(&candidate.cluster, candidate.kind, candidate.object),
            entries: vec![],
            routes: Some(routes),
        }
    });
    report.entries.push(entry_of(one));
    let Ok(wish) = &one.wish else { return };
    let groups = own.iter().filter(|group| group.tags.get(TAG_POLICY) == Some(&wish.policy));
    let groups: Vec<&&DesiredTargetGroup> = groups.collect();
    if groups.is_empty() || report.entries.iter().any(|entry| entry.target == *route) {
        return;
    }
    let effect = effect(one, groups.into_iter().copied());
    report.entries.push(PolicyEntry { target: route.clone(), accepted: accepted(), effect });
}

/// Adds to an export's translation what it tells of its own policies.
pub(super) fn add_of_export(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    translation: &mut Translation,
) {
    let listed = view.list(cluster, Kind::TargetGroupPolicy, Some(namespace));
    let is_there = match view.get(cluster, Kind::ServiceExport, namespace, name) {
        Found::Unknown(_) => return,
        Found::Missing => false,
        Found::Object(object) => !is_of_other_federation(object),
    };
    let Ok(listed) = listed else { return };
    let is_held = translation.desired.is_none() && !translation.refused;
    if is_held {
        return;
    }
    let groups: Vec<DesiredTargetGroup> =
        translation.desired.iter().flat_map(|desired| desired.target_groups.clone()).collect();
    let target = (Kind::ServiceExport, namespace, name);
    let refused = (!is_there).then(|| missing(Kind::ServiceExport, namespace, name));
    for one in judged(&listed, cluster, target, refused.as_ref()) {
        let accepted = one.wish.as_ref().err().cloned().unwrap_or_else(accepted);
        let effect = if translation.refused {
            one.wish.is_ok().then(|| Effect::Nothing("The export is not valid; see its status.".into()))
        } else {
            effect(&one, groups.iter())
        };
        translation.reports.push(one.candidate.report(accepted, effect));
    }
}

/// What the `dependents` unit of a Service or a Backend tells of its policies, also where no route leads to it. `users` is who refers
/// to it, asked only if there is a policy.
pub(crate) fn of_source(view: &View, changed: &Changed, users: impl FnOnce() -> Hints) -> Vec<Report> {
    let Changed { kind, cluster, namespace, name } = *changed;
    let Ok(judged) = judged_of(view, cluster, (kind, namespace, name)) else { return vec![] };
    if judged.is_empty() {
        return vec![];
    }
    let users: Vec<UnitKey> = users().into_keys().collect();
    let routes = users.iter().filter_map(|unit| match unit {
        UnitKey::Route { kind, cluster: at, namespace, name } if at == cluster => {
            Some(reference(*kind, namespace, name))
        }
        _ => None,
    });
    let routes: BTreeSet<PolicyTarget> = routes.collect();
    let report = |one: &Judged| {
        let object = one.candidate.object;
        // The routes of another target of the policy are known to that one.
        let is_only = policy_targets(object).len() == 1;
        Report::Policy(PolicyReport {
            subject: subject(cluster, Kind::TargetGroupPolicy, object),
            entries: vec![entry_of(one)],
            routes: is_only.then(|| routes.clone()),
        })
    };
    judged.iter().map(report).collect()
}

/// The policies of a Service or a Backend.
fn judged_of<'a>(
    view: &View<'a>,
    cluster: &ClusterId,
    target: (Kind, &str, &str),
) -> Result<Vec<Judged<'a>>, String> {
    let (kind, namespace, name) = target;
    let listed = view.list(cluster, Kind::TargetGroupPolicy, Some(namespace))?;
    let judged_by = |refused: Option<Condition>| judged(&listed, cluster, target, refused.as_ref());
    if judged_by(None).is_empty() {
        return Ok(vec![]);
    }
    Ok(match view.get_even_terminating(cluster, kind, namespace, name) {
        Found::Unknown(why) => return Err(why),
        Found::Missing => judged_by(Some(missing(kind, namespace, name))),
        Found::Object(object) => judged_by(unfit(cluster, kind, object)),
    })
}

/// Why no policy can count for a Backend.
fn unfit(cluster: &ClusterId, kind: Kind, object: &Value) -> Option<Condition> {
    let what = (kind == Kind::Backend).then(|| declared::without_policy(object, &cluster.scope)).flatten()?;
    let text = format!(
        "{} is {what}, and such a policy counts for Services, addresses and instances only; name one of these.",
        quoted(&api::meta(object).name)
    );
    Some(Condition::no(conditions::ACCEPTED, reasons::INVALID, text))
}

/// A policy's entry for its Service or Backend.
fn entry_of(one: &Judged) -> PolicyEntry {
    let target = one.candidate.target.clone();
    match &one.wish {
        Err(refused) => PolicyEntry { target, accepted: refused.clone(), effect: None },
        Ok(_) => PolicyEntry { target, accepted: accepted(), effect: Some(Effect::Followed) },
    }
}

/// What a policy that counts does to target groups, of which those that bear its tag are made as it says.
fn effect<'g>(one: &Judged, groups: impl Iterator<Item = &'g DesiredTargetGroup>) -> Option<Effect> {
    let wish = one.wish.as_ref().ok()?;
    let groups = groups.filter(|group| group.tags.get(TAG_POLICY) == Some(&wish.policy));
    let groups: Vec<&DesiredTargetGroup> = groups.collect();
    let configs = || groups.iter().filter_map(|group| group.config.reached());
    let unheeded = configs().filter_map(|config| wish.unheeded(config.protocol, config.protocol_version));
    let unheeded: BTreeSet<String> = unheeded.map(|problem| problem.to_string()).collect();
    let lagging = groups.iter().filter(|group| !wish.is_met(group));
    let moot: BTreeSet<&str> = configs().filter_map(|config| wish.moot(config.protocol)).collect();
    Some(Effect::TargetGroups {
        target_groups: groups.iter().map(|group| group.name.clone()).collect(),
        unheeded: unheeded.into_iter().collect(),
        moot: moot.into_iter().map(str::to_owned).collect(),
        lagging: lagging.map(|group| group.name.clone()).collect(),
    })
}

fn accepted() -> Condition {
    Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, "")
}

/// A route as a policy's status names it.
fn reference(kind: Kind, namespace: &str, name: &str) -> PolicyTarget {
    PolicyTarget {
        group: kind.group().to_owned(),
        kind: kind.as_str().to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// The kinds whose policies routes follow.
const FOLLOWED: [Kind; 2] = [Kind::Service, Kind::Backend];

/// Whether a target group was made for a Service or a Backend of the cluster, as a route of it names one.
fn is_of_own(group: &DesiredTargetGroup, cluster: &ClusterId) -> bool {
    let source = group.tags.get(TAG_SOURCE);
    let is_own = source.is_some_and(|source| *source == cluster.to_string());
    is_own && !group.tags.contains_key(TAG_EXPORT)
}

/// Kind, namespace and name of a target group's Service or Backend.
fn source_of(group: &DesiredTargetGroup) -> Option<(Kind, &str, &str)> {
    let tag = |name: &str| group.tags.get(&naming::tag_key(name)).map(String::as_str);
    let kind = naming::kind_of_source(&group.tags);
    Some((kind, tag(naming::SERVICE_NAMESPACE)?, tag(naming::SERVICE_NAME)?))
}
