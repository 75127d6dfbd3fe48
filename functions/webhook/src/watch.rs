//! Keeps an [`Interest`] in step with the cluster's routes and exports.
//!
//! One watch for each referring kind; of every object only the names stay. A kind that the cluster does not have names
//! nothing and is looked for again now and then, since its CRD may come later.

use crate::interest::{Interest, REFERRING_KINDS, ServiceName, object_name, services_of};
use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, discovery};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use trellis_hint::Kind;
use trellis_telemetry::chain;

/// Objects in a page of the first list: a page is in memory at once, and an object can have tens of kilobytes.
const PAGE_SIZE: u32 = 50;

/// Wait before a kind that is not there is looked for again; until then a passing review tells of its objects.
const ABSENT_RECHECK: Duration = Duration::from_mins(1);

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

/// Watches all referring kinds; never returns.
pub async fn run(client: Client, interest: SharedInterest) {
    let watches = REFERRING_KINDS.map(|kind| keep_watching(client.clone(), kind, interest.clone()));
    futures::future::join_all(watches).await;
}

async fn keep_watching(client: Client, kind: Kind, interest: SharedInterest) {
    let mut wait = RETRY_MIN;
    loop {
        match find_kind(&client, kind).await {
            Ok(None) => {
                write(&interest).replace(kind, []);
                tokio::time::sleep(ABSENT_RECHECK).await;
                continue;
            }
            Ok(Some(resource)) => {
                let mut listed = false;
                let error = watch_once(&client, kind, &resource, &interest, &mut listed).await;
                if listed {
                    wait = RETRY_MIN;
                }
                tracing::warn!(%kind, error = %chain(&error), "the watch broke: every Service counts until it is back");
            }
            Err(error) => tracing::warn!(%kind, error = %chain(&error), "the kind could not be looked for"),
        }
        write(&interest).lose(kind);
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
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

async fn watch_once(
    client: &Client,
    kind: Kind,
    resource: &ApiResource,
    interest: &SharedInterest,
    listed: &mut bool,
) -> WatchError {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE_SIZE)));
    let mut found = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => found.clear(),
            Ok(Event::InitApply(object)) => found.extend(names(kind, object)),
            Ok(Event::InitDone) => {
                write(interest).replace(kind, std::mem::take(&mut found));
                *listed = true;
            }
            Ok(Event::Apply(object)) => {
                if let Some((object, services)) = names(kind, object) {
                    write(interest).apply(kind, object, services);
                }
            }
            Ok(Event::Delete(object)) => {
                if let Some((object, _)) = names(kind, object) {
                    write(interest).remove(kind, &object);
                }
            }
            // The stream would go on by itself, but silently: a fresh one lists again, so that the set is known to
            // be whole.
            Err(error) => return WatchError::Watch(Box::new(error)),
        }
    }
    WatchError::Ended
}

type Named = ((String, String), BTreeSet<ServiceName>);

fn names(kind: Kind, object: DynamicObject) -> Option<Named> {
    let DynamicObject { metadata, mut data, .. } = object;
    let named = serde_json::json!({
        "name": metadata.name,
        "namespace": metadata.namespace,
        "annotations": metadata.annotations,
    });
    data.as_object_mut()?.insert("metadata".to_owned(), named);
    Some((object_name(&data)?, services_of(kind, &data)))
}

fn write(interest: &SharedInterest) -> std::sync::RwLockWriteGuard<'_, Interest> {
    // A panic elsewhere leaves a set that is at worst too large: go on with it.
    interest.write().unwrap_or_else(PoisonError::into_inner)
}
