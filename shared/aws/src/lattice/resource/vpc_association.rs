//! The association of a VPC with a service network.

use super::network::account_of;
use crate::lattice::convert::{sdk_tags, status};
use crate::lattice::names::{Names, Resource};
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{ASSOCIATION, Reading, Seen, VPC_GONE, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use crate::{AwsError, ErrorClass};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::BTreeSet;
use std::time::Instant;
use trellis_lattice::{
    ActualNetwork, ActualVpcAssociation, AwaitVpcAssociation, AwaitVpcAssociationGone, CreateVpcAssociation,
    DeleteVpcAssociation, Desired, DnsPreference, Ownership, PrivateDns, RefusedVpcAssociation, Status,
    TAG_VPC_POLICY, Tags, UpdateVpcAssociation,
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
        let of_networks = networks.iter().map(|network| async move {
            let mut all = self.vpc_associations(Some(&network.arn), None).await?;
            for (one, _) in &mut all {
                one.network.clone_from(&network.name);
            }
            Ok::<_, AwsError>(all)
        });
        let of_networks = try_join_all(of_networks).await?.into_iter().flatten();
        let mut associations: Vec<ActualVpcAssociation> = of_networks.map(|(one, _)| one).collect();
        // A VPC can be associated with one network only: one that is with ours needs no look of its own.
        let seen: BTreeSet<&str> = associations.iter().map(|association| association.vpc.as_str()).collect();
        let others = desired.vpc_associations.iter().map(|wanted| wanted.vpc.as_str());
        let others: BTreeSet<&str> = others.filter(|vpc| !seen.contains(vpc)).collect();
        let of_vpcs = others.into_iter().map(|vpc| self.vpc_associations(None, Some(vpc)));
        let of_vpcs = try_join_all(of_vpcs).await?.into_iter().flatten();
        // Another account's network may bear the name of the wanted one.
        let is_namesake = |name: &str| networks.iter().any(|network| network.name == name);
        associations.extend(of_vpcs.map(|(one, arn)| {
            if is_namesake(&one.network) { ActualVpcAssociation { network: arn, ..one } } else { one }
        }));

        let owned =
            associations.into_iter().map(|association| self.own_vpc_association(desired, association));
        let mut associations: Vec<_> = try_join_all(owned).await?.into_iter().flatten().collect();
        associations.sort_by(|a, b| (&a.network, &a.vpc, &a.arn).cmp(&(&b.network, &b.vpc, &b.arn)));
        Ok(associations)
    }

    /// The associations of a network or of a VPC, by its ARN or id, each with its network's ARN. Whose they are is not read.
    pub(in crate::lattice) async fn vpc_associations(
        &self,
        network: Option<&str>,
        vpc: Option<&str>,
    ) -> Result<Vec<(ActualVpcAssociation, String)>, AwsError> {
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
            let association = ActualVpcAssociation {
                id: summary.id?,
                arn: summary.arn?,
                network: summary.service_network_name?,
                vpc: summary.vpc_id?,
                status: seen_status(summary.status.as_ref()),
                security_groups: BTreeSet::new(),
                private_dns: PrivateDns::default(),
                ownership: Ownership::Unread,
                tags: Tags::new(),
            };
            Some((association, summary.service_network_arn?))
        });
        Ok(read.collect())
    }

    /// Reads whose an association is and its settings, if anything may have to be done with it. None if it has gone
    /// meanwhile.
    ///
    /// | association | tags | security groups, private DNS |
    /// |---|---|---|
    /// | of the unit's network | read | read if ours, and it or the wish for it bears [`TAG_VPC_POLICY`] or settings are wanted |
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
        let is_spoken_of = |tags: &Tags| tags.contains_key(TAG_VPC_POLICY);
        let matters = is_spoken_of(&association.tags)
            || wanted.is_some_and(|wanted| is_spoken_of(&wanted.tags) || wanted.has_settings());
        if association.ownership == Ownership::Ours && matters {
            let get = self.api().get_service_network_vpc_association();
            let request = get.service_network_vpc_association_identifier(&association.id).send();
            let Some(details) = found(self.read(GET, request).await)? else { return Ok(None) };
            association.security_groups = details.security_group_ids.into_iter().flatten().collect();
            association.private_dns = private_dns_of(details.private_dns_enabled, details.dns_options);
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

fn private_dns_of(enabled: Option<bool>, options: Option<sdk::DnsOptions>) -> PrivateDns {
    let (preference, domains) = options
        .map(|options| (options.private_dns_preference, options.private_dns_specified_domains))
        .unwrap_or_default();
    PrivateDns {
        enabled,
        preference: preference.and_then(|preference| DnsPreference::parse(preference.as_str())),
        domains: domains.into_iter().flatten().collect(),
    }
}

/// Absent where nothing is named.
fn dns_options(private_dns: &PrivateDns) -> Option<sdk::DnsOptions> {
    let preference = sdk::PrivateDnsPreference::from(private_dns.preference?.as_str());
    let domains =
        Some(private_dns.domains.iter().cloned().collect()).filter(|all: &Vec<String>| !all.is_empty());
    let options = sdk::DnsOptions::builder().private_dns_preference(preference);
    Some(options.set_private_dns_specified_domains(domains).build())
}

/// What a plan's step wants of an association.
struct Asked<'a> {
    network: &'a str,
    vpc: &'a str,
    security_groups: &'a BTreeSet<String>,
    private_dns: &'a PrivateDns,
}

/// A security group that is missing or of another VPC, or private DNS that cannot be had, is a policy's matter, and no
/// reason to leave a Gateway undone: it is told, and everything else goes on. Without either the call is the Gateway's.
fn unless_refused<T>(
    names: &Names,
    asked: &Asked,
    written: Result<T, AwsError>,
) -> Result<Option<T>, AwsError> {
    let is_policys = !asked.security_groups.is_empty() || !asked.private_dns.is_unnamed();
    // What is missing may be the network as well, after which a new plan is made.
    let names_a_group =
        |error: &AwsError| asked.security_groups.iter().any(|one| error.to_string().contains(one));
    match written {
        Ok(written) => Ok(Some(written)),
        Err(error)
            if is_policys
                && (error.class() == ErrorClass::Terminal
                    || error.is_not_found() && names_a_group(&error)) =>
        {
            note_refused(names, asked, &error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn note_refused(names: &Names, asked: &Asked, error: &AwsError) {
    names.lock().refused_vpcs.insert(RefusedVpcAssociation {
        network: asked.network.to_owned(),
        vpc: asked.vpc.to_owned(),
        security_groups: asked.security_groups.clone(),
        message: error.to_string(),
        is_denied: false,
    });
}

/// Who can make an association that AWS denies this account. It costs its VPC alone: other clusters' are made.
fn whose_turn(vpc: &str, network: &Resource, error: &AwsError) -> String {
    let arn = &network.arn;
    let share = account_of(arn).filter(|_| !network.ours).map_or_else(String::new, |owner| {
        format!(
            " If the VPC is this account's and the network the account {owner}'s, that one must let it by its share in Resource \
             Access Manager (vpc-lattice:CreateServiceNetworkVpcAssociation)."
        )
    });
    format!(
        "AWS denies this account the association of the VPC {vpc} with {arn}. If another account shares the VPC's subnets with \
         this one, it is the turn of the VPC's owner: only that account can associate it, and an association of its making is \
         used.{share} {error}"
    )
}

impl Perform for CreateVpcAssociation {
    const LANE: Lane = Lane::Vpcs;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateServiceNetworkVpcAssociation";
        let Self { network, vpc, security_groups, private_dns, tags } = self;
        let request = client
            .api()
            .create_service_network_vpc_association()
            .service_network_identifier(names.network(OPERATION, network)?.arn)
            .vpc_identifier(vpc)
            .set_security_group_ids(security_group_ids(security_groups))
            .set_private_dns_enabled(private_dns.enabled)
            .set_dns_options(dns_options(private_dns))
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let written = match client.write(OPERATION, request).await {
            Err(error) if error.is_access_denied() => {
                let message = whose_turn(vpc, &names.network(OPERATION, network)?, &error);
                let security_groups = BTreeSet::new();
                let (network, vpc) = (network.clone(), vpc.clone());
                let denied =
                    RefusedVpcAssociation { network, vpc, security_groups, message, is_denied: true };
                names.lock().refused_vpcs.insert(denied);
                return Ok(StepEnd::Done);
            }
            written => written,
        };
        let asked = Asked { network, vpc, security_groups, private_dns };
        let Some(output) = unless_refused(names, &asked, written)? else { return Ok(StepEnd::Done) };
        let mut made = client.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::ServiceNetworkVpcAssociationStatus::Active);
        names.lock().vpc_associations.insert((network.clone(), vpc.clone()), made);
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateVpcAssociation {
    const LANE: Lane = Lane::Vpcs;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { id, network, vpc, security_groups, private_dns } = self;
        let request = client
            .api()
            .update_service_network_vpc_association()
            .service_network_vpc_association_identifier(id)
            .set_security_group_ids(security_group_ids(security_groups))
            .set_private_dns_enabled(private_dns.enabled)
            .set_dns_options(dns_options(private_dns))
            .send();
        let written = client.write("UpdateServiceNetworkVpcAssociation", request).await;
        unless_refused(names, &Asked { network, vpc, security_groups, private_dns }, written)?;
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
        let Self { network, vpc } = self;
        if names.lock().refused_vpcs.iter().any(|one| one.network == *network && one.vpc == *vpc) {
            return Ok(StepEnd::Done);
        }
        let known = names.vpc_association(GET, network, vpc)?;
        match until_active(&ASSOCIATION, &known, until, || client.vpc_association_reading(&known.id)).await {
            // Only a policy's settings are ever updated: the old ones hold, and the association serves.
            Err(error) if error.class() == ErrorClass::Terminal && error.code().is_none() => {
                let (security_groups, private_dns) = (&BTreeSet::new(), &PrivateDns::default());
                note_refused(names, &Asked { network, vpc, security_groups, private_dns }, &error);
                Ok(StepEnd::Done)
            }
            ended => ended,
        }
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
