//! A certificate authority and the one certificate that it signs.
//!
//! The authority's key is thrown away once it has signed, so it can never sign a second certificate, wherever its own is
//! trusted. A renewal makes both anew.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Life of a certificate. With the renewal at two thirds of it, a cluster may be off for a month and still come up with
/// a certificate that is trusted.
pub const LIFETIME: Duration = Duration::days(90);

/// How much earlier than now a certificate begins, for API servers whose clock is behind.
pub const CLOCK_SKEW: Duration = Duration::minutes(10);

/// Begins the common name of every authority made here, followed by its time of birth: [`super::bundle`] knows our own
/// by it.
pub const AUTHORITY_NAME: &str = "trellis-webhook-ca";

/// Names that every certificate has besides the Service's, for a person or a test on the same machine.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// An authority's certificate, the serving certificate and its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The authority's certificate.
    pub authority_pem: String,
    /// The serving certificate.
    pub certificate_pem: String,
    /// The serving certificate's key, PKCS#8.
    pub key_pem: String,
}

/// Not the key: whoever reads a log must not learn it.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authority_pem, certificate_pem, key_pem: _ } = self;
        f.debug_struct("Identity")
            .field("authority_pem", authority_pem)
            .field("certificate_pem", certificate_pem)
            .finish_non_exhaustive()
    }
}

/// When a certificate holds, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Not before this time.
    pub not_before: OffsetDateTime,
    /// Not after this time.
    pub not_after: OffsetDateTime,
    /// DNS names and addresses.
    pub names: BTreeSet<String>,
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate could be made for {names:?}")]
pub struct IssueError {
    names: Vec<String>,
    source: rcgen::Error,
}

/// Why a stored identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableError {
    /// Not PEM.
    #[error("the PEM cannot be read")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Not X.509.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// The key is of no known kind or belongs to another certificate.
    #[error("the key does not fit the certificate")]
    Key(#[from] rustls::Error),
}

/// Makes an authority and a certificate for `names`, DNS names or addresses, that begin at `now`.
pub fn issue(names: &[String], now: OffsetDateTime) -> Result<Identity, IssueError> {
    try_issue(names, now).map_err(|source| IssueError { names: names.to_vec(), source })
}

fn try_issue(names: &[String], now: OffsetDateTime) -> Result<Identity, rcgen::Error> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    (authority.not_before, authority.not_after) = (now - CLOCK_SKEW, now + LIFETIME);
    authority
        .distinguished_name
        .push(DnType::CommonName, format!("{AUTHORITY_NAME}-{}", now.unix_timestamp()));
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_pem = authority.self_signed(&authority_key)?.pem();

    let key = KeyPair::generate()?;
    let all_names: BTreeSet<String> = names.iter().cloned().chain(LOCAL_NAMES.map(str::to_owned)).collect();
    let mut certificate = CertificateParams::new(all_names.into_iter().collect::<Vec<_>>())?;
    (certificate.not_before, certificate.not_after) = (authority.not_before, authority.not_after);
    certificate.distinguished_name.push(DnType::CommonName, "trellis-webhook");
    certificate.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    certificate.use_authority_key_identifier_extension = true;
    let certificate = certificate.signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok(Identity { authority_pem, certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

/// Whether a certificate must be replaced: two thirds of its life are over, it has not begun by this clock, or it lacks
/// one of `names`.
///
/// ```
/// use time::{Duration, OffsetDateTime};
/// use trellis_webhook::tls::identity::{Validity, renewal_due};
/// let (day, start) = (Duration::days(1), OffsetDateTime::UNIX_EPOCH);
/// let validity = Validity { not_before: start, not_after: start + 90 * day, names: ["a".to_owned()].into() };
/// assert!(!renewal_due(&validity, &["a".to_owned()], start + 59 * day));
/// assert!(renewal_due(&validity, &["a".to_owned()], start + 60 * day));
/// ```
pub fn renewal_due(validity: &Validity, names: &[String], now: OffsetDateTime) -> bool {
    let due = validity.not_before + (validity.not_after - validity.not_before) * 2 / 3;
    now >= due || now < validity.not_before || !names.iter().all(|name| validity.names.contains(name))
}

impl Identity {
    /// When and for whom the serving certificate holds.
    pub fn validity(&self) -> Result<Validity, UnusableError> {
        let der = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes())?;
        validity_of(&der)
    }

    /// The serving certificate as rustls takes it, after a check that the key belongs to it.
    pub fn certified_key(&self) -> Result<Arc<CertifiedKey>, UnusableError> {
        let chain =
            CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())?;
        Ok(Arc::new(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?))
    }
}

fn validity_of(der: &[u8]) -> Result<Validity, UnusableError> {
    let unreadable = |error: &dyn std::fmt::Display| UnusableError::Certificate(error.to_string());
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
    let alternative = certificate.subject_alternative_name().map_err(|error| unreadable(&error))?;
    let names = alternative
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(name_text)
        .collect();
    let validity = certificate.validity();
    Ok(Validity {
        not_before: validity.not_before.to_datetime(),
        not_after: validity.not_after.to_datetime(),
        names,
    })
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(*octets).ok()?).to_string()),
            _ => Some(Ipv6Addr::from(<[u8; 16]>::try_from(*octets).ok()?).to_string()),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn an_identity_holds_for_its_names_and_this_machine_from_shortly_before_now() {
        let identity = issue(&names(&["w.ns.svc"]), NOW).unwrap();
        let validity = identity.validity().unwrap();
        assert_eq!(
            validity.names,
            names(&["127.0.0.1", "::1", "localhost", "w.ns.svc"]).into_iter().collect()
        );
        assert_eq!((validity.not_before, validity.not_after), (NOW - CLOCK_SKEW, NOW + LIFETIME));
        identity.certified_key().unwrap();
    }

    #[test]
    fn a_key_is_never_shown() {
        let identity = issue(&[], NOW).unwrap();
        let shown = format!("{identity:?}");
        assert!(
            shown.contains("CERTIFICATE") && !shown.contains("PRIVATE") && !shown.contains(&identity.key_pem)
        );
    }

    #[test]
    fn renewal_is_due_at_two_thirds_of_the_life_before_its_start_or_for_another_name() {
        let day = Duration::days(1);
        let validity = Validity {
            not_before: NOW,
            not_after: NOW + 90 * day,
            names: names(&["a", "b"]).into_iter().collect(),
        };
        let second = Duration::seconds(1);
        for (wanted, now, due) in [
            (&["a"][..], NOW, false),
            (&["a"], NOW + 60 * day - second, false),
            (&["a"], NOW + 60 * day, true),
            (&["a"], NOW + 1000 * day, true),
            (&["a"], NOW - second, true),
            (&["a", "c"], NOW, true),
            (&[], NOW, false),
        ] {
            assert_eq!(renewal_due(&validity, &names(wanted), now), due, "{wanted:?} at {now}");
        }
    }

    #[test]
    fn foreign_keys_and_nonsense_are_unusable() {
        let one = issue(&names(&["a"]), NOW).unwrap();
        let other = issue(&names(&["a"]), NOW).unwrap();
        let mixed = Identity { key_pem: other.key_pem, ..one.clone() };
        assert!(matches!(mixed.certified_key(), Err(UnusableError::Key(_))));
        let nonsense = Identity { certificate_pem: "x".into(), ..one };
        assert!(matches!(nonsense.validity(), Err(UnusableError::Pem(_))));
        assert!(matches!(validity_of(b"x"), Err(UnusableError::Certificate(_))));
    }

    #[test]
    fn a_name_that_no_certificate_can_bear_is_an_error() {
        assert!(issue(&names(&["ü"]), NOW).is_err());
    }
}
