//! The decision on one admission review: which hints it gives, or why it gives none.
//!
//! Pure. It never refuses anything: the answer to the API server is `allowed: true` whatever is decided here.
//!
//! | review | decision |
//! |---|---|
//! | no kind, operation or name to be read | unreadable |
//! | a kind that Trellis does not read | other kind |
//! | a Pod | no interest: what a new one lacks is told by [`crate::gate`] |
//! | a subresource | subresource: status is what we write ourselves |
//! | `dryRun`, in the request or its options | dry run: its uid is never stored |
//! | what Kubernetes lets no object be ([`trellis_hint::names`]) | impossible |
//! | UPDATE that changes nothing but bookkeeping | no change |
//! | GatewayClass of another controller | other controller |
//! | Service or EndpointSlice that no route and no export names | no interest |
//! | CREATE, UPDATE, DELETE otherwise | one hint for each unit |
//!
//! A DELETE of a deletecollection or of a namespace has no `request.name`: the name comes from the object. The UPDATE
//! that removes the last finalizer of a terminating object is its end and has no DELETE review: it counts as one.
//!
//! A change of a Service or its endpoints is told to those who refer to it, as far as [`Interest`] knows them, and else to
//! the unit that searches for them. That unit is always told of a change of a Service's policy, whose status it writes.

use crate::interest::{Interest, Referrers, ServiceName};
use crate::queue::Entry;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::time::Instant;
use trellis_gateway::{CONTROLLER, REFERRING_KINDS, References, references};
use trellis_hint::{Change, ClusterId, Hint, Kind, ObjectRef, Operation, UnitKey, units_of};

/// What a write changes by itself: equal objects differ in these.
const BOOKKEEPING: [&str; 3] = ["managedFields", "resourceVersion", "generation"];

/// Units that a change of one object concerns at most: a route has one, and one for each parent, of which a route has 32
/// (Gateway API, `parentRefs`), before and after.
const UNITS_MAX: usize = 1 + 2 * 32;

/// A review that may give hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The change, as hints tell it.
    pub told: Told,
    /// Whom it concerns, in the order of [`units_of`]; never empty.
    units: Vec<UnitKey>,
    /// What the object, if it is a route or an export, will name.
    pub references: References,
}

/// A change, as hints tell it to one unit or another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The changed object.
    pub object: ObjectRef,
    operation: Operation,
    old_resource_version: Option<String>,
    /// The uid of the admission request.
    pub trace: Option<String>,
    change: Change,
}

/// What one review leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Hints to queue, each unit once; never empty.
    Hints(Vec<UnitHint>),
    /// Nothing to do, with the reason.
    Drop(DropReason),
}

/// A hint with the de-duplication id that belongs to its review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitHint {
    /// The message.
    pub hint: Hint,
    /// Equal only for the same change of the same unit.
    pub deduplication_id: String,
}

impl From<&UnitHint> for Entry {
    fn from(unit_hint: &UnitHint) -> Self {
        Self {
            group_id: unit_hint.hint.unit.group_id(),
            deduplication_id: unit_hint.deduplication_id.clone(),
            body: unit_hint.hint.body(),
            trace: unit_hint.hint.trace.clone().unwrap_or_default(),
        }
    }
}

/// Why a review gives no hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The body is no admission review, or names no kind, operation or object.
    Unreadable,
    /// A kind that no unit depends on.
    OtherKind,
    /// A write of `status`, `scale` and the like.
    Subresource,
    /// Nothing will be stored.
    DryRun,
    /// No object can be like that, so no API server sent it.
    Impossible,
    /// The object equals the stored one.
    NoChange,
    /// A GatewayClass that another controller owns.
    OtherController,
    /// No route and no export names the Service.
    NoInterest,
}

impl DropReason {
    /// The value of the metric's label `outcome`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::OtherKind => "other_kind",
            Self::Subresource => "subresource",
            Self::DryRun => "dry_run",
            Self::Impossible => "impossible",
            Self::NoChange => "no_change",
            Self::OtherController => "other_controller",
            Self::NoInterest => "no_interest",
        }
    }
}

/// Decides on `request`, the `request` of an AdmissionReview, at `now`.
pub fn decide(request: &Value, cluster: &ClusterId, interest: &Interest, now: Instant) -> Decision {
    match read(request, cluster) {
        Ok(review) => review.decide(interest, now),
        Err(reason) => Decision::Drop(reason),
    }
}

/// The hint to look at a whole cluster. `moment` tells it apart from others: of those with the same, the queue takes one in
/// five minutes.
pub fn whole_cluster(cluster: &ClusterId, moment: &str) -> UnitHint {
    // The one object that every cluster has, and that stands for it; nothing is read of it.
    let object = ObjectRef {
        cluster: cluster.clone(),
        kind: Kind::Namespace,
        namespace: String::new(),
        name: "default".to_owned(),
        uid: String::new(),
        generation: 0,
    };
    let unit = UnitKey::Cluster { cluster: cluster.clone() };
    let change = Change::of(Operation::Resync, Some(&Value::from(moment)), None);
    Told { object, operation: Operation::Resync, old_resource_version: None, trace: None, change }.hint(unit)
}

/// The kind under review, if it is one of ours.
pub fn kind_of(request: &Value) -> Option<Kind> {
    let kind = Kind::parse(text(request, "/kind/kind")?)?;
    (text(request, "/kind/group").unwrap_or_default() == kind.group()).then_some(kind)
}

/// The object that `request` would store, where a person may be told something about it: not on a delete, on a
/// subresource, or when the object is on its way out.
pub fn object_to_warn_about(request: &Value) -> Option<(Kind, &Value)> {
    let object = object(request, "object")?;
    let written = matches!(operation(request)?, Operation::Create | Operation::Update);
    let kind = kind_of(request).filter(|kind| *kind != Kind::Pod)?;
    (written && !is_subresource(request) && !is_terminating(object)).then_some((kind, object))
}

/// The object that `request` would delete, where a person may be told what becomes of it.
pub fn object_to_be_deleted(request: &Value) -> Option<(Kind, &Value)> {
    let object = object(request, "oldObject").filter(|_| operation(request) == Some(Operation::Delete))?;
    Some((kind_of(request)?, object)).filter(|_| !is_subresource(request))
}

/// Reads `request`, the `request` of an AdmissionReview of `cluster`.
pub fn read(request: &Value, cluster: &ClusterId) -> Result<Review, DropReason> {
    text(request, "/kind/kind").ok_or(DropReason::Unreadable)?;
    let kind = kind_of(request).ok_or(DropReason::OtherKind)?;
    let operation = operation(request).ok_or(DropReason::Unreadable)?;
    if is_subresource(request) {
        return Err(DropReason::Subresource);
    }
    if is_dry_run(request) {
        return Err(DropReason::DryRun);
    }
    let (new, old) = (object(request, "object"), object(request, "oldObject"));
    let changed = object_ref(request, cluster, kind, new, old).ok_or(DropReason::Unreadable)?;
    let is_of_kind = |object: &Value| text(object, "/kind").is_none_or(|other| other == kind.as_str());
    if !changed.is_possible() || ![new, old].into_iter().flatten().all(is_of_kind) {
        return Err(DropReason::Impossible);
    }
    if let (Operation::Update, Some(new), Some(old)) = (operation, new, old)
        && is_unchanged(new, old)
    {
        return Err(DropReason::NoChange);
    }
    if kind == Kind::GatewayClass && is_of_another_controller(new, old) {
        return Err(DropReason::OtherController);
    }
    let units = possible_units(&changed, new, old)?;
    let references = new.filter(|_| REFERRING_KINDS.contains(&kind));
    let references = references.map(|object| references_of(cluster, kind, object)).unwrap_or_default();
    let operation = if new.is_some_and(is_gone) { Operation::Delete } else { operation };
    let told = Told {
        object: changed,
        operation,
        old_resource_version: old.and_then(|old| text(old, "/metadata/resourceVersion")).map(str::to_owned),
        trace: text(request, "/uid").filter(|uid| trellis_hint::names::is_id(uid)).map(str::to_owned),
        change: Change::of(operation, new, old),
    };
    Ok(Review { told, units, references })
}

/// The units of a change, but for those that no object can have: a route may name any text as its parent.
fn possible_units(
    changed: &ObjectRef,
    new: Option<&Value>,
    old: Option<&Value>,
) -> Result<Vec<UnitKey>, DropReason> {
    let units = units_of(changed, new, old);
    // A slice of no Service is told of as one that nobody refers to.
    let are_none = units.is_empty();
    if units.len() > UNITS_MAX {
        return Err(DropReason::Impossible);
    }
    let units: Vec<UnitKey> = units.into_iter().filter(UnitKey::is_possible).collect();
    match (are_none, units.is_empty()) {
        (true, _) => Err(DropReason::NoInterest),
        (false, true) => Err(DropReason::Impossible),
        (false, false) => Ok(units),
    }
}

/// What an object names, without what no object can be called.
pub fn references_of(cluster: &ClusterId, kind: Kind, object: &Value) -> References {
    let mut named = references(cluster, kind, object);
    named.units.retain(UnitKey::is_possible);
    named
}

impl Review {
    /// The hints that the review gives.
    pub fn decide(&self, interest: &Interest, now: Instant) -> Decision {
        let mut seen = BTreeSet::new();
        let mut hints = Vec::new();
        let is_policy = self.told.object.kind.is_policy();
        let units = self
            .units
            .iter()
            .flat_map(|unit| if is_policy { vec![unit.clone()] } else { told_units(unit, interest, now) });
        for unit in units.filter(|unit| seen.insert(unit.clone())) {
            hints.push(self.told.hint(unit));
        }
        // Only a Service or a slice can be without a unit: one that nobody names.
        if hints.is_empty() { Decision::Drop(DropReason::NoInterest) } else { Decision::Hints(hints) }
    }

    /// The Services that the change is of, itself or its endpoints.
    pub fn services(&self) -> impl Iterator<Item = ServiceName> {
        self.units.iter().filter(|_| !self.told.object.kind.is_policy()).filter_map(service_of)
    }
}

/// Whom a unit's change is to be told to.
fn told_units(unit: &UnitKey, interest: &Interest, now: Instant) -> Vec<UnitKey> {
    let Some(service) = service_of(unit) else { return vec![unit.clone()] };
    match interest.referrers(&service, now) {
        Referrers::Units(units) => units.into_iter().collect(),
        Referrers::Unknown => vec![unit.clone()],
    }
}

fn service_of(unit: &UnitKey) -> Option<ServiceName> {
    match unit {
        UnitKey::Dependents { kind: Kind::Service, namespace, name, .. } => {
            Some((namespace.clone(), name.clone()))
        }
        _ => None,
    }
}

impl Told {
    /// The change's hint for a unit.
    pub fn hint(&self, unit: UnitKey) -> UnitHint {
        let deduplication_id = self.change.deduplication_id(&unit);
        let hint = Hint::new(unit, self.object.clone(), self.operation)
            .with_old_resource_version(self.old_resource_version.as_deref())
            .with_trace(self.trace.as_deref());
        UnitHint { hint, deduplication_id }
    }
}

fn object_ref(
    request: &Value,
    cluster: &ClusterId,
    kind: Kind,
    new: Option<&Value>,
    old: Option<&Value>,
) -> Option<ObjectRef> {
    let objects = || [new, old].into_iter().flatten();
    let of = |request_pointer: &str, pointer: &str| {
        text(request, request_pointer)
            .or_else(|| objects().find_map(|object| text(object, pointer)))
            .map(str::to_owned)
    };
    let name = of("/name", "/metadata/name")?;
    // The API server gives a Namespace its own name as the request's namespace.
    let cluster_scoped = kind.is_cluster_scoped();
    let namespace = if cluster_scoped { String::new() } else { of("/namespace", "/metadata/namespace")? };
    let uid = objects().find_map(|object| text(object, "/metadata/uid")).unwrap_or_default().to_owned();
    let generation =
        objects().find_map(|object| object.pointer("/metadata/generation")?.as_i64()).unwrap_or(0);
    Some(ObjectRef { cluster: cluster.clone(), kind, namespace, name, uid, generation })
}

/// Whether an update stores nothing that anybody could act on: everything but `status` is equal, and `metadata` is but
/// for its bookkeeping.
fn is_unchanged(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else { return false };
    let metadata =
        |of: &Map<String, Value>| of.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    equal_but_for(new, old, &["metadata", "status"])
        && equal_but_for(&metadata(new), &metadata(old), &BOOKKEEPING)
}

fn equal_but_for(one: &Map<String, Value>, other: &Map<String, Value>, ignored: &[&str]) -> bool {
    let counted = |key: &String| !ignored.contains(&key.as_str());
    one.keys().filter(|key| counted(key)).count() == other.keys().filter(|key| counted(key)).count()
        && one.iter().filter(|(key, _)| counted(key)).all(|(key, value)| other.get(key) == Some(value))
}

fn is_of_another_controller(new: Option<&Value>, old: Option<&Value>) -> bool {
    let mut named =
        [new, old].into_iter().flatten().filter_map(|class| text(class, "/spec/controllerName")).peekable();
    named.peek().is_some() && named.all(|controller| controller != CONTROLLER)
}

fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
}

fn is_gone(object: &Value) -> bool {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    is_terminating(object) && finalizers.is_none_or(Vec::is_empty)
}

fn is_subresource(request: &Value) -> bool {
    text(request, "/subResource").is_some()
}

fn is_dry_run(request: &Value) -> bool {
    let listed =
        request.pointer("/options/dryRun").and_then(Value::as_array).is_some_and(|modes| !modes.is_empty());
    listed || request.get("dryRun").and_then(Value::as_bool).unwrap_or(false)
}

fn operation(request: &Value) -> Option<Operation> {
    match text(request, "/operation")? {
        "CREATE" => Some(Operation::Create),
        "UPDATE" => Some(Operation::Update),
        "DELETE" => Some(Operation::Delete),
        _ => None,
    }
}

fn object<'a>(request: &'a Value, field: &str) -> Option<&'a Value> {
    request.get(field).filter(|object| object.is_object())
}

/// The text at `pointer`, if there is one that is not empty.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
