//! Ids, look-up by id or ARN, transitions that take time, removal.

use serde::{Deserialize, Serialize};

use super::document::Output;
use super::kind::{Kind, Life, Meta, Status};
use super::resources::TargetKey;
use super::settings::{Clash, FailureKind};
use super::{Delay, Document, Moment, Refusal, State};

/// Something that happens by itself later.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Due {
    /// A transition of a resource ends.
    End {
        kind: Kind,
        id: String,
        transition: FailureKind,
        /// Code and message when it ends badly.
        failure: Option<(String, String)>,
    },
    /// A deregistered target has drained.
    Drained { group: String, target: TargetKey },
}

impl State {
    /// A new resource's id, ARN and times. `parent` is the ARN it hangs under, for listeners and rules.
    pub(super) fn new_meta(&mut self, now: Moment, kind: Kind, parent: Option<&str>) -> Meta {
        self.store.seq += 1;
        self.store.drawn += 1;
        let drawn = scramble(self.seed.wrapping_add(self.store.drawn));
        let id = format!("{}-0{drawn:016x}", kind.prefix());
        let arn = match parent {
            Some(parent) => format!("{parent}/{}/{id}", kind.path()),
            None => format!("{}{}/{id}", self.arn_prefix(), kind.path()),
        };
        Meta { id, arn, seq: self.store.seq, created: now, updated: now }
    }

    /// What every ARN of this account and Region starts with.
    pub(super) fn arn_prefix(&self) -> String {
        format!("arn:aws:vpc-lattice:{}:{}:", self.home.region, self.home.account)
    }

    /// The resource's own data.
    pub(super) fn meta(&self, kind: Kind, id: &str) -> Option<&Meta> {
        let store = &self.store;
        match kind {
            Kind::ServiceNetwork => store.networks.get(id).map(|it| &it.meta),
            Kind::Service => store.services.get(id).map(|it| &it.meta),
            Kind::Listener => store.listeners.get(id).map(|it| &it.meta),
            Kind::Rule => store.rules.get(id).map(|it| &it.meta),
            Kind::TargetGroup => store.groups.get(id).map(|it| &it.meta),
            Kind::ServiceAssociation => store.service_associations.get(id).map(|it| &it.meta),
            Kind::VpcAssociation => store.vpc_associations.get(id).map(|it| &it.meta),
            Kind::VpcEndpoint => store.endpoints.get(id).map(|it| &it.meta),
            _ => store.others.get(id).map(|it| &it.meta),
        }
    }

    /// Status of a resource that has one.
    pub(super) fn life(&mut self, kind: Kind, id: &str) -> Option<&mut Life> {
        let store = &mut self.store;
        match kind {
            Kind::Service => store.services.get_mut(id).map(|it| &mut it.life),
            Kind::TargetGroup => store.groups.get_mut(id).map(|it| &mut it.life),
            Kind::ServiceAssociation => store.service_associations.get_mut(id).map(|it| &mut it.life),
            Kind::VpcAssociation => store.vpc_associations.get_mut(id).map(|it| &mut it.life),
            Kind::VpcEndpoint => store.endpoints.get_mut(id).map(|it| &mut it.life),
            _ => store.others.get_mut(id).and_then(|it| it.life.as_mut()),
        }
    }

    /// Id of the resource that the caller names by id or ARN.
    pub(super) fn find(&self, kind: Kind, given: &str) -> Result<String, Refusal> {
        let id = given.rsplit('/').next().unwrap_or(given);
        let of_kind = id.strip_prefix(kind.prefix()).is_some_and(|rest| rest.starts_with('-'));
        match self.meta(kind, id) {
            Some(meta) if of_kind && (given == id || meta.arn == given) => Ok(id.to_owned()),
            _ => Err(Refusal::not_found(kind.resource_type(), given)),
        }
    }

    /// The error of a name, priority or port in use.
    pub(super) fn clash(&self, kind: Kind, id: &str, field: &str, message: &str) -> Refusal {
        match self.settings.switches.dup_error {
            Clash::Conflict => Refusal::conflict(kind.resource_type(), id, message),
            Clash::Validation => Refusal::field(field, message),
        }
    }

    /// Begins a transition that ends after `delay`; the status has been set by the caller.
    pub(super) fn begin(&mut self, now: Moment, kind: Kind, id: &str, transition: FailureKind, delay: Delay) {
        let failure = self.planned_failure(kind, transition);
        let event = Due::End { kind, id: id.to_owned(), transition, failure };
        self.schedule(now.after(delay), event);
    }

    /// Puts an event into the queue.
    pub(super) fn schedule(&mut self, at: Moment, event: Due) {
        self.store.seq += 1;
        self.store.due.insert((at, self.store.seq), event);
    }

    /// Whether the settings make this transition fail.
    fn planned_failure(&mut self, kind: Kind, transition: FailureKind) -> Option<(String, String)> {
        let begun = self.store.begun.entry(format!("{}/{transition:?}", kind.label())).or_insert(0);
        *begun += 1;
        let position = *begun;
        let planned = self.settings.failures.iter().find(|failure| {
            failure.transition == transition
                && failure.resource == kind.label()
                && position > failure.skip
                && position <= failure.skip.saturating_add(failure.count)
        })?;
        Some((planned.code.clone(), planned.message.clone()))
    }

    /// Lets everything happen that is due.
    pub fn advance(&mut self, now: Moment) {
        while let Some(entry) = self.store.due.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let at = entry.key().0;
            match entry.remove() {
                Due::End { kind, id, transition, failure } => self.end(at, kind, &id, transition, failure),
                Due::Drained { group, target } => self.drained(at, &group, &target),
            }
        }
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<Moment> {
        self.store.due.first_key_value().map(|((at, _), _)| *at)
    }

    fn end(
        &mut self,
        at: Moment,
        kind: Kind,
        id: &str,
        transition: FailureKind,
        failure: Option<(String, String)>,
    ) {
        let (running, good, bad) = match transition {
            FailureKind::Create => (Status::CreateInProgress, Status::Active, Status::CreateFailed),
            FailureKind::Update => (Status::UpdateInProgress, Status::Active, Status::UpdateFailed),
            FailureKind::Delete => (Status::DeleteInProgress, Status::DeleteInProgress, Status::DeleteFailed),
        };
        let Some(life) = self.life(kind, id) else { return };
        if life.status != running {
            return;
        }
        if failure.is_some() {
            life.status = bad;
            life.failure = failure;
        } else if transition == FailureKind::Delete {
            self.remove(at, kind, id);
        } else {
            life.status = good;
            life.failure = None;
        }
    }

    /// Begins the deletion of a resource whose deletion takes time. A second call changes nothing.
    pub(super) fn begin_delete(&mut self, now: Moment, kind: Kind, id: &str, delay: Delay) {
        let Some(life) = self.life(kind, id) else { return };
        if life.status != Status::DeleteInProgress {
            life.status = Status::DeleteInProgress;
            life.failure = None;
            self.begin(now, kind, id, FailureKind::Delete, delay);
        }
    }

    /// Removes a resource and what hangs under it.
    pub(super) fn remove(&mut self, at: Moment, kind: Kind, id: &str) {
        let Some(arn) = self.meta(kind, id).map(|meta| meta.arn.clone()) else { return };
        match kind {
            Kind::ServiceNetwork => {
                self.store.networks.remove(id);
                self.store.auth_policies.remove(id);
                self.remove_subscriptions(at, id);
            }
            Kind::Service => self.remove_service(at, id),
            Kind::Listener => self.remove_listener(at, id),
            Kind::Rule => {
                self.store.rules.remove(id);
            }
            Kind::TargetGroup => {
                self.store.groups.remove(id);
            }
            Kind::ServiceAssociation => {
                if let Some(link) = self.store.service_associations.remove(id)
                    && let Some(service) = self.store.services.get_mut(&link.service)
                {
                    service.associations.remove(id);
                }
            }
            Kind::VpcAssociation => {
                self.store.vpc_associations.remove(id);
            }
            Kind::VpcEndpoint => {
                self.store.endpoints.remove(id);
            }
            _ => {
                self.store.others.remove(id);
            }
        }
        self.store.resource_policies.remove(&arn);
        self.forget_tags(at, &arn);
        self.forget_tokens(&arn);
    }

    /// Members that every view has.
    pub(super) fn base(meta: &Meta) -> Output {
        Output::new()
            .with("id", meta.id.as_str())
            .with("arn", meta.arn.as_str())
            .with("createdAt", meta.created.iso())
            .with("lastUpdatedAt", meta.updated.iso())
    }

    /// Base members with status and failure, under the names that most kinds use and those that the resource
    /// kinds use; the output's shape picks.
    pub(super) fn living(meta: &Meta, life: &Life) -> Output {
        let (code, message) = life.failure.clone().unzip();
        Self::base(meta)
            .with("status", life.status.text())
            .maybe("failureCode", code)
            .maybe("failureMessage", message.clone())
            .maybe("failureReason", message)
    }

    /// An empty response.
    pub(super) fn nothing() -> Document {
        Document::new()
    }
}

/// Spreads consecutive numbers over all 64 bits (the finalizer of the SplitMix64 generator).
pub(super) fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
