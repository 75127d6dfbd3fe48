//! What became of a unit.

use crate::Task;
use crate::status::Untold;
use crate::worker::HELD_TRIES_MAX;
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

/// What is waited for while something stays that is gone.
const GRACE: &str = "what is gone stays for a while";

/// What kind of a wait it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// One of those after which a unit is left to the drift pass.
    Counts,
    /// The grace has to pass: all is as desired until then, and it passes by itself.
    Grace,
    /// Counts, and stands in the row of tries that were hindered.
    Hindered,
}

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
        /// What kind of a wait it is.
        wait: Wait,
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
        (verdict @ Verdict::Held(_), _) if task.hindered() < HELD_TRIES_MAX => verdict,
        (Verdict::Done | Verdict::Blocked(_) | Verdict::Held(_), Some(reason)) => {
            Verdict::Waiting { after: again(task.waits()), reason, wait: Wait::Counts }
        }
        (Verdict::Waiting { after, reason, wait }, Some(_)) => {
            let wait = if wait == Wait::Grace { Wait::Counts } else { wait };
            Verdict::Waiting { after: after.min(again(task.waits())), reason, wait }
        }
        (Verdict::Done | Verdict::Blocked(_) | Verdict::Held(_), None) if assessment.is_moving() => {
            let reason = "the service that requests are to come to does not answer yet".to_owned();
            Verdict::Waiting { after: MOVING_AGAIN, reason, wait: Wait::Counts }
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
            Verdict::Waiting { after: waiting.retry_after, reason: waiting.text, wait: Wait::Counts }
        }
        End::Failed(error) => {
            let reason = trellis_telemetry::chain(&error).to_string();
            match error.source.class() {
                // Trying again cannot help; the drift pass comes by in any case.
                ErrorClass::Terminal => complete(task, assessment, untold, (Some(reason), Wait::Hindered)),
                ErrorClass::Stale if error.clears => match refused_again(task.hindered()) {
                    Some(after) => Verdict::Waiting { after, reason, wait: Wait::Hindered },
                    None => complete(task, assessment, untold, (Some(reason), Wait::Hindered)),
                },
                ErrorClass::Retry | ErrorClass::NoAnswer | ErrorClass::Stale => {
                    Verdict::Failed { reason, after: error.source.retry_after(), owes: false }
                }
            }
        }
        End::Complete => {
            let blocked = for_people(assessment, &applied.outcome);
            complete(task, assessment, untold, (blocked, Wait::Grace))
        }
    }
}

/// When a delete is tried again that is refused although what stands in its way was looked up anew; none after the last try.
fn refused_again(hindered: u32) -> Option<Duration> {
    (hindered < REFUSED_WAITS_MAX).then(|| REFUSED_AGAIN * 2_u32.pow(hindered))
}

/// The verdict when nothing more can be done now. `blocked`: what a person has to do, if anything. `wait`: what kind of a wait the grace
/// is. Behind a step that failed it may not even have begun: then a few looks are enough.
fn complete(
    task: &Task,
    assessment: &Assessment,
    untold: &Untold,
    (blocked, wait): (Option<String>, Wait),
) -> Verdict {
    let held = held(assessment, untold);
    match (held, assessment.grace_left()) {
        (Some(why), grace) if task.hindered() < HELD_TRIES_MAX || grace.is_none() => {
            Verdict::Held(blocked.into_iter().chain([why]).collect::<Vec<_>>().join("; "))
        }
        // What stays for a while goes then, whatever a person has to do about the rest.
        (_, Some(after)) if wait == Wait::Grace || task.hindered() < HELD_TRIES_MAX => {
            Verdict::Waiting { after, reason: GRACE.to_owned(), wait }
        }
        (_, Some(_) | None) => blocked.map_or(Verdict::Done, Verdict::Blocked),
    }
}

/// What is not known, or could not be told.
fn held(assessment: &Assessment, untold: &Untold) -> Option<String> {
    let held = &assessment.translation.held;
    if !held.is_empty() {
        return Some(held.join("; "));
    }
    let texts = untold.iter().map(|(object, error)| format!("{object} not written: {error}"));
    (!untold.is_empty()).then(|| texts.collect::<Vec<_>>().join("; "))
}

/// What only a person can change.
fn for_people(assessment: &Assessment, outcome: &Outcome) -> Option<String> {
    if assessment.translation.refused {
        return Some("VPC Lattice cannot do what the object asks for; see its status".to_owned());
    }
    let blocked = assessment.plan.iter().flat_map(|plan| &plan.blocked);
    // A network that does not exist yet is in nobody's way: its Gateway's unit makes it.
    let is_passing =
        |one: &Blocked| matches!(one, Blocked::NetworkMissing { network } if !is_network_id(network));
    let for_people = blocked.filter(|one| !is_passing(one));
    let denied = outcome.refused_vpcs.iter().filter(|one| one.is_denied).map(|one| one.message.clone());
    let texts: Vec<String> = for_people.map(|one| format!("{one:?}")).chain(denied).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}
