//! Which services, target groups and service networks exist: a few listings that all units share.

use super::convert::status;
use super::{LatticeClient, PAGE_ENTRIES};
use crate::AwsError;
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;
use trellis_lattice::{ActualVpcAssociation, Status};

/// By ARN, since a shared resource may bear the name of one's own.
pub(super) type ServiceIndex = BTreeMap<String, ServiceEntry>;
pub(super) type TargetGroupIndex = BTreeMap<String, TargetGroupEntry>;
pub(super) type NetworkIndex = BTreeMap<String, NetworkEntry>;

#[derive(Debug, Clone)]
pub(super) struct ServiceEntry {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) dns_name: Option<String>,
    pub(super) custom_domain: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct TargetGroupEntry {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) service_arns: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub(super) struct NetworkEntry {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) name: String,
}

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

    pub(super) async fn services(&self, not_before: SystemTime) -> Result<Arc<ServiceIndex>, AwsError> {
        let load = async {
            let pages = self.api().list_services().into_paginator().page_size(PAGE_ENTRIES).items().send();
            let services = self.list("ListServices", pages).await?;
            Ok(services.into_iter().filter_map(service_entry).map(|e| (e.arn.clone(), e)).collect())
        };
        self.inner.services.get(not_before, load).await
    }

    pub(super) async fn target_groups(
        &self,
        not_before: SystemTime,
    ) -> Result<Arc<TargetGroupIndex>, AwsError> {
        let load = async {
            let pages =
                self.api().list_target_groups().into_paginator().page_size(PAGE_ENTRIES).items().send();
            let groups = self.list("ListTargetGroups", pages).await?;
            Ok(groups.into_iter().filter_map(target_group_entry).map(|e| (e.arn.clone(), e)).collect())
        };
        self.inner.target_groups.get(not_before, load).await
    }

    pub(super) async fn networks(&self, not_before: SystemTime) -> Result<Arc<NetworkIndex>, AwsError> {
        let load = async {
            let pages =
                self.api().list_service_networks().into_paginator().page_size(PAGE_ENTRIES).items().send();
            let networks = self.list("ListServiceNetworks", pages).await?;
            Ok(networks.into_iter().filter_map(network_entry).map(|e| (e.arn.clone(), e)).collect())
        };
        self.inner.networks.get(not_before, load).await
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

/// Entries without id, ARN or name (the model requires none) cannot be worked with and are left out.
fn service_entry(summary: sdk::ServiceSummary) -> Option<ServiceEntry> {
    Some(ServiceEntry {
        id: summary.id?,
        arn: summary.arn?,
        name: summary.name?,
        status: status(summary.status.as_ref().map(sdk::ServiceStatus::as_str)),
        dns_name: summary.dns_entry.and_then(|entry| entry.domain_name),
        custom_domain: summary.custom_domain_name.filter(|name| !name.is_empty()),
    })
}

fn target_group_entry(summary: sdk::TargetGroupSummary) -> Option<TargetGroupEntry> {
    Some(TargetGroupEntry {
        id: summary.id?,
        arn: summary.arn?,
        name: summary.name?,
        status: status(summary.status.as_ref().map(sdk::TargetGroupStatus::as_str)),
        service_arns: summary.service_arns.into_iter().flatten().collect(),
    })
}

fn network_entry(summary: sdk::ServiceNetworkSummary) -> Option<NetworkEntry> {
    Some(NetworkEntry { id: summary.id?, arn: summary.arn?, name: summary.name? })
}
