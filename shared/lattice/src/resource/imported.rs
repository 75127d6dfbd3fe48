//! The certificate of a Secret, imported into ACM: the one kind of resource that is not VPC Lattice's own.

use super::ResourceMut;
use crate::check::{View, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, TAG_CERTIFICATE, TAG_SECRET, Tags, ViolationKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{Debug, Display, Formatter, Result as Written};

/// A private key as PEM. Neither its `Debug` nor its serialised form has it, and it has no `Display`: whoever sends it to ACM asks for
/// it by name.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Vec<u8>);

/// What stands for a key wherever it could be seen.
const REDACTED: &str = "redacted";

impl PrivateKey {
    /// The key in this PEM.
    pub fn new(pem: impl Into<Vec<u8>>) -> Self {
        Self(pem.into())
    }

    /// The PEM: for parsing, and for the call that imports it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Debug for PrivateKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "PrivateKey({REDACTED})")
    }
}

impl Serialize for PrivateKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for PrivateKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(String::deserialize(deserializer)?))
    }
}

/// What is imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateMaterial {
    /// The certificate, PEM.
    pub certificate: String,
    /// The certificates up to the authority's, PEM; none where the Secret has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chain: Option<String>,
    /// The certificate's key.
    pub key: PrivateKey,
    /// A hash of the certificate and its chain ([`TAG_CERTIFICATE`]).
    pub fingerprint: String,
}

/// A wish for a Secret's certificate in ACM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredCertificate {
    /// A hash of cluster, namespace and name of the Secret ([`TAG_SECRET`]).
    pub secret: String,
    /// What the Secret holds. None while it holds nothing that can be imported or is not known: what ACM has stays.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub material: Option<CertificateMaterial>,
    /// Tags set at the first import and kept.
    pub tags: Tags,
}

/// An imported certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualCertificate {
    /// The last part of the ARN.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Whether any service of AWS has it. ACM deletes none of these.
    #[serde(default)]
    pub in_use: bool,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

impl ActualCertificate {
    /// The Secret that it is of.
    pub fn secret(&self) -> &str {
        self.tags.get(TAG_SECRET).map(String::as_str).unwrap_or_default()
    }

    /// The hash of what was imported last.
    pub fn fingerprint(&self) -> &str {
        self.tags.get(TAG_CERTIFICATE).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

/// Of a Secret's certificates of ours the one that counts: an import whose answer was lost may have made a second one.
pub(crate) fn counting<'a>(all: &'a [ActualCertificate], secret: &str) -> Option<&'a ActualCertificate> {
    let ours = all.iter().filter(|one| one.ownership == Ownership::Ours && one.secret() == secret);
    ours.min_by(|a, b| a.arn.cmp(&b.arn))
}

impl<'a> View<'a> {
    fn certificate(&self, arn: &str) -> Result<&'a ActualCertificate, ViolationKind> {
        let held = self.state.certificates.iter().find(|one| one.arn == arn);
        there(held, || format!("certificate {arn}"))
    }

    fn wanted_certificates(&self) -> &'a [DesiredCertificate] {
        self.desired.certificates.as_deref().unwrap_or_default()
    }
}

/// ImportCertificate: a new one, or what has taken an older one's place under its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportCertificate {
    /// The Secret's hash.
    pub secret: String,
    /// The one that it takes the place of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arn: Option<String>,
    /// What is imported.
    pub material: CertificateMaterial,
    /// Tags: all of a new one, of another [`TAG_CERTIFICATE`] alone.
    pub tags: Tags,
}

impl ImportCertificate {
    fn new_arn(&self) -> String {
        format!("arn:certificate/{}", self.secret)
    }
}

impl StepKind for ImportCertificate {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "import"
    }

    fn subject(&self) -> String {
        format!("certificate of Secret {}", self.secret)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { arn, tags, .. } = self;
        if let Some(arn) = arn {
            let held = state.certificates.iter_mut().filter(|one| one.arn == *arn);
            held.for_each(|one| one.tags.extend(tags.clone()));
            return;
        }
        state.certificates.push(ActualCertificate {
            id: self.secret.clone(),
            arn: self.new_arn(),
            in_use: false,
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { secret, arn, material, tags } = self;
        let wished =
            |one: &DesiredCertificate| one.secret == *secret && one.material.as_ref() == Some(material);
        require(view.wanted_certificates().iter().any(wished), || ViolationKind::Unwanted {
            what: self.subject(),
        })?;
        if let Some(arn) = arn {
            let held = view.certificate(arn)?;
            ours(&held.ownership, arn)?;
            return require(held.secret() == secret, || ViolationKind::Taken { what: self.subject() });
        }
        view.bears_owner(tags)?;
        let is_there = counting(&view.state.certificates, secret).is_some();
        require(!is_there, || ViolationKind::ThereAlready { what: self.subject() })
    }
}

impl Display for ImportCertificate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let sign = if self.arn.is_some() { '~' } else { '+' };
        write!(f, "{sign} {}", self.subject())
    }
}

/// DeleteCertificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteCertificate {
    /// The Secret's hash.
    pub secret: String,
    /// ARN.
    pub arn: String,
}

impl StepKind for DeleteCertificate {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        format!("certificate of Secret {}", self.secret)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.certificates.retain(|one| one.arn != self.arn);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.certificate(&self.arn)?;
        ours(&held.ownership, &self.arn)?;
        let by = || ViolationKind::InUse { what: self.subject(), by: "a service".to_owned() };
        require(!held.in_use, by)?;
        let is_wanted = view.wanted_certificates().iter().any(|one| one.secret == held.secret());
        let counts = counting(&view.state.certificates, held.secret()).is_some_and(|one| one.arn == held.arn);
        require(!(is_wanted && counts), || ViolationKind::Wanted { what: self.subject() })
    }
}

impl Display for DeleteCertificate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", self.subject())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Desired, Step, plan};

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nnobody sees this\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_private_key_is_in_no_text_of_a_wish_or_a_plan() {
        let owner = Owner { installation: "trellis".into(), unit: "0a".into(), key: "gateway/n".into() };
        let material = CertificateMaterial {
            certificate: "public".into(),
            chain: None,
            key: PrivateKey::new(KEY),
            fingerprint: "f".into(),
        };
        let certificate =
            DesiredCertificate { secret: "s".into(), material: Some(material), tags: owner.tags() };
        let desired = Desired { certificates: Some(vec![certificate]), ..Desired::nothing(owner) };
        let plan = plan(&desired, &Actual::default(), &crate::Limits::default());
        assert!(matches!(plan.steps.as_slice(), [Step::ImportCertificate(_)]), "{plan}");
        let told = [
            plan.to_string(),
            format!("{plan:?}{desired:#?}"),
            plan.steps[0].description(),
            serde_json::to_string(&plan).unwrap(),
            serde_json::to_string(&desired).unwrap(),
        ];
        for text in told {
            assert!(!text.contains("nobody") && !text.contains("110, 111, 98"), "{text}");
        }
    }
}
