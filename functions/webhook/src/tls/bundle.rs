//! What a `caBundle` must hold: the present authority, and those before it while they are valid.
//!
//! A replica that has not read the new Secret yet still serves the certificate before, so an authority leaves the bundle
//! only when its time is over. Certificates that are not ours leave it at once: nothing of them could be served here.

use super::identity::AUTHORITY_NAME;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Authorities in a bundle: two while one is renewed; more only if the Secret was deleted again and again.
const AUTHORITIES_MAX: usize = 4;

const PEM_END: &str = "-----END CERTIFICATE-----";

/// The bundle that should stand in the place of `present`; `None` if `present` will do.
pub fn missing_from(present: &[u8], authority_pem: &str, now: OffsetDateTime) -> Option<String> {
    let present = String::from_utf8_lossy(present);
    let there: Vec<&str> = split(&present);
    let wanted = authority_pem.trim();
    let mut kept: Vec<&str> =
        there.iter().copied().filter(|pem| is_valid_authority_of_ours(pem, now)).collect();
    if kept.contains(&wanted) && kept.len() == there.len() {
        return None;
    }
    kept.retain(|pem| *pem != wanted);
    kept.push(wanted);
    let surplus = kept.len().saturating_sub(AUTHORITIES_MAX);
    Some(kept[surplus..].join("\n") + "\n")
}

fn split(bundle: &str) -> Vec<&str> {
    bundle.split_inclusive(PEM_END).map(str::trim).filter(|pem| !pem.is_empty()).collect()
}

fn is_valid_authority_of_ours(pem: &str, now: OffsetDateTime) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return false };
    let mut names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let ours = names.any(|name| name.starts_with(AUTHORITY_NAME));
    ours && certificate.validity().not_after.to_datetime() > now
}

#[cfg(test)]
mod tests {
    use super::super::identity::{LIFETIME, issue};
    use super::*;
    use time::Duration;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn authority(days: i64) -> String {
        issue(&[], NOW + Duration::days(days)).unwrap().authority_pem
    }

    #[test]
    fn an_empty_or_foreign_bundle_is_replaced_and_a_right_one_left() {
        let ours = authority(0);
        for present in
            ["", "\n", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let bundle = missing_from(present.as_bytes(), &ours, NOW).unwrap();
            assert_eq!(bundle.trim(), ours.trim(), "{present}");
            assert_eq!(missing_from(bundle.as_bytes(), &ours, NOW), None);
        }
    }

    #[test]
    fn an_authority_before_stays_until_its_time_is_over() {
        let (old, new) = (authority(0), authority(60));
        let both = missing_from(old.as_bytes(), &new, NOW + Duration::days(60)).unwrap();
        assert_eq!(split(&both), [old.trim(), new.trim()]);
        // A replica that still has the old one wants no change.
        assert_eq!(missing_from(both.as_bytes(), &old, NOW + Duration::days(60)), None);
        let later = missing_from(both.as_bytes(), &new, NOW + LIFETIME + Duration::days(1)).unwrap();
        assert_eq!(split(&later), [new.trim()]);
    }

    #[test]
    fn a_bundle_never_grows_without_end() {
        let mut bundle = String::new();
        for day in 0..10 {
            bundle = missing_from(bundle.as_bytes(), &authority(day), NOW + Duration::days(day)).unwrap();
        }
        assert_eq!(split(&bundle).len(), AUTHORITIES_MAX);
    }
}
