//! Resources that other accounts share through Resource Access Manager: visible, usable in associations, and not
//! for this account to change.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::document::Input;
use super::kind::{Kind, Life, Meta, Status};
use super::resources::{Service, ServiceNetwork};
use super::{Document, Moment, PARTITION, Refusal, State};

/// A resource that another account shares.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Share {
    /// `service-network` or `service`.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub account: String,
}

/// What cannot be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only service networks and services can be shared here")]
pub struct NotShareable;

/// Members of a request that name what an operation changes.
const CHANGED: [&str; 4] =
    ["serviceIdentifier", "serviceNetworkIdentifier", "resourceIdentifier", "resourceArn"];

impl State {
    /// Adds a resource that another account shares with this one.
    ///
    /// # Errors
    /// When its kind cannot be shared.
    pub fn share(&mut self, now: Moment, share: &Share) -> Result<Document, NotShareable> {
        if !matches!(share.kind, Kind::ServiceNetwork | Kind::Service) {
            return Err(NotShareable);
        }
        let meta = self.new_meta(now, share.kind, None);
        let own = self.arn_prefix();
        let theirs = own.replace(&self.home.account, &share.account);
        let meta = Meta { arn: meta.arn.replacen(&own, &theirs, 1), ..meta };
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, BTreeMap::new());
        let (name, auth_type) = (share.name.clone(), "NONE".to_owned());
        if share.kind == Kind::ServiceNetwork {
            let network = ServiceNetwork { meta, name, auth_type, sharing: None };
            self.store.networks.insert(id.clone(), network);
            return Ok(self.view_network(&id).unwrap_or_default());
        }
        let unique = id.strip_prefix("svc-").unwrap_or(&id);
        let domain = format!("{name}-{unique}.{PARTITION}.vpc-lattice-svcs.{}.on.aws", self.home.region);
        let service = Service {
            meta,
            life: Life { status: Status::Active, failure: None },
            name,
            auth_type,
            custom_domain: None,
            certificate: None,
            idle_timeout: None,
            domain,
            listeners: BTreeSet::new(),
            associations: BTreeSet::new(),
            groups: BTreeSet::new(),
        };
        self.store.services.insert(id.clone(), service);
        self.index_domains(&id);
        Ok(self.view_service(&id).unwrap_or_default())
    }

    /// Whether a resource belongs to another account.
    pub(super) fn foreign(&self, meta: &Meta) -> bool {
        !meta.arn.starts_with(&self.arn_prefix())
    }

    /// Refuses to change what belongs to another account, and to read its tags.
    pub(super) fn guard_foreign(&self, operation: &str, input: Input<'_>) -> Result<(), Refusal> {
        let reads = operation.starts_with("Get") || operation.starts_with("List");
        let associates = operation.contains("Association");
        if (reads && operation != "ListTagsForResource") || associates {
            return Ok(());
        }
        for name in CHANGED {
            let Some(given) = input.maybe(name) else { continue };
            let mut kinds = [Kind::Service, Kind::ServiceNetwork].into_iter();
            let found = kinds.find_map(|kind| self.meta(kind, &self.find(kind, given).ok()?));
            if found.is_some_and(|meta| self.foreign(meta)) {
                let message = format!("{given} is shared with this account, which may not do this.");
                return Err(Refusal::AccessDenied { message });
            }
        }
        Ok(())
    }
}
