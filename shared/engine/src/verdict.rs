//! What became of a unit.

use crate::Task;
use crate::status::Untold;
use std::time::Duration;
use trellis_gateway::{Assessment, pods_waiting, waits_for_endpoint_names, waits_for_secrets};
use trellis_lattice::names::is_network_id;
use trellis_lattice::{Blocked, Outcome};
use trellis_ports::{Applied, End, ErrorClass};

/// When a delete that VPC Lattice refuses is tried again: what holds the resource, a service of ours that is about to leave
/// say, takes seconds. Each further wait is twice as long.
const REFUSED_AGAIN: Duration = Duration::from_secs(15);

/// How often in a row. What is then still held is held by somebody else, and a person must end that; a service of ours that
/// leaves later tells the Gateway so by itself.
const REFUSED_WAITS_MAX: u32 = 2;

/// When is looked again for what nobody tells of, by the number of waits before in a row: VPC Lattice tells nobody that a target is
/// healthy, nor Kubernetes in an EndpointSlice that a Pod's containers are ready, of Secrets no webhook may know, and a target group that
/// somebody else makes bears no tag of ours. Most Pods are, and most new certificates are there, after half a minute; what takes longer is looked for less often, for 20 minutes in all.
const AGAIN: [(u32, Duration); 3] =
    [(24, Duration::from_mins(1)), (12, Duration::from_secs(15)), (0, Duration::from_secs(5))];

/// When a route is looked at again that comes from one service into another: whether that one answers shows then, or in another
/// route's status.
const MOVING_AGAIN: Duration = Duration::from_secs(5);

/// What is waited for while something stays that nobody wants any more.
const GRACE: &str = "what nobody wants any more stays for a while";

/// What became of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as it should be.
    Done,
    /// VPC Lattice is at work on it; look again.
    Waiting {
        /// When to look again.
        after: Duration,
        /// What for.
        reason: String,
        /// Whether it is one of the waits after which a unit is given up. That the grace has to pass is none.
        counts: bool,
    },
    /// Something is in the way that only a person can change. The status says what, or the log where no object is left to
    /// say it; the drift pass looks again.
    Blocked(String),
    /// Something that has to be known could not be read, or a cluster took no status. What is unknown was left as it is.
    Held(String),
    /// It has failed; trying again may help.
    Failed {
        /// What has failed, with the causes.
        reason: String,
        /// When to try again, if somebody told.
        after: Option<Duration>,
        /// Whether somebody may not have been told what it wrote.
        owes: bool,
    },
}

/// The verdict on a unit. Pods and Secrets that wait for it bring it back, target groups that it waits for, and requests that are to come to another service,
/// whatever a person has to do about the rest.
pub(crate) fn verdict(task: &Task, assessment: &Assessment, applied: Applied, untold: &Untold) -> Verdict {
    let waits_for = match pods_waiting(&assessment.translation, &applied.outcome) {
        0 if waits_for_secrets(&assessment.translation) => {
            Some("listeners wait for their Secrets".to_owned())
        }
        0 if waits_for_endpoint_names(&assessment.translation) => {
            Some("Gateways wait for the domain names of their VPC endpoints".to_owned())
        }
        0 => assessment.awaits().map(|what| format!("rules wait for {what}")),
        pods => Some(format!("{pods} Pods wait for their targets")),
    };
    match (of_unit(task, assessment, applied, untold), waits_for) {
        (Verdict::Done | Verdict::Blocked(_), Some(reason)) => {
            Verdict::Waiting { after: again(task.waits()), reason, counts: true }
        }
        (Verdict::Waiting { after, reason, .. }, Some(_)) => {
            Verdict::Waiting { after: after.min(again(task.waits())), reason, counts: true }
        }
        (Verdict::Done | Verdict::Blocked(_), None) if assessment.is_moving() => {
            let reason = "the service that requests are to come to does not answer yet".to_owned();
            Verdict::Waiting { after: MOVING_AGAIN, reason, counts: true }
        }
        (verdict, _) => verdict,
    }
}

fn again(waits: u32) -> Duration {
    let pace = AGAIN.into_iter().find(|(from, _)| waits >= *from);
    pace.map_or(Duration::from_mins(1), |(_, after)| after)
}

fn of_unit(task: &Task, assessment: &Assessment, applied: Applied, untold: &Untold) -> Verdict {
    match applied.end {
        End::Waiting(waiting) => {
            Verdict::Waiting { after: waiting.retry_after, reason: waiting.text, counts: true }
        }
        End::Failed(error) => {
            let reason = trellis_telemetry::chain(&error).to_string();
            match error.source.class() {
                // Trying again cannot help; the drift pass comes by in any case.
                ErrorClass::Terminal => Verdict::Blocked(reason),
                ErrorClass::Stale if error.clears => refused(task.waits(), reason),
                ErrorClass::Retry | ErrorClass::NoAnswer | ErrorClass::Stale => {
                    Verdict::Failed { reason, after: error.source.retry_after(), owes: false }
                }
            }
        }
        End::Complete => match (complete(assessment, untold, &applied.outcome), assessment.grace_left()) {
            (verdict @ Verdict::Held(_), _) | (verdict, None) => verdict,
            // What stays for a while goes then, whatever a person has to do about the rest.
            (_, Some(after)) => Verdict::Waiting { after, reason: GRACE.to_owned(), counts: false },
        },
    }
}

/// A delete that is refused although what stands in its way was looked up anew.
fn refused(waits: u32, reason: String) -> Verdict {
    if waits >= REFUSED_WAITS_MAX {
        return Verdict::Blocked(reason);
    }
    Verdict::Waiting { after: REFUSED_AGAIN * 2_u32.pow(waits), reason, counts: true }
}

fn complete(assessment: &Assessment, untold: &Untold, outcome: &Outcome) -> Verdict {
    let translation = &assessment.translation;
    if !translation.held.is_empty() {
        return Verdict::Held(translation.held.join("; "));
    }
    if !untold.is_empty() {
        let texts = untold.iter().map(|(object, error)| format!("{object} not written: {error}"));
        return Verdict::Held(texts.collect::<Vec<_>>().join("; "));
    }
    if translation.refused {
        return Verdict::Blocked("VPC Lattice cannot do what the object asks for; see its status".to_owned());
    }
    let blocked = assessment.plan.iter().flat_map(|plan| &plan.blocked);
    // A network that does not exist yet is in nobody's way: its Gateway's unit makes it.
    let is_passing =
        |one: &Blocked| matches!(one, Blocked::NetworkMissing { network } if !is_network_id(network));
    let for_people = blocked.filter(|one| !is_passing(one));
    let denied = outcome.refused_vpcs.iter().filter(|one| one.is_denied).map(|one| one.message.clone());
    let texts: Vec<String> = for_people.map(|one| format!("{one:?}")).chain(denied).collect();
    if texts.is_empty() { Verdict::Done } else { Verdict::Blocked(texts.join("; ")) }
}
