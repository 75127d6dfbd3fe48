//! ReferenceGrants: who may refer to what in another namespace.

use crate::api::{self, ReferenceGrant};
use crate::view::View;
use trellis_hint::{ClusterId, Kind};

/// Who refers: an object of a Gateway API kind.
pub(crate) struct From<'a> {
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
}

/// What is referred to, and where the grant must stand.
pub(crate) struct To<'a> {
    pub(crate) group: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// Whether a grant allows it. A grant that cannot be read grants nothing.
pub(crate) fn is_granted(view: &View, cluster: &ClusterId, from: &From, to: &To) -> Result<bool, String> {
    let grants = view.list(cluster, Kind::ReferenceGrant, Some(to.namespace))?;
    Ok(grants.values().any(|grant| {
        api::parse::<ReferenceGrant>(grant).is_ok_and(|grant| {
            grant.spec.from.iter().any(|one| {
                one.group == Kind::Gateway.group() && one.kind == from.kind && one.namespace == from.namespace
            }) && grant.spec.to.iter().any(|one| {
                one.group == to.group
                    && one.kind == to.kind
                    && one.name.as_deref().is_none_or(|name| name.is_empty() || name == to.name)
            })
        })
    }))
}
