//! The association of a service with a service network.

use super::network::{NetworkEntry, account_of};
use crate::AwsError;
use crate::lattice::convert::{sdk_tags, status};
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{ASSOCIATION, GONE, Reading, Seen, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use std::collections::BTreeSet;
use std::time::Instant;
use trellis_hint::UnitKey;
use trellis_lattice::{
    ActualAssociation, AwaitAssociation, AwaitAssociationGone, CreateAssociation, DeleteAssociation, Owner,
    Ownership, Status, place_taken,
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
                    (ActualAssociation { id, arn, network: called, status, ownership }, network)
                })
            })
            .collect();
        associations.sort_by(|(a, _), (b, _)| (&a.network, &a.arn).cmp(&(&b.network, &b.arn)));
        Ok(associations)
    }

    /// Why a service cannot come into a network in which another one has its custom domain. A person must end that if the other is
    /// a route's of another cluster, or nobody's of this installation; what is of the own cluster moves by itself.
    async fn domain_taken(
        &self,
        operation: &'static str,
        service: &str,
        network_arn: &str,
        network: &str,
    ) -> Result<Option<AwsError>, AwsError> {
        let read = self.api().get_service().service_identifier(service).send();
        let own = self.read("GetService", read).await?;
        let (Some(domain), Some(arn)) = (own.custom_domain_name, own.arn) else { return Ok(None) };
        let pages = self
            .api()
            .list_service_network_service_associations()
            .service_network_identifier(network_arn)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let all = self.list("ListServiceNetworkServiceAssociations", pages).await?;
        let same = |one: &sdk::ServiceNetworkServiceAssociationSummary| {
            let theirs = one.custom_domain_name.as_deref().unwrap_or_default();
            theirs.eq_ignore_ascii_case(&domain) && one.service_id.as_deref() != Some(service)
        };
        let Some(holder) = all.into_iter().find(same).and_then(|one| one.service_arn) else {
            return Ok(None);
        };
        let (own, theirs) = (self.key_of(&arn).await?, self.key_of(&holder).await?);
        let cluster = |key: &Option<UnitKey>| key.as_ref().and_then(UnitKey::cluster).cloned();
        let whose = match (&theirs, cluster(&theirs)) {
            (Some(_), theirs) if theirs == cluster(&own) => {
                return Ok(Some(AwsError::stale(operation, place_taken(&domain, network))));
            }
            (Some(UnitKey::Route { kind, cluster, namespace, name }), _) => format!(
                "{kind} {namespace}/{name} of cluster {} has it; give one of the two another hostname, or let one route \
                 serve both: export the Service of the other cluster by a ServiceExport, and name its ServiceImport in the \
                 route's backendRefs",
                cluster.name
            ),
            (Some(UnitKey::Merged { kind, namespace, name, .. }), _) => format!(
                "{kind} {namespace}/{name} has it, which is merged with those of that name in other clusters; give one of the \
                 two another hostname, or merge this route too"
            ),
            _ => format!(
                "{holder} has it, which no route of this installation made; take that out of the network"
            ),
        };
        let text = format!("the hostname {domain} is taken in the service network {network}: {whose}");
        Ok(Some(AwsError::needs_a_person(operation, text)))
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
