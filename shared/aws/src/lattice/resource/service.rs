//! The service.

use super::listener::Listeners;
use super::network::{NetworkEntry, networks_wanted};
use crate::AwsError;
use crate::lattice::convert::{sdk_tags, status};
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{GONE, RESOURCE, Reading, Seen, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::operation::get_service::GetServiceOutput;
use aws_sdk_vpclattice::types as sdk;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use trellis_lattice::{
    ActualAssociation, ActualService, AwaitService, AwaitServiceGone, CreateService, DeleteService, Desired,
    DesiredService, IDLE_TIMEOUT_DEFAULT, Ownership, ResourceKind, Status, UpdateCertificate,
    UpdateIdleTimeout,
};

const GET: &str = "GetService";

/// By ARN, since a shared service may bear the name of one's own.
pub(in crate::lattice) type ServiceIndex = BTreeMap<String, ServiceEntry>;

#[derive(Debug, Clone)]
pub(in crate::lattice) struct ServiceEntry {
    pub(in crate::lattice) id: String,
    pub(in crate::lattice) arn: String,
    pub(in crate::lattice) name: String,
    pub(in crate::lattice) status: Status,
    pub(in crate::lattice) dns_name: Option<String>,
    pub(in crate::lattice) custom_domain: Option<String>,
    /// None if it was not read, which a listing does not.
    told: Option<Details>,
}

impl ServiceEntry {
    /// One that was read; none where id, ARN or name is missing.
    fn read(output: GetServiceOutput) -> Option<Self> {
        let told = Details::of(&output);
        Some(Self {
            id: output.id?,
            arn: output.arn?,
            name: output.name?,
            status: seen_status(output.status.as_ref()),
            dns_name: output.dns_entry.and_then(|entry| entry.domain_name),
            custom_domain: output.custom_domain_name.filter(|name| !name.is_empty()),
            told: Some(told),
        })
    }

    /// Entries without id, ARN or name (the model requires none) cannot be worked with and are left out.
    fn of(summary: sdk::ServiceSummary) -> Option<Self> {
        Some(Self {
            id: summary.id?,
            arn: summary.arn?,
            name: summary.name?,
            status: seen_status(summary.status.as_ref()),
            dns_name: summary.dns_entry.and_then(|entry| entry.domain_name),
            custom_domain: summary.custom_domain_name.filter(|name| !name.is_empty()),
            told: None,
        })
    }
}

/// What ListServices does not tell of a service.
#[derive(Debug, Default, Clone)]
struct Details {
    certificate_arn: Option<String>,
    /// None where it does not matter.
    idle_timeout_seconds: Option<u16>,
}

impl Details {
    fn of(output: &GetServiceOutput) -> Self {
        Self {
            certificate_arn: output.certificate_arn.clone().filter(|arn| !arn.is_empty()),
            idle_timeout_seconds: output.idle_timeout_seconds.and_then(|seconds| seconds.try_into().ok()),
        }
    }
}

fn seen_status(wire: Option<&sdk::ServiceStatus>) -> Status {
    status(wire.map(sdk::ServiceStatus::as_str))
}

impl LatticeClient {
    pub(in crate::lattice) async fn services(
        &self,
        not_before: SystemTime,
    ) -> Result<Arc<ServiceIndex>, AwsError> {
        let load = async {
            let pages = self.api().list_services().into_paginator().page_size(PAGE_ENTRIES).items().send();
            let services = self.list("ListServices", pages).await?;
            Ok(services.into_iter().filter_map(ServiceEntry::of).map(|e| (e.arn.clone(), e)).collect())
        };
        self.inner.services.get(not_before, load).await
    }

    /// The service of this ARN; none if it is gone or the ARN is another resource's.
    pub(in crate::lattice) async fn service_of(&self, arn: &str) -> Result<Option<ServiceEntry>, AwsError> {
        if ResourceKind::of(arn) != ResourceKind::Service {
            return Ok(None);
        }
        // By ARN, since it may be another account's.
        let request = self.api().get_service().service_identifier(arn).send();
        Ok(found(self.read(GET, request).await)?.and_then(ServiceEntry::read))
    }

    /// A service, and the networks that it is associated with.
    ///
    /// `group_names` has the names of target groups by id.
    pub(in crate::lattice) async fn inspect_service(
        &self,
        desired: &Desired,
        entry: &ServiceEntry,
        group_names: &BTreeMap<String, String>,
    ) -> Result<Option<(ActualService, Vec<NetworkEntry>)>, AwsError> {
        let Some((ownership, tags)) = self.ownership(&desired.owner, &entry.arn).await? else {
            return Ok(None);
        };
        let wanted = desired.services.iter().find(|wanted| wanted.name == entry.name);
        let mut service = ActualService {
            id: entry.id.clone(),
            arn: entry.arn.clone(),
            name: entry.name.clone(),
            status: entry.status,
            dns_name: entry.dns_name.clone(),
            custom_domain: entry.custom_domain.clone(),
            certificate_arn: None,
            idle_timeout_seconds: None,
            ownership,
            tags,
            listeners: vec![],
            is_propagating: false,
            associations: vec![],
        };
        if service.ownership != Ownership::Ours || service.status == Status::DeleteInProgress {
            return Ok(Some((service, vec![])));
        }
        let networks = networks_wanted(desired);
        let parts = if desired.reads_in_full() {
            futures::try_join!(
                self.associations(&entry.id, &networks),
                self.listeners(&entry.id, group_names),
                self.details(entry, &service, wanted),
            )
        } else {
            self.parts_of_unwanted(desired, entry, group_names).await
        };
        let Some((associations, (listeners, is_propagating), details)) = found(parts)? else {
            return Ok(None);
        };
        service.is_propagating = is_propagating;
        let networks;
        (service.associations, networks) = associations.into_iter().unzip();
        service.listeners = listeners;
        Details {
            certificate_arn: service.certificate_arn,
            idle_timeout_seconds: service.idle_timeout_seconds,
        } = details;
        Ok(Some((service, networks)))
    }

    /// Of a service that is to go. Its listeners go with it and need not be read, unless the service has to stay, since an
    /// association that is not ours holds it.
    async fn parts_of_unwanted(
        &self,
        desired: &Desired,
        entry: &ServiceEntry,
        group_names: &BTreeMap<String, String>,
    ) -> Result<(Vec<(ActualAssociation, NetworkEntry)>, Listeners, Details), AwsError> {
        let associations = self.associations(&entry.id, &networks_wanted(desired)).await?;
        let arns = associations.iter().map(|(association, _)| association.arn.clone()).collect();
        let tags = self.tags(&arns).await?;
        let held = tags.values().any(|tags| desired.owner.of(tags) != Ownership::Ours);
        let listeners = if held { self.listeners(&entry.id, group_names).await? } else { (vec![], false) };
        Ok((associations, listeners, Details::default()))
    }

    /// What only GetService tells; without a wish, now or once, there is nothing to compare.
    async fn details(
        &self,
        entry: &ServiceEntry,
        service: &ActualService,
        wanted: Option<&DesiredService>,
    ) -> Result<Details, AwsError> {
        let idle_timeout_counts =
            wanted.is_some_and(|wanted| wanted.idle_timeout_seconds.is_some()) || service.had_idle_timeout();
        // A certificate comes with a custom domain only.
        let certificate_counts =
            service.custom_domain.is_some() || wanted.is_some_and(|wanted| wanted.certificate_arn.is_some());
        let told = match &entry.told {
            Some(told) => told.clone(),
            None if !certificate_counts && !idle_timeout_counts => {
                return Ok(Details::default());
            }
            None => {
                let request = self.api().get_service().service_identifier(&service.id).send();
                Details::of(&self.read(GET, request).await?)
            }
        };
        let seconds = told.idle_timeout_seconds.unwrap_or(IDLE_TIMEOUT_DEFAULT);
        Ok(Details { idle_timeout_seconds: idle_timeout_counts.then_some(seconds), ..told })
    }

    /// Reads a service, for the listing too.
    async fn service_reading(&self, id: &str) -> Result<Reading, AwsError> {
        let request = self.api().get_service().service_identifier(id).send();
        let mut arn = String::new();
        let reading = self.reading(GET, request, |read| {
            arn = read.arn.unwrap_or_default();
            Seen {
                status: seen_status(read.status.as_ref()),
                failure_code: read.failure_code,
                failure_message: read.failure_message,
            }
        });
        let reading = reading.await?;
        if let Some(status) = reading.status() {
            let listed = &self.inner.services;
            listed.change(|index| index.get_mut(&arn).into_iter().for_each(|e| e.status = status)).await;
        }
        Ok(reading)
    }
}

impl Perform for CreateService {
    const LANE: Lane = Lane::Make;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateService";
        let Self { service, custom_domain, certificate_arn, idle_timeout_seconds, tags } = self;
        let request = client
            .api()
            .create_service()
            .name(service)
            .set_custom_domain_name(custom_domain.clone())
            .set_certificate_arn(certificate_arn.clone())
            .set_idle_timeout_seconds(idle_timeout_seconds.map(i32::from))
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let written = client.write(OPERATION, request).await;
        let is_taken =
            async { Ok(client.services(SystemTime::now()).await?.values().any(|one| one.name == *service)) };
        let output = client.unless_taken(OPERATION, written, is_taken).await?;
        let mut made = client.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::ServiceStatus::Active);
        made.dns_name = output.dns_entry.and_then(|entry| entry.domain_name);
        let entry = ServiceEntry {
            id: made.id.clone(),
            arn: made.arn.clone(),
            name: service.clone(),
            status: if made.active { Status::Active } else { Status::CreateInProgress },
            dns_name: made.dns_name.clone(),
            custom_domain: custom_domain.clone(),
            told: None,
        };
        names.lock().services.insert(service.clone(), made);
        client.inner.services.change(|index| _ = index.insert(entry.arn.clone(), entry)).await;
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateCertificate {
    const LANE: Lane = Lane::Make;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "UpdateService";
        let known = names.service(OPERATION, &self.service)?;
        let update = client.api().update_service().service_identifier(known.id);
        client.write(OPERATION, update.certificate_arn(&self.certificate_arn).send()).await?;
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateIdleTimeout {
    const LANE: Lane = Lane::Make;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "UpdateService";
        let known = names.service(OPERATION, &self.service)?;
        let update = client.api().update_service().service_identifier(known.id);
        client.write(OPERATION, update.idle_timeout_seconds(self.idle_timeout_seconds.into()).send()).await?;
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitService {
    const LANE: Lane = Lane::Await;

    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        let known = names.service(GET, &self.service)?;
        until_active(&RESOURCE, &known, until, || client.service_reading(&known.id)).await
    }
}

impl Perform for DeleteService {
    const LANE: Lane = Lane::DeleteServices;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { service, id } = self;
        let request = client.api().delete_service().service_identifier(id).send();
        found(client.write("DeleteService", request).await)?;
        names.lock().forget_service(service, id);
        client.inner.services.change(|index| index.retain(|_, entry| entry.id != *id)).await;
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitServiceGone {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        until_gone(&GONE, until, || client.service_reading(&self.id)).await
    }
}
