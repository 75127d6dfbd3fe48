use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A certificate of ACM that VPC Lattice can serve: issued, in this account and Region, with an RSA key of 2048 bits (VPC
/// Lattice User Guide, bring your own certificate).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// ARN.
    pub arn: String,
    /// The names that it is for, in lower case; one that begins with `*.` stands for any first label.
    pub names: BTreeSet<String>,
    /// Seconds since 1970; 0 where ACM does not tell.
    #[serde(default)]
    pub issued: u64,
    /// Of one that an installation of Trellis has imported from a Secret: it serves only those who name the Secret, since whoever may
    /// make a Secret would else have every hostname of the account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<CertificateOrigin>,
}

/// Where an imported certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateOrigin {
    /// The installation ([`crate::TAG_OWNER`]).
    pub installation: String,
    /// The hash of the Gateways' unit ([`crate::TAG_UNIT`]).
    pub unit: String,
    /// The Secret's hash ([`crate::TAG_SECRET`]).
    pub secret: String,
}

/// What is known of the certificates in ACM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Certificates {
    /// Nobody has asked, since nothing needs one, or since nobody may: nothing is said of them.
    #[default]
    NotAsked,
    /// ACM did not tell: why.
    Unknown(String),
    /// These are all.
    Known(Vec<Certificate>),
}
