//! Reads what a Gateway unit owns or names: the service network and the associations of VPCs with it.

use super::convert::status;
use super::inspect::network;
use super::{LatticeClient, PAGE_ENTRIES, found};
use crate::AwsError;
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::BTreeSet;
use std::time::SystemTime;
use trellis_lattice::{ActualNetwork, ActualVpcAssociation, Desired, Ownership, Status};

impl LatticeClient {
    /// Every network of the unit's name, and the associations of each and of the wanted VPCs.
    pub(super) async fn inspect_network(
        &self,
        desired: &Desired,
        unit_name: &str,
        not_before: SystemTime,
    ) -> Result<(Vec<ActualNetwork>, Vec<ActualVpcAssociation>), AwsError> {
        let mut names = BTreeSet::from([unit_name]);
        names.extend(desired.network.iter().map(|network| network.name.as_str()));
        names.extend(desired.vpc_associations.iter().map(|association| association.network.as_str()));

        let index = self.networks(not_before).await?;
        let entries = index.values().filter(|entry| names.contains(entry.name.as_str()));
        let read = entries.map(|entry| async move {
            let owned = self.ownership(&desired.owner, &entry.arn).await?;
            Ok(owned.map(|(ownership, tags)| network(entry, ownership, tags)))
        });
        let networks: Vec<Option<ActualNetwork>> = try_join_all(read).await?;
        let networks: Vec<ActualNetwork> = networks.into_iter().flatten().collect();

        let of_networks = networks.iter().map(|network| self.vpc_associations(Some(&network.arn), None));
        let mut associations: Vec<ActualVpcAssociation> =
            try_join_all(of_networks).await?.into_iter().flatten().collect();
        // A VPC can be associated with one network only: one that is with ours needs no look of its own.
        let seen: BTreeSet<&str> = associations.iter().map(|association| association.vpc.as_str()).collect();
        let others = desired.vpc_associations.iter().map(|wanted| wanted.vpc.as_str());
        let others: BTreeSet<&str> = others.filter(|vpc| !seen.contains(vpc)).collect();
        let of_vpcs = others.into_iter().map(|vpc| self.vpc_associations(None, Some(vpc)));
        let of_vpcs = try_join_all(of_vpcs).await?;
        associations.extend(of_vpcs.into_iter().flatten());

        let owned =
            associations.into_iter().map(|association| self.own_vpc_association(desired, association));
        let mut associations: Vec<_> = try_join_all(owned).await?.into_iter().flatten().collect();
        associations.sort_by(|a, b| (&a.network, &a.vpc, &a.arn).cmp(&(&b.network, &b.vpc, &b.arn)));
        Ok((networks, associations))
    }

    /// The associations of a network or of a VPC, by its ARN or id. Whose they are is not read.
    pub(super) async fn vpc_associations(
        &self,
        network: Option<&str>,
        vpc: Option<&str>,
    ) -> Result<Vec<ActualVpcAssociation>, AwsError> {
        let pages = self
            .api()
            .list_service_network_vpc_associations()
            .set_service_network_identifier(network.map(str::to_owned))
            .set_vpc_identifier(vpc.map(str::to_owned))
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let summaries = self.list("ListServiceNetworkVpcAssociations", pages).await?;
        let read = summaries.into_iter().filter_map(|summary| {
            Some(ActualVpcAssociation {
                id: summary.id?,
                arn: summary.arn?,
                network: summary.service_network_name?,
                vpc: summary.vpc_id?,
                status: status(summary.status.as_ref().map(sdk::ServiceNetworkVpcAssociationStatus::as_str)),
                security_groups: BTreeSet::new(),
                ownership: Ownership::Unread,
            })
        });
        Ok(read.collect())
    }

    /// Reads whose an association is and its security groups, if anything may have to be done with it. None if it has
    /// gone meanwhile.
    ///
    /// | association | tags | security groups |
    /// |---|---|---|
    /// | wanted, active or being made, no security groups wanted | – | – |
    /// | wanted with security groups | read | read if ours |
    /// | wanted and failed or going | read | – |
    /// | of the unit's network and not wanted | read | – |
    /// | of a wanted VPC with another network | – | – |
    async fn own_vpc_association(
        &self,
        desired: &Desired,
        mut association: ActualVpcAssociation,
    ) -> Result<Option<ActualVpcAssociation>, AwsError> {
        let wishes = &desired.vpc_associations;
        let wanted = wishes.iter().find(|w| w.vpc == association.vpc && w.network == association.network);
        let elsewhere = wanted.is_none() && wishes.iter().any(|w| w.vpc == association.vpc);
        let stays = matches!(association.status, Status::Active | Status::CreateInProgress);
        let matters = match wanted {
            Some(wanted) => !stays || !wanted.security_groups.is_empty(),
            None => !elsewhere,
        };
        if !matters {
            return Ok(Some(association));
        }
        let Some((ownership, _)) = self.ownership(&desired.owner, &association.arn).await? else {
            return Ok(None);
        };
        association.ownership = ownership;
        if association.ownership == Ownership::Ours && wanted.is_some_and(|w| !w.security_groups.is_empty()) {
            let request = self
                .api()
                .get_service_network_vpc_association()
                .service_network_vpc_association_identifier(&association.id)
                .send();
            let read = self.read("GetServiceNetworkVpcAssociation", request).await;
            let Some(details) = found(read)? else { return Ok(None) };
            association.security_groups = details.security_group_ids.into_iter().flatten().collect();
        }
        Ok(Some(association))
    }
}
