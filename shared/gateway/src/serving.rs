//! Which Lattice service serves a route.

use crate::snapshot::ObjectKey;
use serde::Serialize;
use std::collections::BTreeSet;

/// A Lattice service that serves a route, of its own or of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// The service's name.
    pub service: String,
    /// What it is for, as other routes' statuses tell it: a hostname, or `Gateway <namespace>/<name>`; none for the generated name
    /// of a service of the route alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The service networks that it is in.
    pub networks: BTreeSet<String>,
    /// Which of the reported route's parents, by index, ask for what it has; none for a service that stays from before, which is
    /// told at all parents of its networks.
    #[serde(skip)]
    pub(crate) parents: Option<BTreeSet<usize>>,
    /// The route of the same cluster whose unit owns the service; none for the reported route itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<ObjectKey>,
    /// Other routes whose rules the service has too, with their generations; none of one that has what it had before an edit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub followers: Vec<(ObjectKey, Option<i64>)>,
}

impl Serving {
    /// The hostname, which no name of a Gateway with its namespace can be.
    pub fn domain(&self) -> Option<&str> {
        self.hostname.as_deref().filter(|hostname| !hostname.contains('/'))
    }
}
