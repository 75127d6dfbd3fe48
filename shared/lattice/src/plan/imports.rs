//! Certificates of Secrets, imported into ACM.

use super::draft::Draft;
use super::unwanted;
use crate::resource::counting;
use crate::{
    ActualCertificate, DeleteCertificate, ImportCertificate, Ownership, TAG_CERTIFICATE, TAG_SECRET, Tags,
};

/// Imports what is new, and what has taken the place of what was imported before: under the same ARN, so that no service notices.
pub(super) fn import(draft: &mut Draft) {
    for wanted in draft.desired.certificates.clone().unwrap_or_default() {
        let Some(material) = wanted.material else { continue };
        let mark = (TAG_CERTIFICATE.to_owned(), material.fingerprint.clone());
        let secret = wanted.secret;
        match counting(&draft.model.certificates, &secret) {
            None => {
                let mut tags = draft.tags(&wanted.tags);
                tags.extend([mark, (TAG_SECRET.to_owned(), secret.clone())]);
                draft.push(ImportCertificate { secret, arn: None, material, tags });
            }
            Some(held) if held.fingerprint() == material.fingerprint => {}
            Some(held) => {
                let arn = Some(held.arn.clone());
                draft.push(ImportCertificate { secret, arn, material, tags: Tags::from([mark]) });
            }
        }
    }
}

/// Deletes what no listener names any more and no service has. What one has still goes at a later look: ACM deletes nothing that is
/// in use.
pub(super) fn delete(draft: &mut Draft) {
    let ours = draft.model.certificates.iter().filter(|one| one.ownership == Ownership::Ours);
    let stale = ours.filter(|one| !one.in_use && !is_wanted(draft, one));
    let stale: Vec<_> = stale.filter(|one| !unwanted::certificate_stays(draft, one)).cloned().collect();
    for held in stale {
        draft.push(DeleteCertificate { secret: held.secret().to_owned(), arn: held.arn });
    }
}

/// Whether a certificate of ours is the one of a wanted Secret. Where nothing is said of certificates all of them are.
pub(super) fn is_wanted(draft: &Draft, held: &ActualCertificate) -> bool {
    let Some(wanted) = &draft.desired.certificates else { return true };
    let counts = || counting(&draft.model.certificates, held.secret()).is_some_and(|one| one.arn == held.arn);
    wanted.iter().any(|one| one.secret == held.secret()) && counts()
}
