//! Which resources exist that stand by themselves: a few listings that all units share.

use super::LatticeClient;
use crate::AwsError;
use futures::future::try_join_all;
use std::time::SystemTime;
use trellis_lattice::ActualVpcAssociation;

/// All services, target groups, service networks and their VPC associations that the account sees, ours or not, each
/// sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Services, also shared ones.
    pub services: Vec<Summary>,
    /// Target groups.
    pub target_groups: Vec<Summary>,
    /// Service networks, also shared ones.
    pub networks: Vec<Summary>,
    /// Associations of VPCs with these networks, each named by the VPC's id. Ours may be with a network of somebody else.
    pub vpc_associations: Vec<Summary>,
}

/// What a listing says of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Summary {
    /// Name.
    pub name: String,
    /// `svc-…`, `tg-…`, `sn-…` or `snva-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
}

impl LatticeClient {
    /// All resources that stand by themselves, as they were at `not_before` or later; for the drift pass, which looks for
    /// those that no unit claims. [`Self::tags`] then tells whose they are. One call for each network (an account has ten
    /// by default) and each page of the rest.
    pub async fn inventory(&self, not_before: SystemTime) -> Result<Inventory, AwsError> {
        let (services, target_groups, networks) = futures::try_join!(
            self.services(not_before),
            self.target_groups(not_before),
            self.networks(not_before)
        )?;
        let of_networks = networks.keys().map(|arn| self.vpc_associations(Some(arn), None));
        let vpc_associations: Vec<ActualVpcAssociation> =
            try_join_all(of_networks).await?.into_iter().flatten().collect();
        Ok(Inventory {
            services: sorted(services.values(), |e| (&e.name, &e.id, &e.arn)),
            target_groups: sorted(target_groups.values(), |e| (&e.name, &e.id, &e.arn)),
            networks: sorted(networks.values(), |e| (&e.name, &e.id, &e.arn)),
            vpc_associations: sorted(vpc_associations.iter(), |a| (&a.vpc, &a.id, &a.arn)),
        })
    }
}

/// Summaries in the order of their names, of entries whose name, id and ARN `parts` gives.
fn sorted<'a, T: 'a>(
    entries: impl Iterator<Item = &'a T>,
    parts: impl Fn(&T) -> (&String, &String, &String),
) -> Vec<Summary> {
    let summary = |entry| {
        let (name, id, arn) = parts(entry);
        Summary { name: name.clone(), id: id.clone(), arn: arn.clone() }
    };
    let mut summaries: Vec<Summary> = entries.map(summary).collect();
    summaries.sort();
    summaries
}
