use super::BackendError;
use crate::grant::{From, To, is_granted};
use crate::problem::quoted;
use crate::reasons;
use crate::route::{BackendRef, Route};
use crate::view::View;
use trellis_hint::Kind;

/// Whether a ReferenceGrant in the backend's namespace lets the route refer to it.
pub(super) fn permits(
    view: &View,
    route: &Route,
    backend: &BackendRef,
    kind: Kind,
    namespace: &str,
) -> Result<(), BackendError> {
    let from = From { kind: route.id.kind.as_str(), namespace: &route.id.namespace };
    let to = To { group: kind.group(), kind: kind.as_str(), namespace, name: &backend.name };
    if is_granted(view, &route.id.cluster, &from, &to).map_err(BackendError::Unknown)? {
        return Ok(());
    }
    Err(BackendError::broken(
        reasons::REF_NOT_PERMITTED,
        &backend.path,
        format!(
            "No ReferenceGrant in namespace {} lets routes of kind {} in namespace {} refer to {kind} {}; create one \
             there",
            quoted(namespace),
            route.id.kind,
            quoted(&route.id.namespace),
            quoted(&backend.name)
        ),
    ))
}
