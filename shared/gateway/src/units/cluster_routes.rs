//! The routes of a cluster.

use crate::route::{ROUTE_KINDS, Route, RouteId};
use crate::view::View;
use crate::{Settings, api};
use serde_json::Value;
use std::rc::Rc;
use trellis_hint::{ClusterId, Kind};

/// The route of an object, if it can be read.
pub(crate) fn read(
    view: &View,
    cluster: &ClusterId,
    kind: Kind,
    object: &Value,
    settings: &Settings,
) -> Option<Rc<Route>> {
    let id = || {
        let (namespace, name) = api::name_of(object);
        RouteId { kind, cluster: cluster.clone(), namespace: namespace.to_owned(), name: name.to_owned() }
    };
    view.route(id, object, settings).ok()
}

/// All route objects of a cluster, readable or not. A kind that the cluster does not serve has none.
pub(crate) fn objects<'a>(
    view: &View<'a>,
    cluster: &ClusterId,
    unknown: &mut Vec<String>,
) -> Vec<(Kind, &'a Value)> {
    let mut found = vec![];
    for kind in ROUTE_KINDS {
        match view.list(cluster, kind, None) {
            Ok(objects) => found.extend(objects.into_values().map(|object| (kind, object))),
            Err(_) if view.is_kind_missing(cluster, kind) => {}
            Err(why) => unknown.push(why),
        }
    }
    found
}

/// All routes of a cluster that can be read, with their objects.
pub(crate) fn routes<'a>(
    view: &View<'a>,
    cluster: &ClusterId,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> Vec<(Rc<Route>, &'a Value)> {
    let objects = objects(view, cluster, unknown).into_iter();
    objects
        .filter_map(|(kind, object)| Some((read(view, cluster, kind, object, settings)?, object)))
        .collect()
}
