//! The account of calls: counts by operation and error, and a bounded log.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::Moment;

/// Calls that the log keeps; a walk-through of the user's guide makes a few hundred.
const MAX_LOG: usize = 10_000;

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// Number of the call, from 1.
    pub seq: u64,
    /// Name of the operation, or `Unknown`.
    pub operation: String,
    /// HTTP status of the answer; 0 when the connection was broken on purpose.
    pub status: u16,
    /// Name of the exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Milliseconds since the emulator started.
    pub at: u64,
    /// The caller's user agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Counts and log.
#[derive(Debug, Default)]
pub struct CallLog {
    started: Moment,
    seq: u64,
    operations: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    log: VecDeque<Call>,
}

impl CallLog {
    /// An empty one.
    pub fn new(started: Moment) -> Self {
        Self { started, ..Self::default() }
    }

    /// Notes a call.
    pub fn note(
        &mut self,
        now: Moment,
        operation: &str,
        status: u16,
        error: Option<&str>,
        agent: Option<String>,
    ) {
        self.seq += 1;
        *self.operations.entry(operation.to_owned()).or_default() += 1;
        if let Some(error) = error {
            *self.errors.entry(error.to_owned()).or_default() += 1;
        }
        if self.log.len() >= MAX_LOG {
            self.log.pop_front();
        }
        let operation = operation.to_owned();
        let error = error.map(str::to_owned);
        let at = now.since(self.started);
        self.log.push_back(Call { seq: self.seq, operation, status, error, at, agent });
    }

    /// Forgets all counts and the log. Numbers go on, so `since` of an earlier reader stays right.
    pub fn reset(&mut self) {
        self.operations.clear();
        self.errors.clear();
        self.log.clear();
    }

    /// Counts and the calls after number `since`, as JSON.
    pub fn report(&self, since: u64) -> serde_json::Value {
        let calls: Vec<&Call> = self.log.iter().filter(|call| call.seq > since).collect();
        serde_json::json!({
            "total": self.operations.values().sum::<u64>(),
            "last": self.seq,
            "operations": self.operations,
            "errors": self.errors,
            "calls": calls,
        })
    }
}
