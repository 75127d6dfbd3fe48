//! Which messages' last try failed after it had told everybody what it wrote.
//!
//! What a try that was cut off may have left untold is told by the next one. Told again after each try, two units that both
//! fail and read each other's statuses would wake each other for as long as they fail. Nothing but the process knows; after
//! its end all is told again.

use super::batch::Record;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Messages that come again within their visibility timeouts, of all that one process works on. Of one that is forgotten
/// others are told once more.
const TRIES_MAX: usize = 1000;

/// Ids of messages, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Tries(Mutex<VecDeque<String>>);

impl Tries {
    /// A try begins, whose end is open. Gives back the first message whose last try may have left something untold.
    pub(crate) fn begin(&self, records: &[Record]) -> Option<String> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let again = records.iter().filter(|record| record.receives > 1);
        let owing = again.map(|record| &record.message_id).find(|id| !told.contains(id)).cloned();
        told.retain(|id| !records.iter().any(|record| record.message_id == *id));
        owing
    }

    /// The try has failed, and has told everybody what it wrote.
    pub(crate) fn told(&self, records: &[Record]) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend(records.iter().map(|record| record.message_id.clone()));
        let surplus = told.len().saturating_sub(TRIES_MAX);
        told.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_hint::{Hint, Kind, ObjectRef, Operation, UnitKey};

    fn record(id: &str, receives: u32) -> Record {
        let unit: UnitKey =
            "route/123456789012/us-west-2/HTTPRoute/one/default/inventory".parse().expect("a route's unit");
        let object = ObjectRef {
            cluster: unit.cluster().expect("a route's cluster").clone(),
            kind: Kind::HTTPRoute,
            namespace: "default".into(),
            name: "inventory".into(),
            uid: String::new(),
            generation: 1,
        };
        let hint = Hint::new(unit, object, Operation::Resync);
        Record { message_id: id.into(), receipt_handle: String::new(), receives, sent: None, hint }
    }

    #[test]
    fn only_a_try_that_came_to_its_end_has_told_everybody() {
        let tries = Tries::default();
        assert_eq!(tries.begin(&[record("1", 1)]), None, "there was no try before");
        assert_eq!(tries.begin(&[record("1", 2)]).as_deref(), Some("1"), "the first one was cut off");
        tries.told(&[record("1", 2)]);
        assert_eq!(tries.begin(&[record("1", 3), record("2", 1)]), None);
        assert_eq!(tries.begin(&[record("1", 4)]).as_deref(), Some("1"), "the third one was cut off");
    }

    #[test]
    fn no_more_messages_are_remembered_than_there_is_room_for() {
        let tries = Tries::default();
        for id in 0..=TRIES_MAX {
            tries.told(&[record(&id.to_string(), 1)]);
        }
        assert_eq!(tries.begin(&[record("0", 2)]).as_deref(), Some("0"));
        assert_eq!(tries.begin(&[record("1", 2)]), None);
    }
}
