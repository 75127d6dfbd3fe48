//! What bears access logs and auth policies.

use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result};

/// A service or a service network, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// A service.
    Service(String),
    /// A service network.
    Network(String),
}

impl Holder {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Service(name) | Self::Network(name) => name,
        }
    }
}

impl Display for Holder {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Service(name) => write!(f, "service {name}"),
            Self::Network(name) => write!(f, "service network {name}"),
        }
    }
}
