//! Keeps an [`Interest`] in step with the cluster's routes and exports, and [`Neighbours`] with what routes stand beside.
//!
//! One watch for each kind; of every object only the references stay, and the little that warnings are read from. A kind that
//! the cluster does not have names nothing and is looked for again now and then, since its CRD may come later.

use crate::interest::{Interest, Late, ObjectName, Viewed, object_name};
use crate::losses::{Cause, Losses};
use crate::neighbours::{Kept, Neighbours, Objects, SharedNeighbours};
use crate::queue::{Entry, HintQueue};
use crate::review::references_of;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, discovery};
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use trellis_gateway::{BEHIND_KINDS, BESIDE_KINDS, REFERRING_KINDS};
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

/// Slices that no controller of Kubernetes' own makes of Pods: Pods have addresses of the VPC, and there are thousands.
const SLICES_BY_HAND: &str = "endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io";

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

/// What one object comes to.
struct Seen {
    name: ObjectName,
    /// Of a referring kind.
    viewed: Option<Viewed>,
    /// Of a kind that warnings are read from.
    kept: Option<Kept>,
}

/// Watches all kinds of one cluster that count here.
#[derive(Clone)]
pub struct Watches {
    /// The API server; it gives up reading after [`SILENCE_MAX`].
    pub client: Client,
    /// The cluster that it is of.
    pub cluster: ClusterId,
    /// What is kept in step.
    pub interest: SharedInterest,
    /// What is kept in step too.
    pub neighbours: SharedNeighbours,
    /// Where hints go to those that come to refer to what was changed before.
    pub queue: HintQueue,
    /// Told when such a hint may be missing.
    pub losses: Losses,
}

impl Watches {
    /// Never returns.
    pub async fn run(self) {
        let others = BESIDE_KINDS.into_iter().filter(|kind| !REFERRING_KINDS.contains(kind));
        let kinds = REFERRING_KINDS.into_iter().chain(others).chain(BEHIND_KINDS);
        futures::future::join_all(kinds.map(|kind| self.keep_watching(kind))).await;
    }

    async fn keep_watching(&self, kind: Kind) {
        let mut wait = RETRY_MIN;
        loop {
            match find_kind(&self.client, kind).await {
                Ok(None) => {
                    self.replace(kind, Vec::new(), Objects::default());
                    tokio::time::sleep(ABSENT_RECHECK).await;
                    continue;
                }
                Ok(Some(resource)) => {
                    let mut listed = false;
                    let error = self.watch_once(kind, &resource, &mut listed).await;
                    if listed {
                        wait = RETRY_MIN;
                    }
                    let error = chain(&error);
                    if REFERRING_KINDS.contains(&kind) {
                        tracing::warn!(%kind, %error, "the watch broke: every Service counts until it is back");
                    } else if BEHIND_KINDS.contains(&kind) {
                        tracing::warn!(%kind, %error, "the watch broke: new Pods get no readiness gate until it is back");
                    } else {
                        tracing::warn!(%kind, %error, "the watch broke: routes are warned of by themselves until it is back");
                    }
                }
                Err(error) => {
                    tracing::warn!(%kind, error = %chain(&error), "the kind could not be looked for");
                }
            }
            self.write().lose(kind);
            self.write_neighbours().lose(kind);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    async fn watch_once(&self, kind: Kind, resource: &ApiResource, listed: &mut bool) -> WatchError {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), resource);
        let mut config = watcher::Config::default().page_size(PAGE_SIZE);
        if kind == Kind::EndpointSlice {
            config = config.labels(SLICES_BY_HAND);
        }
        let mut events = pin!(watcher(api, config));
        let (mut viewed, mut objects, mut room) = (Vec::new(), Objects::default(), 0);
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => {
                    viewed.clear();
                    (objects, room) = (Objects::default(), self.write_neighbours().room(kind));
                }
                Ok(Event::InitApply(object)) => {
                    if let Some(seen) = self.seen(kind, object) {
                        viewed.extend(seen.viewed);
                        objects.put(seen.name, seen.kept, room);
                    }
                }
                Ok(Event::InitDone) => {
                    self.replace(kind, std::mem::take(&mut viewed), std::mem::take(&mut objects));
                    *listed = true;
                }
                Ok(Event::Apply(object)) => {
                    if let Some(seen) = self.seen(kind, object) {
                        self.apply(kind, seen);
                    }
                }
                Ok(Event::Delete(object)) => {
                    if let Some(Seen { name, .. }) = self.seen(kind, object) {
                        self.write().remove(kind, &name);
                        self.write_neighbours().remove(kind, &name);
                    }
                }
                // The stream would go on by itself, but silently: a fresh one lists again, so that the set is known to
                // be whole.
                Err(error) => return WatchError::Watch(Box::new(error)),
            }
        }
        WatchError::Ended
    }

    fn replace(&self, kind: Kind, viewed: Vec<Viewed>, objects: Objects) {
        if is_kept(kind) {
            self.write_neighbours().replace(kind, objects);
        }
        if REFERRING_KINDS.contains(&kind) {
            let (now, mut interest) = (Instant::now(), self.write());
            let late = interest.replace(kind, viewed, now);
            self.tell(interest, late);
        }
    }

    fn apply(&self, kind: Kind, seen: Seen) {
        if is_kept(kind) {
            self.write_neighbours().apply(kind, seen.name, seen.kept);
        }
        if let Some(viewed) = seen.viewed {
            let (now, mut interest) = (Instant::now(), self.write());
            let late = interest.apply(kind, viewed, now);
            self.tell(interest, late);
        }
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

    fn seen(&self, kind: Kind, object: DynamicObject) -> Option<Seen> {
        let created = object.metadata.creation_timestamp.as_ref().map_or(0, |created| created.0.as_second());
        let age = OffsetDateTime::now_utc().unix_timestamp().saturating_sub(created);
        let object = serde_json::to_value(object).ok()?;
        let name = object_name(&object)?;
        let viewed = REFERRING_KINDS.contains(&kind).then(|| Viewed {
            name: name.clone(),
            references: references_of(&self.cluster, kind, &object),
            age: Duration::from_secs(u64::try_from(age).unwrap_or_default()),
        });
        Some(Seen { name, viewed, kept: Kept::of(kind, &object) })
    }

    fn write(&self) -> RwLockWriteGuard<'_, Interest> {
        // A panic elsewhere leaves an index that is at worst too large: go on with it.
        self.interest.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_neighbours(&self) -> RwLockWriteGuard<'_, Neighbours> {
        self.neighbours.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether something of the kind's objects is kept.
fn is_kept(kind: Kind) -> bool {
    BESIDE_KINDS.contains(&kind) || BEHIND_KINDS.contains(&kind)
}

/// The kind as this cluster serves it, in its most stable version; `None` if it has no such kind.
async fn find_kind(client: &Client, kind: Kind) -> Result<Option<ApiResource>, WatchError> {
    // Every cluster has these, in a group without a name that is not among the others.
    match kind {
        Kind::Namespace => return Ok(Some(ApiResource::erase::<Namespace>(&()))),
        Kind::Service => return Ok(Some(ApiResource::erase::<Service>(&()))),
        _ => {}
    }
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
