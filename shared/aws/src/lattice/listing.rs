//! All that VPC Lattice shows to the account, for the service directory.

use super::{LatticeClient, PAGE_ENTRIES};
use crate::AwsError;
use aws_sdk_vpclattice::types as sdk;
use futures::{StreamExt, stream};
use std::collections::BTreeSet;
use trellis_directory::{
    Health, ListedGroup, ListedNetwork, ListedService, ListedVpcAssociation, Listing, Membership,
};
use trellis_ports::Budget;

/// Target groups whose targets are read, one call each: what a directory of an hour may cost. Others are shown without their health.
const HEALTH_READS_MAX: usize = 300;
/// Networks, or target groups, that are read at once; the bound of calls in flight is the client's.
const READS_AT_ONCE: usize = 8;
/// What bears tags, in the index of tags.
const TAGGED: [&str; 3] = ["vpc-lattice:service", "vpc-lattice:servicenetwork", "vpc-lattice:targetgroup"];

impl LatticeClient {
    /// Everything that is listed, within the budget. A part that cannot be read is named and left out.
    pub(crate) async fn listing(&self, budget: Budget) -> Listing {
        let mut listing = Listing::default();
        let left = &mut vec![];
        listing.networks = part(left, budget, "service networks", self.all_networks()).await;
        listing.services = part(left, budget, "services", self.all_services()).await;
        listing.target_groups = part(left, budget, "target groups", self.all_groups()).await;
        listing.tags = part(left, budget, "tags", async {
            let mut tags = std::collections::BTreeMap::new();
            self.inner.tag_index.each(&TAGGED, &[], |arn, of| _ = tags.insert(arn, of)).await?;
            Ok(tags)
        })
        .await;
        self.add_members(&mut listing, budget, left).await;
        self.add_healths(&mut listing, budget, left).await;
        listing.left_out.append(left);
        listing
    }

    async fn all_networks(&self) -> Result<Vec<ListedNetwork>, AwsError> {
        let pages =
            self.api().list_service_networks().into_paginator().page_size(PAGE_ENTRIES).items().send();
        let all = self.list("ListServiceNetworks", pages).await?;
        let listed = |one: sdk::ServiceNetworkSummary| {
            Some(ListedNetwork { id: one.id?, arn: one.arn?, name: one.name? })
        };
        Ok(all.into_iter().filter_map(listed).collect())
    }

    async fn all_services(&self) -> Result<Vec<ListedService>, AwsError> {
        let pages = self.api().list_services().into_paginator().page_size(PAGE_ENTRIES).items().send();
        let all = self.list("ListServices", pages).await?;
        let listed = |one: sdk::ServiceSummary| {
            Some(ListedService {
                id: one.id?,
                arn: one.arn?,
                name: one.name?,
                dns_name: one.dns_entry.and_then(|entry| entry.domain_name).unwrap_or_default(),
                custom_domain: one.custom_domain_name.filter(|name| !name.is_empty()),
                status: one.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            })
        };
        Ok(all.into_iter().filter_map(listed).collect())
    }

    async fn all_groups(&self) -> Result<Vec<ListedGroup>, AwsError> {
        let pages = self.api().list_target_groups().into_paginator().page_size(PAGE_ENTRIES).items().send();
        let all = self.list("ListTargetGroups", pages).await?;
        let listed = |one: sdk::TargetGroupSummary| {
            Some(ListedGroup {
                arn: one.arn?,
                name: one.name?,
                kind: one.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
                protocol: one.protocol.map(|protocol| protocol.as_str().to_owned()),
                port: one.port.and_then(|port| u16::try_from(port).ok()),
                vpc: one.vpc_identifier,
                services: one.service_arns.into_iter().flatten().collect(),
                health: None,
            })
        };
        Ok(all.into_iter().filter_map(listed).collect())
    }

    /// Which services and VPCs are in each network.
    async fn add_members(&self, listing: &mut Listing, budget: Budget, left: &mut Vec<String>) {
        let arns: Vec<String> = listing.networks.iter().map(|one| one.arn.clone()).collect();
        let reads = arns.into_iter().map(|arn| async move {
            let read = futures::future::try_join(self.services_of(&arn), self.vpcs_of(&arn));
            let found = budget.spend(read).await.map_err(|over| over.to_string());
            (arn, found)
        });
        let read: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).collect().await;
        for (arn, found) in read {
            match found.and_then(|found| found.map_err(|error| error.to_string())) {
                Ok((services, vpcs)) => {
                    listing.memberships.extend(services);
                    listing.vpcs.extend(vpcs);
                }
                Err(why) => left.push(format!("what is in the service network {arn}: {why}")),
            }
        }
    }

    async fn services_of(&self, network: &str) -> Result<BTreeSet<Membership>, AwsError> {
        let pages = self
            .api()
            .list_service_network_service_associations()
            .service_network_identifier(network)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let all = self.list("ListServiceNetworkServiceAssociations", pages).await?;
        let services = all.into_iter().filter_map(|one| one.service_arn);
        Ok(services.map(|service| Membership { network: network.to_owned(), service }).collect())
    }

    async fn vpcs_of(&self, network: &str) -> Result<Vec<ListedVpcAssociation>, AwsError> {
        let pages = self
            .api()
            .list_service_network_vpc_associations()
            .service_network_identifier(network)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let all = self.list("ListServiceNetworkVpcAssociations", pages).await?;
        let listed = |one: sdk::ServiceNetworkVpcAssociationSummary| {
            Some(ListedVpcAssociation {
                network: network.to_owned(),
                vpc: one.vpc_id?,
                status: one.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            })
        };
        Ok(all.into_iter().filter_map(listed).collect())
    }

    /// How the targets are of the groups that a service leads to.
    async fn add_healths(&self, listing: &mut Listing, budget: Budget, left: &mut Vec<String>) {
        let used = listing.target_groups.iter().enumerate().filter(|(_, group)| !group.services.is_empty());
        let mut used: Vec<(usize, String)> = used.map(|(at, group)| (at, group.arn.clone())).collect();
        if used.len() > HEALTH_READS_MAX {
            left.push(format!("the health of {} target groups", used.len() - HEALTH_READS_MAX));
            used.truncate(HEALTH_READS_MAX);
        }
        let reads = used.into_iter().map(|(at, arn)| async move {
            let read = budget.spend(self.targets(&arn)).await.map_err(|over| over.to_string());
            let found = read.and_then(|read| read.map_err(|error| error.to_string()));
            (at, found.map(|targets| health(&targets)).map_err(|why| format!("the health of {arn}: {why}")))
        });
        let read: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).collect().await;
        for (at, found) in read {
            match (found, listing.target_groups.get_mut(at)) {
                (Ok(health), Some(group)) => group.health = Some(health),
                (Err(why), _) => left.push(why),
                (Ok(_), None) => {}
            }
        }
    }
}

/// A part's value, or nothing of it and a note.
async fn part<T: Default>(
    left: &mut Vec<String>,
    budget: Budget,
    name: &str,
    read: impl Future<Output = Result<T, AwsError>>,
) -> T {
    let why = match budget.spend(read).await {
        Ok(Ok(found)) => return found,
        Ok(Err(error)) => error.to_string(),
        Err(over) => over.to_string(),
    };
    left.push(format!("{name}: {why}"));
    T::default()
}

/// Targets that are not checked get requests like those that answer (API reference, TargetStatus).
fn health(targets: &[sdk::TargetSummary]) -> Health {
    let mut health = Health::default();
    for target in targets {
        match target.status.as_ref().map(sdk::TargetStatus::as_str) {
            Some("HEALTHY" | "UNAVAILABLE") => health.healthy += 1,
            Some("UNHEALTHY") => health.unhealthy += 1,
            _ => health.other += 1,
        }
    }
    health
}
