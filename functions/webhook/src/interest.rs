//! Which Services matter: those that a route's `backendRefs` or a ServiceExport of this cluster name.
//!
//! A cluster has thousands of Services and slices that no route knows. Their reviews must cost nearly nothing, so the
//! webhook keeps the names of those that count. The set may be too large, never too small: while any of the referring
//! kinds is not in view, everything counts, and what a passing review names counts at once, before a watch shows it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use trellis_hint::Kind;

/// The kinds that refer to Services.
pub const REFERRING_KINDS: [Kind; 4] =
    [Kind::HTTPRoute, Kind::GRPCRoute, Kind::TLSRoute, Kind::ServiceExport];

/// How long a Service that only a review named counts: a watch shows a stored object within a second, and a minute
/// covers an API server under load.
const LEARNED_FOR: Duration = Duration::from_mins(1);

/// The most Services kept from reviews alone, about 0.5 MB: beyond it everything counts until the oldest age out.
const LEARNED_MAX: usize = 4096;

/// The annotation by which a ServiceExport names a Service other than its namesake.
const SERVICE_NAME_ANNOTATION: &str = "/metadata/annotations/application-networking.k8s.aws~1service-name";

/// A namespace and a Service's name.
pub type ServiceName = (String, String);

/// A namespace and the name of a referring object.
type ObjectName = (String, String);

/// The Services that count.
#[derive(Debug, Default)]
pub struct Interest {
    in_view: BTreeSet<Kind>,
    named_by: BTreeMap<Kind, BTreeMap<ObjectName, BTreeSet<ServiceName>>>,
    references: HashMap<ServiceName, usize>,
    learned: HashMap<ServiceName, Instant>,
    overflowed_at: Option<Instant>,
}

impl Interest {
    /// Nothing is in view: everything counts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether changes of this Service count.
    pub fn covers(&self, namespace: &str, name: &str) -> bool {
        if !self.is_complete() || self.overflowed_at.is_some() {
            return true;
        }
        let service = (namespace.to_owned(), name.to_owned());
        self.references.contains_key(&service) || self.learned.contains_key(&service)
    }

    /// Whether all referring kinds are in view.
    pub fn is_complete(&self) -> bool {
        REFERRING_KINDS.iter().all(|kind| self.in_view.contains(kind))
    }

    /// How many Services are named by the objects in view.
    pub fn services(&self) -> usize {
        self.references.len()
    }

    /// The kind's objects are these and no others; the kind is in view from now on.
    pub fn replace(
        &mut self,
        kind: Kind,
        objects: impl IntoIterator<Item = (ObjectName, BTreeSet<ServiceName>)>,
    ) {
        for (_, services) in self.named_by.remove(&kind).unwrap_or_default() {
            self.release(services);
        }
        for (object, services) in objects {
            self.apply(kind, object, services);
        }
        self.in_view.insert(kind);
    }

    /// An object was stored.
    pub fn apply(&mut self, kind: Kind, object: ObjectName, services: BTreeSet<ServiceName>) {
        for service in &services {
            *self.references.entry(service.clone()).or_insert(0) += 1;
        }
        if let Some(before) = self.named_by.entry(kind).or_default().insert(object, services) {
            self.release(before);
        }
    }

    /// An object is gone.
    pub fn remove(&mut self, kind: Kind, object: &ObjectName) {
        if let Some(before) = self.named_by.get_mut(&kind).and_then(|objects| objects.remove(object)) {
            self.release(before);
        }
    }

    /// The kind's watch broke: everything counts until [`Interest::replace`].
    pub fn lose(&mut self, kind: Kind) {
        self.in_view.remove(&kind);
    }

    /// A review shows an object about to be stored.
    pub fn learn(&mut self, services: BTreeSet<ServiceName>, now: Instant) {
        let recent = |at: Instant| now.saturating_duration_since(at) < LEARNED_FOR;
        self.learned.retain(|_, at| recent(*at));
        self.overflowed_at = self.overflowed_at.filter(|at| recent(*at));
        for service in services {
            if self.learned.len() < LEARNED_MAX || self.learned.contains_key(&service) {
                self.learned.insert(service, now);
            } else {
                self.overflowed_at = Some(now);
            }
        }
    }

    fn release(&mut self, services: BTreeSet<ServiceName>) {
        for service in services {
            if let Some(count) = self.references.get_mut(&service) {
                *count -= 1;
                if *count == 0 {
                    self.references.remove(&service);
                }
            }
        }
    }
}

/// The namespace and name of an object; `None` for one without a name.
pub fn object_name(object: &Value) -> Option<ObjectName> {
    let field = |pointer| object.pointer(pointer).and_then(Value::as_str);
    Some((field("/metadata/namespace").unwrap_or_default().to_owned(), field("/metadata/name")?.to_owned()))
}

/// The Services that an object of a referring kind names. What cannot be read names none.
pub fn services_of(kind: Kind, object: &Value) -> BTreeSet<ServiceName> {
    let Some((namespace, name)) = object_name(object) else { return BTreeSet::new() };
    if kind == Kind::ServiceExport {
        let annotated =
            object.pointer(SERVICE_NAME_ANNOTATION).and_then(Value::as_str).filter(|name| !name.is_empty());
        return BTreeSet::from([(namespace, annotated.map_or(name, str::to_owned))]);
    }
    let rules = object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    let backends = rules.filter_map(|rule| rule.get("backendRefs").and_then(Value::as_array)).flatten();
    backends.filter_map(|backend| service_of(backend, &namespace)).collect()
}

fn service_of(backend: &Value, route_namespace: &str) -> Option<ServiceName> {
    let field = |name| backend.get(name).and_then(Value::as_str);
    let is_service =
        field("group").unwrap_or_default().is_empty() && field("kind").unwrap_or("Service") == "Service";
    let name = field("name").filter(|name| is_service && !name.is_empty())?;
    Some((field("namespace").unwrap_or(route_namespace).to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(namespace: &str, name: &str) -> ServiceName {
        (namespace.into(), name.into())
    }

    fn complete() -> Interest {
        let mut interest = Interest::new();
        for kind in REFERRING_KINDS {
            interest.replace(kind, []);
        }
        interest
    }

    #[test]
    fn everything_counts_until_every_referring_kind_is_in_view_and_again_when_one_is_lost() {
        let mut interest = Interest::new();
        for kind in REFERRING_KINDS {
            assert!(interest.covers("a", "b"), "before {kind}");
            interest.replace(kind, []);
        }
        assert!(!interest.covers("a", "b"));
        interest.lose(Kind::TLSRoute);
        assert!(interest.covers("a", "b"));
    }

    #[test]
    fn a_service_counts_as_long_as_any_object_names_it() {
        let mut interest = complete();
        let named = || BTreeSet::from([service("a", "s")]);
        interest.apply(Kind::HTTPRoute, service("a", "r1"), named());
        interest.apply(Kind::HTTPRoute, service("a", "r1"), named());
        interest.apply(Kind::ServiceExport, service("a", "s"), named());
        interest.remove(Kind::HTTPRoute, &service("a", "r1"));
        assert!(interest.covers("a", "s"));
        interest.replace(Kind::ServiceExport, []);
        assert!(!interest.covers("a", "s"));
        assert_eq!(interest.services(), 0);
    }

    #[test]
    fn what_a_review_names_counts_at_once_and_for_a_minute() {
        let (mut interest, start) = (complete(), Instant::now());
        interest.learn(BTreeSet::from([service("a", "s")]), start);
        interest.learn(BTreeSet::new(), start + LEARNED_FOR / 2);
        assert!(interest.covers("a", "s"));
        interest.learn(BTreeSet::new(), start + LEARNED_FOR);
        assert!(!interest.covers("a", "s"));
    }

    #[test]
    fn more_than_can_be_kept_makes_everything_count_for_a_while() {
        let (mut interest, start) = (complete(), Instant::now());
        interest.learn((0..=LEARNED_MAX).map(|i| service("a", &i.to_string())).collect(), start);
        assert!(interest.covers("b", "anything") && interest.learned.len() == LEARNED_MAX);
        interest.learn(BTreeSet::new(), start + LEARNED_FOR);
        assert!(!interest.covers("b", "anything"));
    }

    #[test]
    fn a_route_names_its_service_backends_only() {
        let route = json!({"metadata": {"name": "r", "namespace": "shop"}, "spec": {"rules": [
            {"backendRefs": [{"name": "plain"}, {"name": "typed", "kind": "Service", "group": "", "namespace": "other"},
                {"name": "imported", "kind": "ServiceImport", "group": "application-networking.k8s.aws"}, {"name": ""}, 7]},
            {"matches": []}, {"backendRefs": "x"}]}});
        let expected = BTreeSet::from([service("shop", "plain"), service("other", "typed")]);
        assert_eq!(services_of(Kind::HTTPRoute, &route), expected);
        assert!(services_of(Kind::HTTPRoute, &json!([])).is_empty());
    }

    #[test]
    fn an_export_names_its_namesake_or_the_annotated_service() {
        let mut export = json!({"metadata": {"name": "e", "namespace": "shop"}});
        assert_eq!(services_of(Kind::ServiceExport, &export), BTreeSet::from([service("shop", "e")]));
        export["metadata"]["annotations"] = json!({"application-networking.k8s.aws/service-name": "real"});
        assert_eq!(services_of(Kind::ServiceExport, &export), BTreeSet::from([service("shop", "real")]));
    }
}
