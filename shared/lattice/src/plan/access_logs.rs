//! Access log subscriptions of services and service networks.

use super::draft::{Draft, is_broken};
use crate::{
    ActualAccessLog, Blocked, CreateAccessLog, DeleteAccessLog, Holder, Ownership, Status, UpdateAccessLog,
    log_type,
};

/// Brings about what is wanted of holders that are there: before requests come, so that the first one is logged.
pub(super) fn subscribe(draft: &mut Draft) {
    for wanted in draft.desired.access_logs.clone() {
        match standing(draft, &wanted.holder) {
            Standing::Ours => {}
            Standing::Others => {
                draft.block(Blocked::AccessLogsOfOthers { holder: wanted.holder });
                continue;
            }
            Standing::Missing => continue,
        }
        let of_type = |one: &&ActualAccessLog| {
            one.holder == wanted.holder && log_type(&one.destination) == log_type(&wanted.destination)
        };
        match draft.model.access_logs.iter().find(of_type).cloned() {
            None => {
                let tags = draft.tags(&wanted.tags);
                let (holder, destination) = (wanted.holder, wanted.destination);
                draft.push(CreateAccessLog { holder, destination, tags });
            }
            Some(held) if held.destination == wanted.destination => {}
            Some(held) if held.ownership == Ownership::Ours => {
                let (holder, destination) = (wanted.holder, wanted.destination);
                draft.push(UpdateAccessLog { id: held.id, holder, destination });
            }
            Some(held) => {
                let (holder, destination) = (wanted.holder, held.destination);
                draft.block(Blocked::AccessLogTaken { holder, destination, arn: held.arn });
            }
        }
    }
}

/// Deletes what is not wanted of holders that stay, and of networks, which may go. A service that goes takes its
/// subscriptions with it (User Guide, DeleteService).
pub(super) fn unsubscribe(draft: &mut Draft) {
    let ours = draft.model.access_logs.iter().filter(|one| one.ownership == Ownership::Ours);
    let stale: Vec<ActualAccessLog> = ours.filter(|one| !is_wanted(draft, one)).cloned().collect();
    for ActualAccessLog { id, holder, destination, .. } in stale {
        if matches!(standing(draft, &holder), Standing::Missing) {
            continue;
        }
        draft.push(DeleteAccessLog { id, holder, destination });
    }
}

/// One whose type is wanted with another destination was updated, or could not be.
fn is_wanted(draft: &Draft, held: &ActualAccessLog) -> bool {
    let mut wanted = draft.desired.access_logs.iter();
    wanted.any(|one| one.holder == held.holder && log_type(&one.destination) == log_type(&held.destination))
}

/// Whose a holder is, if it is there to stay.
pub(super) enum Standing {
    Ours,
    Others,
    /// It is not there, or not to stay.
    Missing,
}

pub(super) fn standing(draft: &Draft, holder: &Holder) -> Standing {
    let found = match holder {
        Holder::Service(name) => {
            let stays = |status: Status| status != Status::DeleteInProgress && !is_broken(status);
            let held = draft.service(name).filter(|one| stays(one.status));
            held.filter(|_| draft.wanted_service(name).is_some()).map(|one| &one.ownership)
        }
        Holder::Network(name) => {
            draft.model.networks.iter().find(|one| one.name == *name).map(|one| &one.ownership)
        }
    };
    match found {
        None => Standing::Missing,
        Some(Ownership::Ours) => Standing::Ours,
        Some(Ownership::OtherUnit(_) | Ownership::Foreign | Ownership::Unread) => Standing::Others,
    }
}
