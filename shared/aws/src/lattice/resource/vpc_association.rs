//! The association of a VPC with a service network.

use crate::AwsError;
use crate::lattice::convert::{sdk_tags, status};
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{ASSOCIATION, Reading, Seen, VPC_GONE, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::BTreeSet;
use std::time::Instant;
use trellis_lattice::{
    ActualNetwork, ActualVpcAssociation, AwaitVpcAssociation, AwaitVpcAssociationGone, CreateVpcAssociation,
    DeleteVpcAssociation, Desired, Ownership, Status, Tags, UpdateVpcAssociation,
};

const GET: &str = "GetServiceNetworkVpcAssociation";

fn seen_status(wire: Option<&sdk::ServiceNetworkVpcAssociationStatus>) -> Status {
    status(wire.map(sdk::ServiceNetworkVpcAssociationStatus::as_str))
}

impl LatticeClient {
    /// The associations with these networks and of the wanted VPCs.
    pub(in crate::lattice) async fn inspect_vpc_associations(
        &self,
        desired: &Desired,
        networks: &[ActualNetwork],
    ) -> Result<Vec<ActualVpcAssociation>, AwsError> {
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
        Ok(associations)
    }

    /// The associations of a network or of a VPC, by its ARN or id. Whose they are is not read.
    pub(in crate::lattice) async fn vpc_associations(
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
                status: seen_status(summary.status.as_ref()),
                security_groups: BTreeSet::new(),
                ownership: Ownership::Unread,
                tags: Tags::new(),
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
        // The tags of the network's own associations tell which clusters want them.
        if elsewhere {
            return Ok(Some(association));
        }
        let Some((ownership, tags)) = self.ownership(&desired.owner, &association.arn).await? else {
            return Ok(None);
        };
        (association.ownership, association.tags) = (ownership, tags);
        if association.ownership == Ownership::Ours && wanted.is_some_and(|w| !w.security_groups.is_empty()) {
            let get = self.api().get_service_network_vpc_association();
            let request = get.service_network_vpc_association_identifier(&association.id).send();
            let Some(details) = found(self.read(GET, request).await)? else { return Ok(None) };
            association.security_groups = details.security_group_ids.into_iter().flatten().collect();
        }
        Ok(Some(association))
    }

    async fn vpc_association_reading(&self, id: &str) -> Result<Reading, AwsError> {
        let get = self.api().get_service_network_vpc_association();
        let request = get.service_network_vpc_association_identifier(id).send();
        let reading = self.reading(GET, request, |read| Seen {
            status: seen_status(read.status.as_ref()),
            failure_code: read.failure_code,
            failure_message: read.failure_message,
        });
        reading.await
    }
}

/// Absent rather than empty: an empty list is not what the API calls "none".
fn security_group_ids(groups: &BTreeSet<String>) -> Option<Vec<String>> {
    Some(groups.iter().cloned().collect()).filter(|groups: &Vec<String>| !groups.is_empty())
}

impl Perform for CreateVpcAssociation {
    const LANE: Lane = Lane::Vpcs;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateServiceNetworkVpcAssociation";
        let Self { network, vpc, security_groups, tags } = self;
        let request = client
            .api()
            .create_service_network_vpc_association()
            .service_network_identifier(names.network(OPERATION, network)?.arn)
            .vpc_identifier(vpc)
            .set_security_group_ids(security_group_ids(security_groups))
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = client.write(OPERATION, request).await?;
        let mut made = client.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::ServiceNetworkVpcAssociationStatus::Active);
        names.lock().vpc_associations.insert((network.clone(), vpc.clone()), made);
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateVpcAssociation {
    const LANE: Lane = Lane::Vpcs;

    async fn perform(&self, client: &LatticeClient, _: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let request = client
            .api()
            .update_service_network_vpc_association()
            .service_network_vpc_association_identifier(&self.id)
            .set_security_group_ids(security_group_ids(&self.security_groups))
            .send();
        client.write("UpdateServiceNetworkVpcAssociation", request).await?;
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitVpcAssociation {
    const LANE: Lane = Lane::Await;

    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        let known = names.vpc_association(GET, &self.network, &self.vpc)?;
        until_active(&ASSOCIATION, &known, until, || client.vpc_association_reading(&known.id)).await
    }
}

impl Perform for DeleteVpcAssociation {
    const LANE: Lane = Lane::DeleteVpcAssociations;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let delete = client.api().delete_service_network_vpc_association();
        let request = delete.service_network_vpc_association_identifier(&self.id).send();
        found(client.write("DeleteServiceNetworkVpcAssociation", request).await)?;
        names.lock().vpc_associations.remove(&(self.network.clone(), self.vpc.clone()));
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitVpcAssociationGone {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        until_gone(&VPC_GONE, until, || client.vpc_association_reading(&self.id)).await
    }
}
