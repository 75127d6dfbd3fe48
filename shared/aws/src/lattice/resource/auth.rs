//! Auth types and auth policies.

use super::access_log::resource;
use super::holder::holders_that_matter;
use crate::AwsError;
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::{LatticeClient, found};
use aws_sdk_vpclattice::types::AuthType;
use futures::future::try_join_all;
use std::time::Instant;
use trellis_lattice::{Actual, ActualAuth, Desired, Holder, PutAuthPolicy, SetAuthType, TAG_AUTH};

impl LatticeClient {
    /// Reads who may call the services and networks that are to have an auth policy, or once had.
    pub(in crate::lattice) async fn read_auth(
        &self,
        desired: &Desired,
        actual: &mut Actual,
    ) -> Result<(), AwsError> {
        let is_wanted = |holder: &Holder| desired.auth.iter().any(|wanted| wanted.holder == *holder);
        let holders = holders_that_matter(actual, TAG_AUTH, is_wanted).into_iter();
        let read: Vec<Option<ActualAuth>> =
            try_join_all(holders.map(|(holder, id)| self.auth_of(holder, id))).await?;
        actual.auth = read.into_iter().flatten().collect();
        Ok(())
    }

    /// None if the holder has gone meanwhile.
    async fn auth_of(&self, holder: Holder, id: &str) -> Result<Option<ActualAuth>, AwsError> {
        let auth_type = match &holder {
            Holder::Service(_) => {
                let request = self.api().get_service().service_identifier(id).send();
                found(self.read("GetService", request).await)?.map(|read| read.auth_type)
            }
            Holder::Network(_) => {
                let request = self.api().get_service_network().service_network_identifier(id).send();
                found(self.read("GetServiceNetwork", request).await)?.map(|read| read.auth_type)
            }
        };
        let Some(auth_type) = auth_type else { return Ok(None) };
        let request = self.api().get_auth_policy().resource_identifier(id).send();
        let policy = found(self.read("GetAuthPolicy", request).await)?.and_then(|read| read.policy);
        let policy = policy.filter(|policy| !policy.is_empty()).map(|policy| plain(&policy));
        Ok(Some(ActualAuth { holder, is_closed: auth_type == Some(AuthType::AwsIam), policy }))
    }
}

/// A policy without spaces between its tokens: what a person has laid out otherwise is the same policy.
fn plain(policy: &str) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(policy);
    parsed.map_or_else(|_| policy.to_owned(), |parsed| parsed.to_string())
}

impl Perform for PutAuthPolicy {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "PutAuthPolicy";
        let id = resource(names, OPERATION, &self.holder)?.id;
        let request = client.api().put_auth_policy().resource_identifier(id).policy(&self.policy).send();
        client.write(OPERATION, request).await?;
        Ok(StepEnd::Done)
    }
}

impl Perform for SetAuthType {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let auth_type = if self.is_closed { AuthType::AwsIam } else { AuthType::None };
        match &self.holder {
            Holder::Service(_) => {
                const OPERATION: &str = "UpdateService";
                let id = resource(names, OPERATION, &self.holder)?.id;
                let update = client.api().update_service().service_identifier(id);
                client.write(OPERATION, update.auth_type(auth_type).send()).await?;
            }
            Holder::Network(_) => {
                const OPERATION: &str = "UpdateServiceNetwork";
                let id = resource(names, OPERATION, &self.holder)?.id;
                let update = client.api().update_service_network().service_network_identifier(id);
                client.write(OPERATION, update.auth_type(auth_type).send()).await?;
            }
        }
        Ok(StepEnd::Done)
    }
}
