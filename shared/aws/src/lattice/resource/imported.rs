//! The certificate of a Secret in ACM.

use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::{LatticeClient, found};
use crate::tagging::CERTIFICATE_TYPE;
use crate::{AwsError, ErrorClass};
use aws_sdk_acm::primitives::Blob;
use aws_sdk_acm::types as sdk;
use futures::future::try_join_all;
use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};
use trellis_lattice::{
    ActualCertificate, DeleteCertificate, Desired, ImportCertificate, Owner, Ownership, RefusedCertificate,
    ResourceKind, TAG_OWNER, TAG_UNIT, Tags,
};

/// ACM.
pub(in crate::lattice) type CertificateApi = aws_sdk_acm::Client;

impl LatticeClient {
    /// The certificates of a unit, if it says anything of certificates: found by their tags and by what this process has imported, and
    /// each read by itself.
    pub(in crate::lattice) async fn read_imported(
        &self,
        desired: &Desired,
    ) -> Result<Vec<ActualCertificate>, AwsError> {
        if desired.certificates.is_none() {
            return Ok(vec![]);
        }
        let Owner { installation, unit, .. } = &desired.owner;
        let tags = [(TAG_OWNER, Some(installation.as_str())), (TAG_UNIT, Some(unit.as_str()))];
        let shown = self.inner.tag_index.find(CERTIFICATE_TYPE, &tags).await?;
        for (arn, tags) in &shown {
            self.inner.tags.forget_unlike(arn, tags);
        }
        let mut arns: BTreeSet<String> = shown.into_keys().collect();
        arns.extend(self.inner.memory.arns(unit));
        arns.retain(|arn| ResourceKind::of(arn) == ResourceKind::Certificate);
        let read = try_join_all(arns.into_iter().map(|arn| self.imported(&desired.owner, arn))).await?;
        Ok(read.into_iter().flatten().collect())
    }

    async fn imported(&self, owner: &Owner, arn: String) -> Result<Option<ActualCertificate>, AwsError> {
        let request = self.acm().describe_certificate().certificate_arn(&arn).send();
        let Some(output) = found(self.read("DescribeCertificate", request).await)? else { return Ok(None) };
        let Some((ownership, tags)) = self.ownership(owner, &arn).await? else { return Ok(None) };
        let in_use = output.certificate.is_some_and(|one| !one.in_use_by.unwrap_or_default().is_empty());
        let id = arn.rsplit('/').next().unwrap_or_default().to_owned();
        // What bears our tags and no longer is of the unit is found by nobody else, and is not ours.
        Ok((ownership == Ownership::Ours).then_some(ActualCertificate { id, arn, in_use, ownership, tags }))
    }

    /// The tags of a certificate; none where there is no such certificate.
    pub(in crate::lattice) async fn tags_of_certificate(&self, arn: &str) -> Result<Option<Tags>, AwsError> {
        let request = self.acm().list_tags_for_certificate().certificate_arn(arn).send();
        let output = found(self.read("ListTagsForCertificate", request).await)?;
        let pair = |tag: sdk::Tag| (tag.key, tag.value.unwrap_or_default());
        Ok(output.map(|output| output.tags.into_iter().flatten().map(pair).collect()))
    }

    pub(in crate::lattice) async fn tag_certificate(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        const OPERATION: &str = "AddTagsToCertificate";
        let tag = self.acm().add_tags_to_certificate().certificate_arn(arn);
        let request = tag.set_tags(Some(pairs(OPERATION, tags)?)).send();
        self.inner.tags.forget(arn);
        self.write(OPERATION, request).await.map(|_| ())
    }

    pub(in crate::lattice) async fn untag_certificate(
        &self,
        arn: &str,
        keys: &BTreeSet<String>,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "RemoveTagsFromCertificate";
        let keys = keys.iter().map(|key| sdk::Tag::builder().key(key).build());
        let keys: Vec<sdk::Tag> =
            keys.collect::<Result<_, _>>().map_err(|error| AwsError::unbuildable(OPERATION, error))?;
        let untag = self.acm().remove_tags_from_certificate().certificate_arn(arn).set_tags(Some(keys));
        self.inner.tags.forget(arn);
        self.write(OPERATION, untag.send()).await.map(|_| ())
    }
}

fn pairs(operation: &'static str, tags: &Tags) -> Result<Vec<sdk::Tag>, AwsError> {
    let pairs = tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build());
    pairs.collect::<Result<_, _>>().map_err(|error| AwsError::unbuildable(operation, error))
}

impl Perform for ImportCertificate {
    const LANE: Lane = Lane::Alone;

    /// Imports, and only then says by the tag what was imported: cut off in between it is imported once more.
    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "ImportCertificate";
        let Self { secret, arn, material, tags } = self;
        let chain = material.chain.as_ref().map(|chain| Blob::new(chain.as_bytes()));
        let import = client
            .acm()
            .import_certificate()
            .set_certificate_arn(arn.clone())
            .certificate(Blob::new(material.certificate.as_bytes()))
            .private_key(Blob::new(material.key.expose()))
            .set_certificate_chain(chain);
        // ACM takes tags at the first import only (API reference).
        let import = if arn.is_none() { import.set_tags(Some(pairs(OPERATION, tags)?)) } else { import };
        let output = match client.write(OPERATION, import.send()).await {
            Ok(output) => output,
            // It is its user's to mend, and no reason to leave the network undone.
            Err(error) if error.class() == ErrorClass::Terminal => {
                let refused = RefusedCertificate { secret: secret.clone(), message: error.to_string() };
                names.lock().refused_certificates.insert(refused);
                return Ok(StepEnd::Done);
            }
            Err(error) => return Err(error),
        };
        if let Some(arn) = arn {
            client.tag_certificate(arn, tags).await?;
            return Ok(StepEnd::Done);
        }
        let made = output.certificate_arn;
        let made = made.ok_or_else(|| AwsError::stale(OPERATION, "the answer has no ARN".to_owned()))?;
        client.inner.tags.put(&made, tags.clone(), SystemTime::now());
        if let Some(unit) = tags.get(TAG_UNIT) {
            client.inner.memory.add(unit, &made);
        }
        Ok(StepEnd::Done)
    }
}

impl Perform for DeleteCertificate {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, _: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let delete = client.acm().delete_certificate().certificate_arn(&self.arn).send();
        match found(client.write("DeleteCertificate", delete).await) {
            Ok(_) => Ok(StepEnd::Done),
            // A service has it since it was looked at, or ACM has not noticed that none has any more: the next look tries again.
            Err(error) if error.class() == ErrorClass::Stale => {
                tracing::info!(arn = self.arn, error = %error, "a certificate that nobody wants stays for now");
                Ok(StepEnd::Done)
            }
            Err(error) => Err(error),
        }
    }
}
