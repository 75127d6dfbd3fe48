//! The association of a service with a service network.

use super::network::{NetworkEntry, account_of};
use crate::AwsError;
use crate::lattice::convert::{sdk_tags, status};
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{ASSOCIATION, GONE, Reading, Seen, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use trellis_hint::UnitKey;
use trellis_lattice::names::domain;
use trellis_lattice::{
    Actual, ActualAssociation, ActualNetwork, AwaitAssociation, AwaitAssociationGone, CreateAssociation,
    DeleteAssociation, Desired, DesiredService, Owner, Ownership, Status, Tags, TakenDomain, place_taken,
};

const GET: &str = "GetServiceNetworkServiceAssociation";

fn seen_status(wire: Option<&sdk::ServiceNetworkServiceAssociationStatus>) -> Status {
    status(wire.map(sdk::ServiceNetworkServiceAssociationStatus::as_str))
}

impl LatticeClient {
    /// The associations of a service, by its id, each with its network as it is called where it is wanted. Whose they are is not read.
    pub(in crate::lattice) async fn associations(
        &self,
        service: &str,
        wanted: &BTreeSet<&str>,
    ) -> Result<Vec<(ActualAssociation, NetworkEntry)>, AwsError> {
        let pages = self
            .api()
            .list_service_network_service_associations()
            .service_identifier(service)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let summaries = self.list("ListServiceNetworkServiceAssociations", pages).await?;
        let mut associations: Vec<_> = summaries
            .into_iter()
            .filter_map(|summary| {
                let network = NetworkEntry {
                    id: summary.service_network_id?,
                    arn: summary.service_network_arn?,
                    name: summary.service_network_name?,
                    services: None,
                };
                Some((summary.id?, summary.arn?, seen_status(summary.status.as_ref()), network))
            })
            .flat_map(|(id, arn, status, network)| {
                network.called(wanted).into_iter().map(move |network| {
                    let (id, arn, called) = (id.clone(), arn.clone(), network.name.clone());
                    let ownership = Ownership::Unread;
                    let tags = Tags::new();
                    (ActualAssociation { id, arn, network: called, status, ownership, tags }, network)
                })
            })
            .collect();
        associations.sort_by(|(a, _), (b, _)| (&a.network, &a.arn).cmp(&(&b.network, &b.arn)));
        Ok(associations)
    }

    /// The custom domains of wanted services that others have in the networks that these are to come into, one listing of each such
    /// network. Left out is what is of the own cluster's routes: that moves by itself.
    pub(in crate::lattice) async fn taken_domains(
        &self,
        desired: &Desired,
        actual: &Actual,
    ) -> Result<BTreeSet<TakenDomain>, AwsError> {
        let is_in = |wanted: &DesiredService, network: &ActualNetwork| {
            let held = actual.services.iter().find(|held| held.name == wanted.name);
            let links = held.into_iter().flat_map(|held| &held.associations);
            let lasts =
                |status| matches!(status, Status::Active | Status::CreateInProgress | Status::Unknown);
            links.filter(|one| one.network == network.name).any(|one| lasts(one.status))
        };
        let with_domain = desired.services.iter().filter(|wanted| wanted.custom_domain.is_some());
        let coming = with_domain.flat_map(|wanted| {
            let networks = actual.networks.iter().filter(|network| wanted.networks.contains(&network.name));
            networks.filter(move |network| !is_in(wanted, network)).map(move |network| (network, wanted))
        });
        // One network may be called by its name and by its id.
        let mut asked: BTreeMap<&str, BTreeSet<(&str, String)>> = BTreeMap::new();
        for (network, wanted) in coming {
            let of_network = asked.entry(&network.arn).or_default();
            of_network
                .extend(wanted.custom_domain.as_deref().map(|one| (network.name.as_str(), domain(one))));
        }
        let cluster = desired.owner.key.parse::<UnitKey>().ok().and_then(|key| key.cluster().cloned());
        let mut taken = BTreeSet::new();
        for (arn, asked) in asked {
            for (domain, holder) in self.domains_in(arn).await? {
                let named: Vec<&str> =
                    asked.iter().filter(|(_, one)| *one == domain).map(|(name, _)| *name).collect();
                if named.is_empty() {
                    continue;
                }
                let unit = self.key_of(&holder).await?;
                if unit.as_ref().is_some_and(|unit| unit.cluster().cloned() == cluster) {
                    continue;
                }
                taken.extend(named.into_iter().map(|network| TakenDomain {
                    network: network.to_owned(),
                    domain: domain.clone(),
                    arn: holder.clone(),
                    unit: unit.as_ref().map(ToString::to_string),
                }));
            }
        }
        Ok(taken)
    }

    /// The custom domains in a network, each with the ARN of the service that has it.
    async fn domains_in(&self, network_arn: &str) -> Result<Vec<(String, String)>, AwsError> {
        let pages = self
            .api()
            .list_service_network_service_associations()
            .service_network_identifier(network_arn)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let all = self.list("ListServiceNetworkServiceAssociations", pages).await?;
        let held =
            all.into_iter().filter_map(|one| Some((domain(&one.custom_domain_name?), one.service_arn?)));
        Ok(held.collect())
    }

    /// Why a service cannot come into a network in which another one has its custom domain. The next look tells whose it is, and
    /// what is of the own cluster moves by itself.
    async fn domain_taken(
        &self,
        operation: &'static str,
        service: &str,
        network_arn: &str,
        network: &str,
    ) -> Result<Option<AwsError>, AwsError> {
        let read = self.api().get_service().service_identifier(service).send();
        let own = self.read("GetService", read).await?;
        let (Some(name), Some(arn)) = (own.custom_domain_name.as_deref().map(domain), own.arn) else {
            return Ok(None);
        };
        let held = self.domains_in(network_arn).await?;
        let Some((_, holder)) = held.into_iter().find(|(other, holder)| *other == name && *holder != arn)
        else {
            return Ok(None);
        };
        let (own, theirs) = (self.key_of(&arn).await?, self.key_of(&holder).await?);
        let cluster = |key: &Option<UnitKey>| key.as_ref().and_then(UnitKey::cluster).cloned();
        let text = if theirs.is_some() && cluster(&theirs) == cluster(&own) {
            place_taken(&name, network)
        } else {
            format!("the hostname {name} is taken in the service network {network} by {holder}")
        };
        Ok(Some(AwsError::stale(operation, text)))
    }

    /// The unit that a resource's tags name.
    async fn key_of(&self, arn: &str) -> Result<Option<UnitKey>, AwsError> {
        let tags = self.tags_of(arn).await?.unwrap_or_default();
        Ok(Owner::key_in(&tags).parse().ok())
    }

    async fn association_reading(&self, id: &str) -> Result<Reading, AwsError> {
        let get = self.api().get_service_network_service_association();
        let request = get.service_network_service_association_identifier(id).send();
        let reading = self.reading(GET, request, |read| Seen {
            status: seen_status(read.status.as_ref()),
            failure_code: read.failure_code,
            failure_message: read.failure_message,
        });
        reading.await
    }
}

/// Whose turn it is where AWS denies a service the way into a network that another account shares.
fn not_shared(operation: &'static str, service_arn: &str, network_arn: &str) -> Option<AwsError> {
    let owner = account_of(network_arn).filter(|owner| Some(*owner) != account_of(service_arn))?;
    let text = format!(
        "AWS denies this account the association with {network_arn}: the account {owner}, which shares the service network, \
         must let it by the share in Resource Access Manager (vpc-lattice:{operation}); if it does, the functions' role or a \
         policy of the organization forbids it"
    );
    Some(AwsError::needs_a_person(operation, text))
}

impl Perform for CreateAssociation {
    const LANE: Lane = Lane::Attach;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateServiceNetworkServiceAssociation";
        let Self { service, network, tags } = self;
        let of_network = names.network(OPERATION, network)?;
        let request = client
            .api()
            .create_service_network_service_association()
            .service_identifier(names.service(OPERATION, service)?.id)
            // A network that another account shares is taken by ARN only (API reference).
            .service_network_identifier(&of_network.arn)
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = match client.write(OPERATION, request).await {
            Err(error) if error.is_access_denied() => {
                let own = names.service(OPERATION, service)?.arn;
                return Err(not_shared(OPERATION, &own, &of_network.arn).unwrap_or(error));
            }
            Err(error) if error.code() == Some("ConflictException") => {
                let id = names.service(OPERATION, service)?.id;
                return Err(client
                    .domain_taken(OPERATION, &id, &of_network.arn, network)
                    .await?
                    .unwrap_or(error));
            }
            answer => answer?,
        };
        let mut made = client.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::ServiceNetworkServiceAssociationStatus::Active);
        names.lock().associations.insert((service.clone(), network.clone()), made);
        let count = |entry: &mut NetworkEntry| entry.services = entry.services.map(|count| count + 1);
        client
            .inner
            .networks
            .change(|index| index.get_mut(&of_network.arn).into_iter().for_each(count))
            .await;
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitAssociation {
    const LANE: Lane = Lane::Await;

    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        let known = names.association(GET, &self.service, &self.network)?;
        until_active(&ASSOCIATION, &known, until, || client.association_reading(&known.id)).await
    }
}

impl Perform for DeleteAssociation {
    const LANE: Lane = Lane::DeleteAssociations;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let delete = client.api().delete_service_network_service_association();
        let request = delete.service_network_service_association_identifier(&self.id).send();
        found(client.write("DeleteServiceNetworkServiceAssociation", request).await)?;
        names.lock().associations.remove(&(self.service.clone(), self.network.clone()));
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitAssociationGone {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        until_gone(&GONE, until, || client.association_reading(&self.id)).await
    }
}
