use super::BackendError;
use crate::api::{self, ReferenceGrant};
use crate::problem::quoted;
use crate::route::{BackendRef, Route};
use crate::view::View;
use trellis_hint::Kind;

/// Whether a ReferenceGrant in the backend's namespace lets the route refer to it. A grant that cannot be read grants
/// nothing.
pub(super) fn permits(
    view: &View,
    route: &Route,
    backend: &BackendRef,
    kind: Kind,
    namespace: &str,
) -> Result<(), BackendError> {
    let grants = view
        .list(&route.id.cluster, Kind::ReferenceGrant, Some(namespace))
        .map_err(BackendError::Unknown)?;
    let is_permitted = grants.values().any(|grant| {
        api::parse::<ReferenceGrant>(grant).is_ok_and(|grant| {
            let from = grant.spec.from.iter().any(|from| {
                from.group == route.id.kind.group()
                    && from.kind == route.id.kind.as_str()
                    && from.namespace == route.id.namespace
            });
            let to = grant.spec.to.iter().any(|to| {
                to.group == kind.group()
                    && to.kind == kind.as_str()
                    && to.name.as_deref().is_none_or(|name| name.is_empty() || name == backend.name)
            });
            from && to
        })
    });
    if is_permitted {
        return Ok(());
    }
    Err(BackendError::broken(
        "RefNotPermitted",
        &backend.path,
        format!(
            "No ReferenceGrant in namespace {} lets a {} of namespace {} refer to {kind} {}; create one there",
            quoted(namespace),
            route.id.kind,
            quoted(&route.id.namespace),
            quoted(&backend.name)
        ),
    ))
}
