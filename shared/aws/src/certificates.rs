//! The certificates of ACM that VPC Lattice can serve.

use crate::AwsError;
use crate::cache::Cached;
use crate::tagging::{CERTIFICATE_TYPE, TagIndex};
use aws_sdk_acm::Client;
use aws_sdk_acm::types::{CertificateStatus, CertificateSummary, CertificateType, Filters, KeyAlgorithm};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use trellis_lattice::{Certificate, CertificateOrigin, TAG_OWNER, TAG_SECRET, TAG_UNIT, Tags};

const OPERATION: &str = "ListCertificates";
/// How long a listing is believed within an invocation; each asks anew.
const AGE_MAX: Duration = Duration::from_mins(1);
/// Entries of one page, the most that the API gives (API reference, ListCertificates).
const PAGE_ENTRIES: i32 = 1_000;
/// How late the index of tags may be before it counts that it does not show something. AWS names no bound; minutes were seen.
const INDEX_LAG_MAX: Duration = Duration::from_mins(15);
/// Certificates that are read; an account has 2,500 (ACM's default quota).
const CERTIFICATES_MAX: usize = 10_000;

/// Lists certificates, and keeps the list for the units of one invocation.
#[derive(Debug)]
pub struct CertificateClient {
    api: Client,
    /// Tells which are of Secrets; none where none can be.
    tags: Option<TagIndex>,
    known: Cached<Vec<Certificate>>,
}

impl CertificateClient {
    pub(crate) fn new(api: Client, tags: Option<TagIndex>) -> Self {
        Self { api, tags, known: Cached::new(AGE_MAX) }
    }

    /// Those that are issued and have an RSA key of 2048 bits, with their names. Of the names of one certificate ACM lists a
    /// hundred. No listing from before `not_before` is used.
    pub async fn all(&self, not_before: SystemTime) -> Result<Vec<Certificate>, AwsError> {
        Ok(self.known.get(not_before, self.listed()).await?.as_ref().clone())
    }

    async fn listed(&self) -> Result<Vec<Certificate>, AwsError> {
        let keys = Filters::builder().key_types(KeyAlgorithm::Rsa2048).build();
        let mut pages = self
            .api
            .list_certificates()
            .certificate_statuses(CertificateStatus::Issued)
            .includes(keys)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let (mut all, mut imported) = (vec![], BTreeMap::new());
        let mut read = 0;
        while let Some(summary) = pages.next().await {
            let summary = summary.map_err(|error| AwsError::from_sdk(OPERATION, error))?;
            if let (Some(arn), Some(CertificateType::Imported)) = (&summary.certificate_arn, &summary.r#type)
            {
                imported.insert(arn.clone(), summary.imported_at.map_or(0, |time| time.secs()));
            }
            all.extend(usable(summary));
            read += 1;
            if read > CERTIFICATES_MAX {
                return Err(AwsError::refused(
                    OPERATION,
                    format!("more than {CERTIFICATES_MAX} certificates"),
                ));
            }
        }
        if let Some(index) = &self.tags {
            let origins = self.origins(index, &imported).await?;
            for one in &mut all {
                one.origin = origins.get(&one.arn).cloned();
            }
        }
        Ok(all)
    }

    /// Which of the imported certificates are of Secrets, by ARN. The index of tags finds them; one that it does not show and that is
    /// new is asked for its own tags, lest a Secret's certificate be taken for one that is everybody's.
    async fn origins(
        &self,
        index: &TagIndex,
        imported: &BTreeMap<String, i64>,
    ) -> Result<BTreeMap<String, CertificateOrigin>, AwsError> {
        let shown = index.find(CERTIFICATE_TYPE, &[(TAG_SECRET, None)]).await?;
        let since = SystemTime::now() - INDEX_LAG_MAX;
        let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let is_new = |at: i64| u64::try_from(at).is_ok_and(|at| at == 0 || at >= since);
        let mut asked: BTreeMap<String, Tags> = BTreeMap::new();
        for (arn, _) in imported.iter().filter(|(arn, at)| !shown.contains_key(*arn) && is_new(**at)) {
            let request = self.api.list_tags_for_certificate().certificate_arn(arn).send();
            let read = request.await.map_err(|error| AwsError::from_sdk("ListTagsForCertificate", error));
            let tags = match read {
                Ok(output) => output.tags.unwrap_or_default(),
                // It is gone; or its tags may not be read, and then it bears none of ours.
                Err(error) if error.is_not_found() || error.is_access_denied() => vec![],
                Err(error) => return Err(error),
            };
            let pairs = tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default()));
            asked.insert(arn.clone(), pairs.collect());
        }
        Ok(shown.into_iter().chain(asked).filter_map(|(arn, tags)| Some((arn, origin(&tags)?))).collect())
    }
}

fn origin(tags: &Tags) -> Option<CertificateOrigin> {
    let tag = |name: &str| tags.get(name).cloned();
    let secret = tag(TAG_SECRET)?;
    // One whose other tags are lost is nobody's; it still is of a Secret.
    let (installation, unit) = (tag(TAG_OWNER).unwrap_or_default(), tag(TAG_UNIT).unwrap_or_default());
    Some(CertificateOrigin { installation, unit, secret })
}

/// The certificate, if VPC Lattice can serve it. What a listing leaves out counts as asked for: the filters say it too.
fn usable(summary: CertificateSummary) -> Option<Certificate> {
    let is_issued = summary.status.is_none_or(|status| status == CertificateStatus::Issued);
    let is_taken = summary.key_algorithm.is_none_or(|key| key == KeyAlgorithm::Rsa2048);
    if !is_issued || !is_taken {
        return None;
    }
    let names = summary
        .domain_name
        .into_iter()
        .chain(summary.subject_alternative_name_summaries.into_iter().flatten());
    let issued = summary.issued_at.or(summary.imported_at).or(summary.created_at);
    Some(Certificate {
        arn: summary.certificate_arn?,
        names: names.map(|name| name.to_ascii_lowercase()).collect(),
        issued: issued.and_then(|time| u64::try_from(time.secs()).ok()).unwrap_or_default(),
        origin: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::DateTime;

    fn summary() -> aws_sdk_acm::types::builders::CertificateSummaryBuilder {
        CertificateSummary::builder().certificate_arn("arn").domain_name("A.example.com")
    }

    #[test]
    fn a_certificate_has_its_names_in_lower_case_and_the_time_when_it_was_issued_or_imported() {
        let issued =
            summary().subject_alternative_name_summaries("*.example.com").issued_at(DateTime::from_secs(7));
        let names = ["a.example.com", "*.example.com"].map(str::to_owned);
        let expected = Certificate { arn: "arn".into(), names: names.into(), issued: 7, origin: None };
        assert_eq!(usable(issued.build()), Some(expected));
        let imported = summary().imported_at(DateTime::from_secs(9)).build();
        assert_eq!(usable(imported).map(|one| one.issued), Some(9));
    }

    #[test]
    fn what_vpc_lattice_does_not_take_is_left_out_whatever_the_filters_did() {
        assert_eq!(usable(summary().key_algorithm(KeyAlgorithm::EcPrime256v1).build()), None);
        assert_eq!(usable(summary().status(CertificateStatus::Expired).build()), None);
        assert_eq!(usable(CertificateSummary::builder().domain_name("a").build()), None);
    }
}
