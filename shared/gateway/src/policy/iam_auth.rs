//! IAMAuthPolicy: who may call a service or a service network.
//!
//! What is closed stays closed until a person opens it:
//!
//! | there is | the service or the network |
//! |---|---|
//! | a policy | is closed, and lets in whom the policy lets in; a new one is reachable only then |
//! | a policy that cannot be had | stays as it is; a new one lets in nobody |
//! | none any more | stays closed by the last policy; a route without a hostname moves into no other service, nor is it merged, by its Gateways' word |
//! | none, and the annotation `auth-type: NONE` on the route or on all Gateways of the network | is open |
//! | a policy that a person wrote to VPC Lattice | keeps it, unless the IAMAuthPolicy's annotation says otherwise |

use super::Attached;
use super::attached::Candidate;
use crate::api;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::report::{Condition, Effect, Report};
use crate::view::View;
use crate::{Translation, conditions, reasons, status};
use serde_json::Value;
use trellis_hint::{Kind, policy_target_kinds};
use trellis_lattice::{DesiredAuth, Holder, Ownership, TAG_PREFIX};

/// Bytes that an auth policy may have (User Guide, quotas: 10 KB, not adjustable).
const POLICY_BYTES_MAX: usize = 10_240;

/// The annotation of a route or a Gateway that opens what an IAMAuthPolicy has closed, without the common prefix.
const AUTH_TYPE: &str = "auth-type";

/// The annotation of an IAMAuthPolicy that lets it take the place of a policy that a person wrote, without the common prefix.
pub(crate) const REPLACE: &str = "replace-auth-policy";

/// What a new service or network has whose policy cannot be had.
const NOBODY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// What the status of a route says whose policy is gone. It is read again ([`left_closed`]): rewording it is a change of protocol.
const LEFT: &str = "An IAMAuthPolicy that is gone has left the service closed";
/// What the status of a route says that has a policy of its own, and is in no other route's service for that; the same holds.
pub(crate) const ONE_FOR_A_SERVICE: &str = "a VPC Lattice service has one auth policy";
/// The same of a route that is not merged for that.
pub(crate) const OF_ITS_OWN: &str = "it has an IAMAuthPolicy of its own";

/// Adds what these policies ask for, and the reports on them.
pub(super) fn add(view: &View, attached: Attached, translation: &mut Translation) {
    let Attached { candidates, holders, is_opened, .. } = attached;
    let (mut given, mut is_broken): (Option<(String, DesiredPolicy)>, bool) = (None, false);
    for candidate in candidates {
        let by = given.as_ref().map(|(by, _)| by.as_str());
        let (accepted, effect) = match judge(&candidate, by) {
            Err((refused, is_own_fault)) => {
                is_broken |= is_own_fault;
                (refused, None)
            }
            Ok(policy) => {
                given.get_or_insert((candidate.named(), policy));
                let effect = match &candidate.idle {
                    Some(why) => Effect::Nothing(why.clone()),
                    None => Effect::Auth { holders: holders.clone() },
                };
                (Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, ""), Some(effect))
            }
        };
        translation.reports.push(candidate.report(accepted, effect));
    }
    // Of a cluster of which nothing is known the policy may be the one that stands.
    let is_uncertain = !translation.held.is_empty();
    let wish = |holder: &Holder| {
        let is_closed = view.actual.auth.iter().any(|one| one.holder == *holder && one.is_closed);
        let (policy, replaces_others) = match &given {
            Some(_) if is_uncertain && is_closed => return None,
            Some((_, policy)) => (Some(policy.text.clone()), policy.replaces_others),
            None if is_broken && !is_closed && !is_reachable(view, holder) => {
                (Some(NOBODY.to_owned()), false)
            }
            None if is_opened && !is_broken && !is_uncertain => (None, false),
            None => return None,
        };
        Some(DesiredAuth { holder: holder.clone(), policy, replaces_others })
    };
    let wishes: Vec<DesiredAuth> = holders.iter().filter_map(wish).collect();
    let left = view.actual.auth.iter().any(|one| one.is_closed && holders.contains(&one.holder));
    if left && given.is_none() && !is_broken && !is_opened {
        tell_left(translation);
    }
    if let Some(desired) = translation.desired.as_mut() {
        desired.auth = wishes;
    }
}

struct DesiredPolicy {
    text: String,
    replaces_others: bool,
}

/// What a policy gets, or why it gets nothing and whether that is its own fault.
fn judge(candidate: &Candidate, given: Option<&str>) -> Result<DesiredPolicy, (Condition, bool)> {
    if let Some(refused) = &candidate.refused {
        return Err((refused.clone(), false));
    }
    let text = policy(candidate.object).map_err(|problem| {
        (Condition::no_for(conditions::ACCEPTED, reasons::INVALID, vec![problem]), true)
    })?;
    if let Some(other) = given {
        let text = format!(
            "{other} counts before this one, and a target has one auth policy; delete one of the two."
        );
        return Err((Condition::no(conditions::ACCEPTED, reasons::CONFLICTED, text), false));
    }
    let replaces_others = candidate.meta.annotation(REPLACE).is_some_and(|value| value.trim() == "true");
    Ok(DesiredPolicy { text, replaces_others })
}

/// A policy's document, without spaces between its tokens: VPC Lattice takes no newlines.
pub(super) fn policy(object: &Value) -> Result<String, Problem> {
    const PATH: &str = "spec.policy";
    let text = object.pointer("/spec/policy").and_then(Value::as_str).unwrap_or_default();
    let parsed: Value = serde_json::from_str(text).map_err(|error| {
        Problem::new(
            Code::PolicyDocument,
            PATH,
            format!("The policy is no JSON ({error}); write an IAM policy document"),
        )
    })?;
    if !parsed.is_object() {
        return Err(Problem::new(
            Code::PolicyDocument,
            PATH,
            "The policy is no JSON object; write an IAM policy document",
        ));
    }
    let plain = parsed.to_string();
    if plain.len() > POLICY_BYTES_MAX {
        let text = format!(
            "The policy has {} bytes without spaces, and VPC Lattice takes {POLICY_BYTES_MAX}; make it shorter",
            plain.len()
        );
        return Err(Problem::new(Code::PolicyDocument, PATH, text));
    }
    Ok(plain)
}

/// Whether requests may have come already: then closing for everybody would be an outage.
fn is_reachable(view: &View, holder: &Holder) -> bool {
    match holder {
        Holder::Service(name) => {
            let ours = view.actual.services.iter().filter(|one| one.ownership == Ownership::Ours);
            ours.into_iter().any(|one| one.name == *name && !one.associations.is_empty())
        }
        Holder::Network(name) => view.actual.vpc_associations.iter().any(|one| one.network == *name),
    }
}

/// Whether an object says that what an IAMAuthPolicy has closed is to be open.
pub(super) fn opens(object: &Value) -> bool {
    api::annotation(object, AUTH_TYPE).is_some_and(|value| value.trim().eq_ignore_ascii_case("NONE"))
}

/// What a route is told that is closed by a policy that is gone.
fn left() -> Problem {
    let path = format!("metadata.annotations[{TAG_PREFIX}{AUTH_TYPE}]");
    Problem::new(
        Code::AuthStays,
        path,
        format!("{LEFT}; make one anew, or set the annotation to {} to open it", quoted("NONE")),
    )
}

/// Why the rules of a route that has no policy may be in no service but those that it has: as its status tells, a policy that is
/// gone has left these closed, and no other service is known to be.
pub(crate) fn left_closed(route: &Value) -> Option<Problem> {
    let was_apart = status::has_words(route, OF_ITS_OWN)
        || status::has_words(route, ONE_FOR_A_SERVICE) && !status::told_services(route).is_empty();
    let is_left = !opens(route) && (was_apart || status::has_words(route, LEFT));
    is_left.then(left)
}

/// Tells a route that it is closed by a policy that is gone.
fn tell_left(translation: &mut Translation) {
    let left = left();
    let note = left.to_string();
    for report in &mut translation.reports {
        let Report::Route(report) = report else { continue };
        for parent in &mut report.parents {
            let notes = [parent.notes.as_str(), note.as_str()];
            parent.notes = notes.into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>().join(" ");
            parent.problems.push(left.clone());
        }
    }
}

/// Whether an IAMAuthPolicy names the route itself: a service has one, so such a route cannot be in another route's.
pub(crate) fn has_its_own(view: &View, id: &crate::route::RouteId) -> Result<bool, String> {
    if !policy_target_kinds(Kind::IAMAuthPolicy).contains(&id.kind) {
        return Ok(false);
    }
    let policies = view.list(&id.cluster, Kind::IAMAuthPolicy, Some(&id.namespace))?;
    Ok(policies
        .into_values()
        .any(|policy| super::attached::naming(policy, &id.namespace, id.kind, &id.name).is_some()))
}
