//! What the webhook tells the reconciler, and who works on it.
//!
//! A [`Hint`] says "look at this object"; it never says what to do. The reconciler reads the object again and
//! acts on what it reads, so a forged, repeated, late or lost hint costs a read and never a wrong change.
//! [`units_of()`] is the one place that decides which [`UnitKey`]s a changed object concerns; the webhook and the
//! reconciler share it, and the unit is the message group, so that one resource has one writer at a time.

pub mod names;

mod cluster;
mod dedup;
mod look;
mod moved;
mod object;
mod policy;
mod referents;
mod touched;
mod unit;
mod units_of;

pub use cluster::{ClusterId, ParseClusterError, Scope};
pub use dedup::{Change, deduplication_id};
pub use look::Look;
pub use moved::{Moved, moved};
pub use object::{Kind, ObjectRef, Operation};
pub use policy::{POLICY_TARGETS_MAX, PolicyTarget, policy_target_kinds, policy_targets, unit_of_target};
pub use referents::{SERVICE_NAME_ANNOTATION, backend_kind, exported_service, referents};
pub use touched::{EVENT_BYTES_MAX, Touched, TouchedKind, touched};
pub use unit::{ParseUnitError, UnitKey};
pub use units_of::{parent_gateway_names, parent_gateways, units_of};

use serde::{Deserialize, Serialize};

/// The version of the message body. A reader refuses any other and says so.
///
/// | schema | what changed |
/// |---|---|
/// | 1 | clusters by name alone |
/// | 2 | clusters by ARN, units by account and Region |
pub const SCHEMA: u32 = 2;

/// The longest accepted message body, in bytes: a hint is about 500 bytes; anything far longer is not a hint.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// Service names in one hint. A route has one service for each hostname, 16 at most, and hardly ever leaves any behind
/// whose name does not tell the unit; what is left out comes with the next drift pass.
pub const SERVICE_NAMES_MAX: usize = 16;

/// One message: "look at `object`, as part of `unit`".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// The unit to reconcile; its [`UnitKey::group_id`] is the message group.
    pub unit: UnitKey,
    /// The object whose change gave the hint.
    pub object: ObjectRef,
    /// What the admission review said was being done, or `Resync` from the drift pass.
    pub operation: Operation,
    /// Names of VPC Lattice services that were seen with the unit's tag, at most [`SERVICE_NAMES_MAX`]: where to look
    /// besides the names that follow from the unit. Whose a service is, its tags tell whoever looks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_names: Vec<String>,
    /// How often in a row the unit has waited before this hint.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waits: u32,
    /// How often in a row the unit was hindered by what passes by itself: a cluster that cannot be read, or a delete that is
    /// refused. A look that meets nothing of the kind begins anew.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hindered: u32,
    /// How many looks at a whole cluster that could not be read before have led to this hint, one after the other. A unit that is
    /// held again has a few such looks follow: one that is held for good would have all others looked at for ever.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub catch_ups: u32,
    /// When the first change was sent that the unit is not done with yet, in milliseconds since 1970. For figures only: it is never
    /// decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
    /// For how many seconds the hint is put off; none for one that comes at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub put_off: u32,
    /// `metadata.resourceVersion` of the object before the change: while it is the stored one, the change is not stored
    /// yet. None where there was no object before, or the review did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_resource_version: Option<String>,
    /// Whether nothing but which instances run can have changed. Whoever can tell so looks at no more than that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_instances: bool,
    /// The look at a whole cluster that the hint is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// Where the hint comes from, for logs: the uid of the admission request, which an API server's audit log has too.
    /// It is never decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why a message body is not a hint. Each case is the sender's fault: a retry cannot help.
#[derive(Debug, thiserror::Error)]
pub enum ParseHintError {
    /// The body is longer than [`BODY_BYTES_MAX`].
    #[error("the body has {0} bytes, at most {BODY_BYTES_MAX} are accepted")]
    TooLong(usize),
    /// The body is not the JSON of a hint.
    #[error("the body is not a hint: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The schema is of another version.
    #[error("schema {0} is not known, this version reads schema {SCHEMA}")]
    UnknownSchema(u32),
}

impl Hint {
    /// A hint of the present schema.
    pub fn new(unit: UnitKey, object: ObjectRef, operation: Operation) -> Self {
        Self {
            schema: SCHEMA,
            unit,
            object,
            operation,
            service_names: vec![],
            waits: 0,
            hindered: 0,
            catch_ups: 0,
            changed: None,
            put_off: 0,
            old_resource_version: None,
            only_instances: false,
            look: None,
            trace: None,
        }
    }

    /// The hint as part of a look at a whole cluster.
    #[must_use]
    pub fn with_look(self, look: Look) -> Self {
        Self { look: Some(look), ..self }
    }

    /// The hint for a unit that waits and is to be looked at once more. The change that it told of is stored by then, and
    /// what then has become of the unit is news, whatever look it was part of.
    #[must_use]
    pub fn again(self) -> Self {
        Self { operation: Operation::Resync, waits: self.waits.saturating_add(1), look: None, ..self }
    }

    /// The hint with names of services that were seen with the unit's tag; what is beyond [`SERVICE_NAMES_MAX`] is left
    /// out.
    #[must_use]
    pub fn with_service_names(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.service_names = names.into_iter().take(SERVICE_NAMES_MAX).collect();
        self
    }

    /// The hint with the version that the object had before the change. What no API server makes is left out.
    #[must_use]
    pub fn with_old_resource_version(mut self, version: Option<&str>) -> Self {
        self.old_resource_version = version.filter(|version| names::is_id(version)).map(str::to_owned);
        self
    }

    /// The hint with the uid of the request that it comes from. What no API server makes is left out.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<&str>) -> Self {
        self.trace = trace.filter(|trace| names::is_id(trace)).map(str::to_owned);
        self
    }

    /// Reads a message body.
    pub fn parse(body: &str) -> Result<Self, ParseHintError> {
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }
        if body.len() > BODY_BYTES_MAX {
            return Err(ParseHintError::TooLong(body.len()));
        }
        let Versioned { schema } = serde_json::from_str(body)?;
        if schema != SCHEMA {
            return Err(ParseHintError::UnknownSchema(schema));
        }
        let hint: Self = serde_json::from_str(body)?;
        // Both go into comparisons and log lines only: what is not plain is as good as absent.
        let (version, trace) = (hint.old_resource_version.clone(), hint.trace.clone());
        Ok(hint.with_old_resource_version(version.as_deref()).with_trace(trace.as_deref()))
    }

    /// The message body.
    pub fn body(&self) -> String {
        // A struct of strings and integers always serialises; an empty body would be refused by `parse`.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint() -> Hint {
        Hint::new(
            "gateway/123456789012/us-west-2/my-hotel".parse().unwrap(),
            ObjectRef {
                cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
                kind: Kind::Gateway,
                namespace: "default".into(),
                name: "my-hotel".into(),
                uid: "u".into(),
                generation: 3,
            },
            Operation::Update,
        )
    }

    #[test]
    fn a_body_is_read_back_as_the_same_hint() {
        assert_eq!(Hint::parse(&hint().body()).unwrap(), hint());
        let named = hint().with_service_names((0..100).map(|n| format!("service-{n}")));
        assert_eq!(named.service_names.len(), SERVICE_NAMES_MAX);
        assert_eq!(Hint::parse(&named.body()).unwrap(), named);
    }

    #[test]
    fn what_is_absent_is_not_written() {
        let body = hint().body();
        for absent in [
            "serviceNames",
            "later",
            "waits",
            "hindered",
            "caughtUp",
            "changed",
            "oldResourceVersion",
            "look",
            "trace",
        ] {
            assert!(!body.contains(absent), "{body}");
        }
    }

    #[test]
    fn where_a_hint_comes_from_and_what_was_before_are_read_back_if_an_api_server_could_have_said_so() {
        let told = hint().with_old_resource_version(Some("41")).with_trace(Some("705ab4f5-6393"));
        assert_eq!(Hint::parse(&told.body()).unwrap(), told);
        assert_eq!(
            (told.old_resource_version.as_deref(), told.trace.as_deref()),
            (Some("41"), Some("705ab4f5-6393"))
        );
        let forged =
            Hint { trace: Some("a\nb".into()), old_resource_version: Some("9".repeat(1000)), ..hint() };
        assert_eq!(Hint::parse(&forged.body()).unwrap(), hint());
        assert_eq!(told.clone().again().trace, told.trace, "what waits can still be followed");
    }

    #[test]
    fn a_hint_of_a_unit_that_waits_counts_and_waits_for_no_object() {
        let again = hint().again().again();
        assert_eq!(Hint::parse(&again.body()).unwrap(), again);
        assert_eq!((again.waits, again.operation), (2, Operation::Resync));
        let hindered = Hint { hindered: 3, catch_ups: 1, changed: Some(1_800_000_000_000), ..hint() };
        assert_eq!(Hint::parse(&hindered.body()).unwrap(), hindered);
        assert_eq!(Hint { waits: u32::MAX, ..hint() }.again().waits, u32::MAX);
    }

    #[test]
    fn another_schema_is_refused_by_its_number_even_if_the_rest_is_unreadable() {
        for schema in [1, 7] {
            let error = Hint::parse(&format!(r#"{{"schema": {schema}, "what": []}}"#)).unwrap_err();
            assert!(error.to_string().contains(&format!("schema {schema} is not known")), "{error}");
        }
    }

    #[test]
    fn nonsense_and_oversized_bodies_are_errors() {
        assert!(matches!(Hint::parse("]"), Err(ParseHintError::Malformed(_))));
        assert!(matches!(Hint::parse(&" ".repeat(BODY_BYTES_MAX + 1)), Err(ParseHintError::TooLong(_))));
    }
}
