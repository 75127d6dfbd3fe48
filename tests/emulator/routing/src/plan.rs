//! A service as requests meet it, and the choice of a rule and of a share.

use crate::matching::{Conditions, PrefixMode, Request, matches};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service as requests meet it.
#[derive(Debug)]
pub struct ServicePlan {
    /// Listeners by port.
    pub listeners: BTreeMap<u16, ListenerPlan>,
}

/// A listener as requests meet it.
#[derive(Debug)]
pub struct ListenerPlan {
    /// `HTTP`, `HTTPS` or `TLS_PASSTHROUGH`.
    pub protocol: String,
    /// Conditions and actions in the order of evaluation; the last one is the default.
    pub rules: Vec<(Conditions, Action)>,
}

/// Action of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Forward to one of these, by weight.
    Forward(Vec<Share>),
    /// Answer with this status.
    Fixed(u16),
}

/// A share of a forward action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Id of the target group.
    pub group: String,
    /// The identifier as the caller sent it.
    pub sent: String,
    /// Weight, 0 to 999.
    pub weight: u32,
}

/// How paths are read, where AWS's sources leave it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// How a prefix matches.
    pub prefixes: PrefixMode,
    /// Whether paths are compared as they are on the wire, and not percent-decoded.
    pub raw: bool,
}

impl ServicePlan {
    /// The listener that takes a request at a port.
    pub fn listener(&self, port: u16, tls: bool) -> Option<&ListenerPlan> {
        let wanted = if tls { "HTTPS" } else { "HTTP" };
        self.listeners.get(&port).filter(|listener| listener.protocol == wanted)
    }
}

impl ListenerPlan {
    /// Action of the first rule whose conditions hold.
    pub fn action(&self, reading: Reading, request: Request<'_>) -> Option<&Action> {
        let decoded;
        let path = if reading.raw {
            request.path
        } else {
            decoded = percent_encoding::percent_decode_str(request.path).decode_utf8_lossy();
            &decoded
        };
        let request = Request { path, ..request };
        let rule = self.rules.iter().find(|(conditions, _)| matches(conditions, request, reading.prefixes));
        rule.map(|(_, action)| action)
    }
}

/// The share on which the roll, from 0 to below 1, falls; none when all weights are zero.
pub fn choose(shares: &[Share], roll: f64) -> Option<&Share> {
    let sum: u32 = shares.iter().map(|share| share.weight).sum();
    let mut left = roll * f64::from(sum);
    let positive = || shares.iter().filter(|share| share.weight > 0);
    for share in positive() {
        left -= f64::from(share.weight);
        if left < 0.0 {
            return Some(share);
        }
    }
    positive().next_back()
}
