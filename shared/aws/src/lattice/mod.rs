//! VPC Lattice behind plain values.
//!
//! [`LatticeClient::inspect`] reads what concerns one unit, [`LatticeClient::apply`] does a plan's steps. Neither decides
//! anything: what is to be done is the planner's.

mod apply;
mod convert;
mod find;
mod fresh;
mod inspect;
mod lanes;
mod listing;
mod memory;
mod names;
mod ownership;
mod refused;
mod resource;
mod rule_batches;
mod step;
mod tags;
mod wait;

pub use find::OwnedResource;

use crate::AwsError;
use crate::cache::Cached;
use crate::ec2::Ec2Api;
use crate::lambda::LambdaApi;
use crate::tagging::TagIndex;
use aws_sdk_vpclattice::Client;
use aws_sdk_vpclattice::config::http::HttpResponse;
use aws_sdk_vpclattice::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use memory::Memory;
use refused::RefusedTargets;
use resource::imported::CertificateApi;
use resource::network::NetworkIndex;
use resource::resource_gateway::ResourceIndex;
use resource::service::ServiceIndex;
use resource::target_group::TargetGroupIndex;
use resource::vpc_endpoint::Zones;
use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tags::TagCache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls of one operation in flight, over all units of this process. VPC Lattice names no rates; four at 50 ms are 80 a
/// second at most. The bound is for each operation, so that one that is throttled, whose calls wait between their attempts,
/// holds up no other.
const CALLS_AT_ONCE: usize = 4;
/// Entries of one listing; ten times the largest default quota (2,000 services a Region).
const LISTED_MAX: usize = 20_000;
/// Entries of one page, the most that the API gives (API model, MaxResults).
const PAGE_ENTRIES: i32 = 100;
/// How long listings of services and target groups are kept at most; see [`LatticeClient::inspect`] for what else
/// makes them old.
const INDEX_AGE_MAX: Duration = Duration::from_secs(30);
/// How long the listing of service networks is kept: they change seldom, and a missing one is looked for anew.
const NETWORKS_AGE_MAX: Duration = Duration::from_mins(5);

/// A client that knows what it has read a moment ago. Clones share it.
#[derive(Debug, Clone)]
pub struct LatticeClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    api: Client,
    acm: CertificateApi,
    ec2: Ec2Api,
    lambda: LambdaApi,
    tag_index: TagIndex,
    zones: Zones,
    memory: Memory,
    in_flight: InFlight,
    services: Cached<ServiceIndex>,
    target_groups: Cached<TargetGroupIndex>,
    networks: Cached<NetworkIndex>,
    resource_gateways: Cached<ResourceIndex>,
    resource_configurations: Cached<ResourceIndex>,
    tags: TagCache,
    refused: RefusedTargets,
}

/// The calls in flight by operation.
#[derive(Debug, Default)]
struct InFlight(Mutex<BTreeMap<&'static str, Arc<Semaphore>>>);

impl InFlight {
    /// Waits until one more call of this operation may go.
    async fn permit(&self, operation: &'static str) -> Option<OwnedSemaphorePermit> {
        let of_operation = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(operation).or_insert_with(|| Arc::new(Semaphore::new(CALLS_AT_ONCE))))
        };
        // Nobody closes it.
        of_operation.acquire_owned().await.ok()
    }
}

impl LatticeClient {
    pub(crate) fn new(
        api: Client,
        acm: CertificateApi,
        (ec2, lambda): (Ec2Api, LambdaApi),
        tag_index: TagIndex,
    ) -> Self {
        let inner = Inner {
            api,
            acm,
            ec2,
            lambda,
            tag_index,
            zones: Zones::default(),
            memory: Memory::default(),
            in_flight: InFlight::default(),
            services: Cached::new(INDEX_AGE_MAX),
            target_groups: Cached::new(INDEX_AGE_MAX),
            networks: Cached::new(NETWORKS_AGE_MAX),
            resource_gateways: Cached::new(INDEX_AGE_MAX),
            resource_configurations: Cached::new(INDEX_AGE_MAX),
            tags: TagCache::default(),
            refused: RefusedTargets::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    fn api(&self) -> &Client {
        &self.inner.api
    }

    fn acm(&self) -> &CertificateApi {
        &self.inner.acm
    }

    /// One read, among at most [`CALLS_AT_ONCE`] of its operation.
    async fn read<T, E>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let _permit = self.inner.in_flight.permit(operation).await;
        request.await.map_err(|error| AwsError::from_sdk(operation, error))
    }

    /// A call of EC2 or Lambda, among at most [`CALLS_AT_ONCE`] of its operation.
    async fn limited<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<T, AwsError> {
        let _permit = self.inner.in_flight.permit(operation).await;
        call.await
    }

    /// All pages of a listing, which counts as one call in flight.
    async fn list<T, E>(
        &self,
        operation: &'static str,
        mut pages: PaginationStream<Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Vec<T>, AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let _permit = self.inner.in_flight.permit(operation).await;
        let mut entries = Vec::new();
        while let Some(entry) = pages.next().await {
            entries.push(entry.map_err(|error| AwsError::from_sdk(operation, error))?);
            if entries.len() > LISTED_MAX {
                return Err(AwsError::refused(operation, format!("more than {LISTED_MAX} entries")));
            }
        }
        Ok(entries)
    }

    /// Forgets all listings, since one of them has proved wrong.
    async fn forget_listings(&self) {
        self.inner.services.forget().await;
        self.inner.target_groups.forget().await;
        self.inner.networks.forget().await;
        self.inner.resource_gateways.forget().await;
        self.inner.resource_configurations.forget().await;
    }
}

/// A resource that is not there is no error for whoever asks what is there.
fn found<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
