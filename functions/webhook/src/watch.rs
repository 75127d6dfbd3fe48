//! Keeps an [`Interest`] in step with the cluster's routes and exports.
//!
//! One watch for each referring kind; of every object only the references stay. A kind that the cluster does not have names
//! nothing and is looked for again now and then, since its CRD may come later.

use crate::interest::{Interest, Late, Viewed, object_name};
use crate::losses::{Cause, Losses};
use crate::queue::{Entry, HintQueue};
use crate::review::references_of;
use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, discovery};
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use trellis_gateway::REFERRING_KINDS;
use trellis_hint::{ClusterId, Kind};
use trellis_telemetry::chain;

/// Objects in a page of the first list: a page is in memory at once, and an object can have tens of kilobytes.
const PAGE_SIZE: u32 = 50;

/// Wait before a kind that is not there is looked for again; until then a passing review tells of its objects.
const ABSENT_RECHECK: Duration = Duration::from_mins(1);

/// A watch from which nothing has come for so long is given up, and everything is listed anew: an API server sends a
/// bookmark each minute, so the connection is dead, whatever the kernel knows of it.
pub const SILENCE_MAX: Duration = Duration::from_secs(150);

/// First and longest wait after a broken watch; it doubles in between. Everything counts meanwhile.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// See [`RETRY_MIN`].
const RETRY_MAX: Duration = Duration::from_secs(30);

/// The set shared by the watches, which write it, and the reviews, which read it.
pub type SharedInterest = Arc<RwLock<Interest>>;

/// Why a watch ended.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error("the kinds of the API group could not be read")]
    Discovery(#[source] Box<kube::Error>),
    #[error("the watch failed")]
    Watch(#[source] Box<watcher::Error>),
    #[error("the watch ended")]
    Ended,
}

/// Watches all referring kinds of one cluster.
#[derive(Clone)]
pub struct Watches {
    /// The API server; it gives up reading after [`SILENCE_MAX`].
    pub client: Client,
    /// The cluster that it is of.
    pub cluster: ClusterId,
    /// What is kept in step.
    pub interest: SharedInterest,
    /// Where hints go to those that come to refer to what was changed before.
    pub queue: HintQueue,
    /// Told when such a hint may be missing.
    pub losses: Losses,
}

impl Watches {
    /// Never returns.
    pub async fn run(self) {
        futures::future::join_all(REFERRING_KINDS.map(|kind| self.keep_watching(kind))).await;
    }

    async fn keep_watching(&self, kind: Kind) {
        let mut wait = RETRY_MIN;
        loop {
            match find_kind(&self.client, kind).await {
                Ok(None) => {
                    self.replace(kind, Vec::new());
                    tokio::time::sleep(ABSENT_RECHECK).await;
                    continue;
                }
                Ok(Some(resource)) => {
                    let mut listed = false;
                    let error = self.watch_once(kind, &resource, &mut listed).await;
                    if listed {
                        wait = RETRY_MIN;
                    }
                    tracing::warn!(%kind, error = %chain(&error), "the watch broke: every Service counts until it is back");
                }
                Err(error) => {
                    tracing::warn!(%kind, error = %chain(&error), "the kind could not be looked for");
                }
            }
            self.write().lose(kind);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    async fn watch_once(&self, kind: Kind, resource: &ApiResource, listed: &mut bool) -> WatchError {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), resource);
        let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE_SIZE)));
        let mut found = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => found.clear(),
                Ok(Event::InitApply(object)) => found.extend(self.viewed(kind, object)),
                Ok(Event::InitDone) => {
                    self.replace(kind, std::mem::take(&mut found));
                    *listed = true;
                }
                Ok(Event::Apply(object)) => {
                    if let Some(object) = self.viewed(kind, object) {
                        let (now, mut interest) = (Instant::now(), self.write());
                        let late = interest.apply(kind, object, now);
                        self.tell(interest, late);
                    }
                }
                Ok(Event::Delete(object)) => {
                    if let Some(object) = self.viewed(kind, object) {
                        self.write().remove(kind, &object.name);
                    }
                }
                // The stream would go on by itself, but silently: a fresh one lists again, so that the set is known to
                // be whole.
                Err(error) => return WatchError::Watch(Box::new(error)),
            }
        }
        WatchError::Ended
    }

    fn replace(&self, kind: Kind, found: Vec<Viewed>) {
        let (now, mut interest) = (Instant::now(), self.write());
        let late = interest.replace(kind, found, now);
        self.tell(interest, late);
    }

    /// Tells units of changes that were before they referred to what was changed.
    fn tell(&self, mut interest: RwLockWriteGuard<'_, Interest>, late: Vec<Late>) {
        if interest.take_forgotten() {
            self.losses.note(Cause::Forgotten);
        }
        drop(interest);
        for (unit, change) in late {
            let hint = change.hint(unit);
            let (trace, unit) = (hint.hint.trace.as_deref().unwrap_or_default(), &hint.hint.unit);
            tracing::info!(trace, %unit, "hinted late");
            self.queue.offer(Entry::from(&hint));
        }
    }

    fn viewed(&self, kind: Kind, object: DynamicObject) -> Option<Viewed> {
        let DynamicObject { metadata, mut data, .. } = object;
        let created = metadata.creation_timestamp.map_or(0, |created| created.0.as_second());
        let age = OffsetDateTime::now_utc().unix_timestamp().saturating_sub(created);
        let named = serde_json::json!({
            "name": metadata.name,
            "namespace": metadata.namespace,
            "annotations": metadata.annotations,
        });
        data.as_object_mut()?.insert("metadata".to_owned(), named);
        Some(Viewed {
            name: object_name(&data)?,
            references: references_of(&self.cluster, kind, &data),
            age: Duration::from_secs(u64::try_from(age).unwrap_or_default()),
        })
    }

    fn write(&self) -> RwLockWriteGuard<'_, Interest> {
        // A panic elsewhere leaves an index that is at worst too large: go on with it.
        self.interest.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kind as this cluster serves it, in its most stable version; `None` if it has no such kind.
async fn find_kind(client: &Client, kind: Kind) -> Result<Option<ApiResource>, WatchError> {
    match discovery::group(client, kind.group()).await {
        Ok(group) => {
            let resources = group.resources_by_stability();
            Ok(resources
                .into_iter()
                .map(|(resource, _)| resource)
                .find(|resource| resource.kind == kind.as_str()))
        }
        Err(kube::Error::Discovery(_)) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(WatchError::Discovery(Box::new(error))),
    }
}
