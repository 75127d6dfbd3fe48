//! The access log subscription.

use super::holder::holders_that_matter;
use crate::lattice::convert::sdk_tags;
use crate::lattice::names::{Names, Resource};
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use crate::{AwsError, ErrorClass};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::time::Instant;
use trellis_lattice::{
    Actual, ActualAccessLog, CreateAccessLog, DeleteAccessLog, Desired, Holder, RefusedAccessLog,
    TAG_ACCESS_LOGS, UpdateAccessLog,
};

impl LatticeClient {
    /// Reads the subscriptions of the services and networks that are to have one, or once were.
    pub(in crate::lattice) async fn read_access_logs(
        &self,
        desired: &Desired,
        actual: &mut Actual,
    ) -> Result<(), AwsError> {
        let is_wanted = |holder: &Holder| desired.access_logs.iter().any(|wanted| wanted.holder == *holder);
        let holders = holders_that_matter(actual, TAG_ACCESS_LOGS, is_wanted).into_iter();
        let read = try_join_all(holders.map(|(holder, id)| self.access_logs_of(desired, holder, id)));
        let read: Vec<ActualAccessLog> = read.await?.into_iter().flatten().collect();
        actual.access_logs = read;
        Ok(())
    }

    async fn access_logs_of(
        &self,
        desired: &Desired,
        holder: Holder,
        id: &str,
    ) -> Result<Vec<ActualAccessLog>, AwsError> {
        let list = self.api().list_access_log_subscriptions().resource_identifier(id);
        let pages = list.into_paginator().page_size(PAGE_ENTRIES).items().send();
        let listed = self.list("ListAccessLogSubscriptions", pages).await?;
        let owned = listed.into_iter().map(async |summary: sdk::AccessLogSubscriptionSummary| {
            let Some((ownership, tags)) = self.ownership(&desired.owner, &summary.arn).await? else {
                return Ok(None);
            };
            Ok::<_, AwsError>(Some(ActualAccessLog {
                id: summary.id,
                arn: summary.arn,
                holder: holder.clone(),
                destination: summary.destination_arn,
                ownership,
                tags,
            }))
        });
        Ok(try_join_all(owned).await?.into_iter().flatten().collect())
    }
}

/// What a plan's holder is.
pub(super) fn resource(
    names: &Names,
    operation: &'static str,
    holder: &Holder,
) -> Result<Resource, AwsError> {
    match holder {
        Holder::Service(name) => names.service(operation, name),
        Holder::Network(name) => names.network(operation, name),
    }
}

/// A destination that is missing, or that the role may not send to, is its user's to mend, and no reason to leave a route
/// undone: it is told, and everything else goes on.
fn unless_refused<T>(
    names: &Names,
    holder: &Holder,
    destination: &str,
    written: Result<T, AwsError>,
) -> Result<Option<T>, AwsError> {
    match written {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.class() == ErrorClass::Terminal || error.is_not_found() => {
            names.lock().refused_logs.insert(RefusedAccessLog {
                holder: holder.clone(),
                destination: destination.to_owned(),
                message: error.to_string(),
            });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Perform for CreateAccessLog {
    const LANE: Lane = Lane::AccessLogs;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateAccessLogSubscription";
        let Self { holder, destination, tags } = self;
        let request = client
            .api()
            .create_access_log_subscription()
            .resource_identifier(resource(names, OPERATION, holder)?.id)
            .destination_arn(destination)
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let written = client.write(OPERATION, request).await;
        if let Some(output) = unless_refused(names, holder, destination, written)? {
            client.made(OPERATION, Some(output.id), Some(output.arn), tags)?;
        }
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateAccessLog {
    const LANE: Lane = Lane::AccessLogs;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { id, holder, destination } = self;
        let update = client.api().update_access_log_subscription().access_log_subscription_identifier(id);
        let request = update.destination_arn(destination).send();
        let written = client.write("UpdateAccessLogSubscription", request).await;
        unless_refused(names, holder, destination, written)?;
        Ok(StepEnd::Done)
    }
}

impl Perform for DeleteAccessLog {
    const LANE: Lane = Lane::AccessLogs;

    async fn perform(&self, client: &LatticeClient, _: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let delete = client.api().delete_access_log_subscription();
        let request = delete.access_log_subscription_identifier(&self.id).send();
        found(client.write("DeleteAccessLogSubscription", request).await)?;
        Ok(StepEnd::Done)
    }
}
