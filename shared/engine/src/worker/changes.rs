//! What others change in VPC Lattice, told by CloudTrail: from a record to hints for the units whose resources it touched.

use super::in_time;
use crate::drift::{object_of, read_all_units, unit_of};
use crate::outbox::outgoing;
use crate::{Engine, UnitError, moment};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{made_names, units_of_cluster};
use trellis_hint::{
    EVENT_BYTES_MAX, Hint, Moved, ObjectRef, Operation, Touched, TouchedKind, UnitKey, moved, touched,
};
use trellis_ports::{Clusters, Lattice, Queue};

/// The kind of event that holds a record of CloudTrail (EventBridge User Guide, events from services by CloudTrail).
const DETAIL_TYPE: &str = "AWS API Call via CloudTrail";

/// What an event of EventBridge tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The resources that somebody else's call touched.
    Changes(Vec<Touched>),
    /// What has become of instances.
    Moved(Moved),
}

/// What an event of EventBridge tells. None if it is neither about instances nor one with a record of CloudTrail.
///
/// The calls of the installation's own reconciler touch nothing that it does not know: an event of each would make another
/// look, and that look perhaps a call. They are known by their session, which Lambda names after the function. The rule that
/// brings the events leaves them out already; this is for a rule that somebody has changed.
pub(super) fn told(body: &str, installation: &str) -> Option<Told> {
    if body.len() > EVENT_BYTES_MAX {
        return None;
    }
    let event: Value = serde_json::from_str(body).ok()?;
    if let Some(moved) = moved(&event) {
        return Some(Told::Moved(moved));
    }
    if event.get("detail-type").and_then(Value::as_str) != Some(DETAIL_TYPE) {
        return None;
    }
    let session = event.pointer("/detail/userIdentity/arn").and_then(Value::as_str).unwrap_or_default();
    let own = format!("{installation}-reconcile");
    let is_own = session.contains(":assumed-role/") && session.rsplit('/').next() == Some(own.as_str());
    Some(Told::Changes(if is_own { vec![] } else { touched(&event) }))
}

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// Sends a hint to each unit whose resources these are, once; how many.
    ///
    /// Whose a resource is, the index of tags tells, which shows for a while what was deleted, and then its own tags. What
    /// neither tells of is gone for good; its name leads to the unit, if it is one that we would give. What even that does not
    /// lead to, such as a service's association that was deleted a while ago, the next drift pass misses.
    pub(super) async fn tell_of_changes(&self, all: &[Touched]) -> Result<usize, UnitError> {
        let arns: BTreeMap<String, &Touched> =
            all.iter().map(|one| (one.arn(one.partition()), one)).collect();
        if arns.is_empty() {
            return Ok(0);
        }
        let owned = self.lattice.whose(&self.settings.installation, &arns.keys().cloned().collect()).await?;
        let mut units: BTreeMap<UnitKey, ObjectRef> = BTreeMap::new();
        units.extend(owned.iter().filter_map(unit_of).map(|unit| (unit.clone(), object_of(&unit))));
        let found: BTreeSet<&str> = owned.iter().map(|one| one.arn.as_str()).collect();
        let open = || arns.iter().filter(|(arn, _)| !found.contains(arn.as_str())).map(|(_, one)| one);
        let names: BTreeSet<&str> = open().filter_map(|one| one.name.as_deref()).collect();
        // A VPC's association has no name, and its endpoint none. Which network it was of is not told, and there are few networks.
        let of_network = [TouchedKind::VpcAssociation, TouchedKind::VpcEndpoint];
        let networks = open().any(|one| of_network.contains(&one.kind));
        if networks || !names.is_empty() {
            units.extend(self.units_of_names(&names, networks).await?);
        }
        let moment = moment();
        let hint = |(unit, object)| {
            outgoing(Hint::new(unit, object, Operation::Resync), "change of others", &moment)
        };
        let hints: Vec<_> = units.into_iter().map(hint).collect();
        if !hints.is_empty() {
            in_time(self.queue.send(&hints)).await?;
        }
        tracing::info!(touched = ?arns.keys().collect::<Vec<_>>(), hints = hints.len(), "somebody else's changes");
        Ok(hints.len())
    }

    /// The units that would give one of their services or target groups such a name; with `networks`, those of all networks.
    async fn units_of_names(
        &self,
        names: &BTreeSet<&str>,
        networks: bool,
    ) -> Result<BTreeMap<UnitKey, ObjectRef>, UnitError> {
        let members = self.members().await?;
        let mut units = BTreeMap::new();
        for cluster in members.clusters.keys() {
            let all = units_of_cluster(cluster, &read_all_units(&members, cluster).await?);
            let fits = |unit: &UnitKey| {
                networks && matches!(unit, UnitKey::Gateway { .. })
                    || names.iter().any(|name| made_names(unit, name))
            };
            units.extend(all.into_iter().filter(|(unit, _)| fits(unit)));
        }
        Ok(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(arn: &str) -> Value {
        json!({
            "source": "aws.vpc-lattice", "detail-type": DETAIL_TYPE, "account": "123456789012", "region": "us-west-2",
            "detail": {
                "eventSource": "vpc-lattice.amazonaws.com", "eventName": "DeleteRule", "readOnly": false,
                "userIdentity": {"type": "AssumedRole", "arn": arn},
                "requestParameters": {"serviceIdentifier": "svc-0123456789abcdef0"},
            },
        })
    }

    #[test]
    fn what_others_do_is_told_and_what_the_reconciler_does_is_not() {
        let told = |arn: &str| match told(&event(arn).to_string(), "trellis") {
            Some(Told::Changes(touched)) => Some(touched.len()),
            Some(Told::Moved(_)) | None => None,
        };
        assert_eq!(told("arn:aws:sts::123456789012:assumed-role/admin/jane"), Some(1));
        assert_eq!(told("arn:aws:iam::123456789012:user/trellis-reconcile"), Some(1), "a user of that name");
        assert_eq!(
            told("arn:aws:sts::123456789012:assumed-role/trellis-ReconcilerRole-1/trellis-reconcile"),
            Some(0)
        );
        assert_eq!(told("arn:aws:sts::123456789012:assumed-role/other/other-reconcile"), Some(1));
    }

    #[test]
    fn what_is_no_record_of_cloudtrail_is_no_change() {
        for body in
            ["]", "7", "{}", r#"{"detail-type": "Scheduled Event"}"#, &" ".repeat(EVENT_BYTES_MAX + 1)]
        {
            assert_eq!(told(body, "trellis"), None);
        }
        let empty = format!(r#"{{"detail-type": "{DETAIL_TYPE}"}}"#);
        assert_eq!(told(&empty, "trellis"), Some(Told::Changes(vec![])));
    }
}
