//! Certificates of Secrets: what the Gateways of one name want imported into ACM. Their unit owns each; routes find it by its tags.
//!
//! | a Secret that a listener names | in ACM |
//! |---|---|
//! | has a certificate that VPC Lattice serves | its certificate, renewed under its ARN |
//! | is missing, may not be read, holds nothing of use, or is not known | stays as it is: a mistake is no reason for an outage |
//! | is of another namespace, and whether a grant permits it is not known | stays as it is, and the Secret is not read |
//! | is named by no listener any more, or may not be referred to | goes after the grace, as soon as no service has it |

use crate::api::{self, Gateway, Listener};
use crate::certificate;
use crate::gateway::{Whose, whose};
use crate::naming;
use crate::secret::{self, SecretKey, SecretRead};
use crate::view::View;
use crate::{Report, Snapshot, Translation};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{
    Actual, CertificateMaterial, CertificateOrigin, Certificates, DesiredCertificate, Owner, Ownership,
    TAG_SECRET, TAG_SECRET_NAME, TAG_SOURCE, Tags,
};

/// What the Gateways of one name want.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    wanted: Vec<DesiredCertificate>,
    /// Clusters whose certificates all stay: what is wanted of them is not known, or nothing of theirs may go.
    staying: BTreeSet<ClusterId>,
}

impl Imports {
    /// Adds what a Gateway's listeners name. `tags` are those of all that is made for the Gateway.
    pub(crate) fn add(
        &mut self,
        view: &View,
        cluster: &ClusterId,
        object: &Value,
        tags: &Tags,
        unknown: &mut Vec<String>,
    ) {
        let Ok(keys) = named_by(view, cluster, object, certificate::secrets) else {
            self.stay(cluster);
            return;
        };
        for key in keys {
            let material = material(view, &key, unknown);
            let name = format!("{}/{}", key.namespace, key.name);
            let own = [
                (TAG_SECRET.to_owned(), key.hash()),
                naming::bounded_tag(TAG_SECRET_NAME, &name),
                (TAG_SOURCE.to_owned(), cluster.to_string()),
            ];
            let tags = tags.iter().map(|(key, value)| (key.clone(), value.clone())).chain(own).collect();
            self.wanted.push(DesiredCertificate { secret: key.hash(), material, tags });
        }
    }

    /// Nothing of a cluster goes.
    pub(crate) fn stay(&mut self, cluster: &ClusterId) {
        self.staying.insert(cluster.clone());
    }

    /// How many are wanted so far.
    pub(crate) fn count(&self) -> usize {
        self.wanted.len()
    }

    /// Takes back what was added beyond so many.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.wanted.truncate(count);
    }

    /// All that is to be there: what is wanted, and what stays of those of whom nothing is known. None where the installation imports
    /// nothing.
    pub(crate) fn all(
        self,
        view: &View,
        owner: &Owner,
        is_unknown: impl Fn(&ClusterId) -> bool,
    ) -> Option<Vec<DesiredCertificate>> {
        if !view.snapshot.secrets.are_read {
            return None;
        }
        let Self { mut wanted, staying } = self;
        wanted.sort_by(|a, b| a.secret.cmp(&b.secret));
        wanted.dedup_by(|a, b| a.secret == b.secret);
        for one in wanted.iter_mut().filter(|one| is_only_listed(view, owner, &one.secret)) {
            one.material = None;
        }
        let ours = view.actual.certificates.iter().filter(|held| held.ownership == Ownership::Ours);
        for held in ours {
            let source = held.tags.get(TAG_SOURCE).and_then(|source| source.parse::<ClusterId>().ok());
            let stays = source.is_none_or(|source| staying.contains(&source) || is_unknown(&source));
            if stays && !wanted.iter().any(|one| one.secret == held.secret()) {
                let (secret, tags) = (held.secret().to_owned(), held.tags.clone());
                wanted.push(DesiredCertificate { secret, material: None, tags });
            }
        }
        Some(wanted)
    }
}

/// Whether ACM's list has a Secret's certificate of the unit that the search for what the unit owns did not find: the index of tags
/// follows late, and another process may have imported it a moment ago. It must not be imported twice.
fn is_only_listed(view: &View, owner: &Owner, secret: &str) -> bool {
    let Certificates::Known(all) = &view.snapshot.certificates else { return false };
    let is_of_unit = |origin: &CertificateOrigin| {
        (&origin.installation, &origin.unit, origin.secret.as_str())
            == (&owner.installation, &owner.unit, secret)
    };
    all.iter().any(|one| one.origin.as_ref().is_some_and(is_of_unit))
        && !view.actual.certificates.iter().any(|held| held.secret() == secret)
}

fn material(view: &View, key: &SecretKey, unknown: &mut Vec<String>) -> Option<CertificateMaterial> {
    match view.secret(key)? {
        SecretRead::Found(found) => secret::usable(found).ok().map(|usable| usable.material),
        SecretRead::Missing | SecretRead::Forbidden => None,
        SecretRead::Unreadable(why) => {
            unknown.push(format!(
                "Secret {}/{} of cluster {}: {why}",
                key.namespace, key.name, key.cluster.name
            ));
            None
        }
    }
}

/// The Secrets that listeners of Gateways of ours name, as far as these may refer to them, and that were not read yet. Only the
/// Gateways' own units need them.
pub fn wants_secrets(snapshot: &Snapshot) -> BTreeSet<SecretKey> {
    let nothing = Actual::default();
    let view = View::new(snapshot, &nothing);
    let wanted = named(&view);
    wanted.filter(|key| !snapshot.secrets.read.contains_key(key)).collect()
}

/// Whether listeners name Secrets that are not there yet, or that nobody may read yet: nothing tells of that but another look.
pub fn waits_for_secrets(translation: &Translation) -> bool {
    translation
        .reports
        .iter()
        .any(|report| matches!(report, Report::Gateway(gateway) if gateway.waits_for_secrets))
}

/// The Secrets that all listeners of Gateways of ours name and may refer to.
fn named<'a>(view: &'a View<'a>) -> impl Iterator<Item = SecretKey> + 'a {
    let snapshot = view.snapshot;
    let clusters = snapshot.facts.keys().filter(|cluster| !snapshot.is_leaving(cluster));
    let gateways = clusters.flat_map(move |cluster| {
        snapshot.all(cluster, Kind::Gateway).map(move |(_, object)| (cluster, object))
    });
    let ours = gateways.filter(|(cluster, object)| {
        snapshot.secrets.are_read
            && !api::is_terminating(object)
            && whose(view, cluster, object) == Whose::Ours
    });
    ours.flat_map(|(cluster, object)| {
        named_by(view, cluster, object, certificate::readable_secrets).unwrap_or_default()
    })
}

/// Which Secrets of a listener count.
type Named = fn(&View, &ClusterId, &Listener, &str) -> Vec<SecretKey>;

/// The Secrets that the listeners of a Gateway name, if it can be read.
fn named_by(
    view: &View,
    cluster: &ClusterId,
    object: &Value,
    named: Named,
) -> Result<BTreeSet<SecretKey>, ()> {
    let gateway: Gateway = api::parse(object).map_err(|_| ())?;
    let namespace = gateway.metadata.namespace.as_str();
    let listeners = gateway.spec.listeners.iter();
    Ok(listeners.flat_map(|listener| named(view, cluster, listener, namespace)).collect())
}
