//! Certificates that were imported into ACM: enough of them for those who import, renew, tag and delete.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tag::Tags;
use super::{Moment, State};

/// Tags of one certificate at most (ACM quotas).
const MAX_TAGS: usize = 50;

/// A certificate that somebody imported.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Imported {
    /// The certificate and its chain, PEM.
    pub chain: String,
    /// Its key, PEM.
    pub key: String,
    /// The names that it is for; the first one is its domain name.
    pub names: Vec<String>,
    /// Algorithm of its key as ListCertificates names it, `RSA_2048` say.
    pub key_algorithm: String,
    /// When it was imported the last time.
    pub imported: Moment,
}

/// Why ACM does not do it: the error's name and a text.
#[derive(Debug)]
pub struct NotDone(pub &'static str, pub String);

impl State {
    /// The imported certificates by ARN.
    pub fn imported(&self) -> &BTreeMap<String, Imported> {
        &self.store.certificates
    }

    /// Imports a certificate: a new one, with tags, or in the place of another one.
    ///
    /// # Errors
    /// When there is none to take the place of, or its tags are too many.
    pub fn import(
        &mut self,
        now: Moment,
        arn: Option<&str>,
        certificate: Imported,
        tags: Tags,
    ) -> Result<String, NotDone> {
        if let Some(arn) = arn {
            if !tags.is_empty() {
                let text = "Tags cannot be applied when a certificate is imported again";
                return Err(NotDone("InvalidParameterException", text.into()));
            }
            *self.held(arn)? = certificate;
            return Ok(arn.to_owned());
        }
        if tags.len() > MAX_TAGS {
            return Err(NotDone("TooManyTagsException", format!("more than {MAX_TAGS} tags")));
        }
        self.store.drawn += 1;
        let home = &self.home;
        let arn = format!(
            "arn:aws:acm:{}:{}:certificate/{:08x}-0000-4000-8000-000000000000",
            home.region, home.account, self.store.drawn
        );
        self.store.certificates.insert(arn.clone(), certificate);
        self.store_tags(now, &arn, tags);
        Ok(arn)
    }

    fn held(&mut self, arn: &str) -> Result<&mut Imported, NotDone> {
        let held = self.store.certificates.get_mut(arn);
        held.ok_or_else(|| NotDone("ResourceNotFoundException", format!("Could not find certificate {arn}")))
    }

    /// ARNs of the services that have a certificate.
    pub fn users_of_certificate(&self, arn: &str) -> Vec<String> {
        let services = self.store.services.values();
        let using = services.filter(|service| service.certificate.as_deref() == Some(arn));
        using.map(|service| service.meta.arn.clone()).collect()
    }

    /// Deletes a certificate.
    ///
    /// # Errors
    /// When there is none, or a service has it.
    pub fn delete_certificate(&mut self, now: Moment, arn: &str) -> Result<(), NotDone> {
        self.held(arn)?;
        if let Some(user) = self.users_of_certificate(arn).first() {
            return Err(NotDone("ResourceInUseException", format!("{arn} is in use by {user}")));
        }
        self.store.certificates.remove(arn);
        self.forget_tags(now, arn);
        Ok(())
    }

    /// The tags of a certificate; of those of the settings none.
    ///
    /// # Errors
    /// When there is none.
    pub fn tags_of_certificate(&mut self, arn: &str) -> Result<Tags, NotDone> {
        if self.settings.certificates.iter().any(|one| one.arn.as_deref() == Some(arn)) {
            return Ok(Tags::new());
        }
        self.held(arn)?;
        Ok(self.store.tags.get(arn).cloned().unwrap_or_default())
    }

    /// Changes the tags of a certificate.
    ///
    /// # Errors
    /// When there is none, or its tags are too many.
    pub fn retag_certificate(
        &mut self,
        now: Moment,
        arn: &str,
        change: impl FnOnce(&mut Tags),
    ) -> Result<(), NotDone> {
        self.held(arn)?;
        let mut tags = self.store.tags.get(arn).cloned().unwrap_or_default();
        change(&mut tags);
        if tags.len() > MAX_TAGS {
            return Err(NotDone("TooManyTagsException", format!("more than {MAX_TAGS} tags")));
        }
        self.store_tags(now, arn, tags);
        Ok(())
    }
}
