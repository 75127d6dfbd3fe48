//! Certificates of listeners. VPC Lattice ends TLS with a certificate of AWS's for the names that it generates, and with
//! one of ACM for a custom domain: the one that the listener names, else one that ACM has for the hostname. Secrets are no
//! source of certificates for it, so they are not read.

use crate::api::Listener;
use crate::grant::{From, To, is_granted};
use crate::hostname::is_wildcard;
use crate::problem::{Problem, quoted};
use crate::report::Condition;
use crate::snapshot::Snapshot;
use crate::view::View;
use crate::{conditions, reasons};
use serde_json::Value;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Certificate, Certificates};

/// The listener option that names a certificate in ACM.
pub(crate) const OPTION: &str = "application-networking.k8s.aws/certificate-arn";

/// The ARN of the listener's certificate in ACM.
pub(crate) fn arn(listener: &Listener) -> Option<String> {
    let options = listener.tls.as_ref()?.options.as_ref()?;
    options.get(OPTION).filter(|arn| !arn.is_empty()).cloned()
}

/// Why the listener's references to certificates are no good. They do not count where the option names one: the CRD
/// wants references even then. Without a view of the cluster, grants are taken for given.
pub(crate) fn refused(
    path: &str,
    listener: &Listener,
    namespace: &str,
    view: Option<(&View, &ClusterId)>,
) -> Option<Condition> {
    if arn(listener).is_some() {
        return None;
    }
    references(listener).iter().enumerate().find_map(|(at, reference)| {
        let text =
            |member: &str, default: &'static str| reference.get(member).and_then(Value::as_str).unwrap_or(default);
        let (group, kind, name) = (text("group", ""), text("kind", "Secret"), text("name", ""));
        let there = reference.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let path = format!("{path}.tls.certificateRefs[{at}]");
        if (group, kind) != ("", "Secret") {
            let text = format!("A certificate cannot be of kind {}; {}", quoted(kind), remedy());
            let problem = Problem::new(path, text);
            return Some(Condition::no(conditions::RESOLVED_REFS, reasons::INVALID_CERTIFICATE_REF, problem.to_string()));
        }
        let from = From { kind: Kind::Gateway.as_str(), namespace };
        let to = To { group, kind, namespace: there, name };
        let is_permitted = there == namespace
            || view.is_none_or(|(view, cluster)| is_granted(view, cluster, &from, &to).unwrap_or(false));
        (!is_permitted).then(|| {
            let text = format!(
                "No ReferenceGrant in namespace {} lets Gateways of namespace {} refer to {kind} {}; create one there",
                quoted(there),
                quoted(namespace),
                quoted(name)
            );
            Condition::no(conditions::RESOLVED_REFS, reasons::REF_NOT_PERMITTED, Problem::new(path, text).to_string())
        })
    })
}

/// What is to be told of references that are good and still not used.
pub(crate) fn note(path: &str, listener: &Listener) -> Option<Problem> {
    let is_unused = arn(listener).is_none() && !references(listener).is_empty();
    is_unused.then(|| {
        let text = format!(
            "VPC Lattice takes no Secrets; have a certificate in ACM for each hostname (RSA 2048, this Region), or name one in \
             tls.options under {OPTION}"
        );
        Problem::new(format!("{path}.tls.certificateRefs"), text)
    })
}

/// Why an HTTPS listener cannot serve its hostname: clients would be shown a certificate of another name.
pub(crate) fn missing(path: &str, listener: &Listener, view: Option<&View>) -> Option<Problem> {
    let hostname = listener.hostname.as_deref().filter(|name| !name.is_empty() && !is_wildcard(name))?;
    let is_without = listener.protocol == "HTTPS" && arn(listener).is_none();
    let is_without = is_without && view.is_none_or(|view| lacks(view, hostname));
    is_without.then(|| Problem::new(path, missing_for(hostname)))
}

/// Whether ACM is known to have no certificate for a hostname.
pub(crate) fn lacks(view: &View, hostname: &str) -> bool {
    match &view.snapshot.certificates {
        Certificates::Known(all) => choose(all, hostname).is_none(),
        Certificates::NotAsked | Certificates::Unknown(_) => false,
    }
}

/// The certificate for a hostname: one for that very name before one with a wildcard, then the one that was issued last, so
/// that the successor of one that ends is taken as soon as it is there.
pub(crate) fn choose<'a>(all: &'a [Certificate], hostname: &str) -> Option<&'a Certificate> {
    let hostname = hostname.to_ascii_lowercase();
    let wildcard = hostname.split_once('.').map(|(_, rest)| format!("*.{rest}"));
    let fits = |one: &&Certificate, name: &str| one.names.contains(name);
    let newest = |name: &str| {
        let fitting = all.iter().filter(|one| fits(one, name));
        fitting.max_by(|a, b| (a.issued, &b.arn).cmp(&(b.issued, &a.arn)))
    };
    newest(&hostname).or_else(|| newest(&wildcard?))
}

/// Whether a snapshot has a listener that needs a certificate and names none.
pub(crate) fn are_asked_for(snapshot: &Snapshot) -> bool {
    let gateways = snapshot.objects.values().flatten().filter(|(key, _)| key.kind == Kind::Gateway);
    let specs = gateways.filter_map(|(_, object)| crate::api::parse::<crate::api::Gateway>(object).ok());
    let mut listeners = specs.flat_map(|gateway| gateway.spec.listeners);
    listeners.any(|listener| listener.protocol == "HTTPS" && arn(&listener).is_none())
}

/// What lacks for a hostname, and the remedy.
pub(crate) fn missing_for(hostname: &str) -> String {
    format!("There is no certificate for {}; {}", quoted(hostname), remedy())
}

/// Why an HTTPS listener cannot be served as its Gateway asks: VPC Lattice checks no client certificates, and whoever asks
/// for them must not get a listener that takes everybody. `tls` is the Gateway's `spec.tls`.
pub(crate) fn unchecked_clients(path: &str, listener: &Listener, tls: Option<&Value>) -> Option<Problem> {
    if listener.protocol != "HTTPS" {
        return None;
    }
    let asks = |validation: Option<&Value>| validation.is_some_and(|one| !one.is_null());
    let frontend = tls.and_then(|tls| tls.get("frontend"));
    let of_ports = frontend.and_then(|frontend| frontend.get("perPort")).and_then(Value::as_array);
    let is_port = |(_, one): &(usize, &Value)| one.get("port").and_then(Value::as_i64) == Some(listener.port);
    let of_port = of_ports.into_iter().flatten().enumerate().find(is_port);
    let own = listener.tls.as_ref().and_then(|tls| tls.rest.get("frontendValidation"));
    let field = if asks(own) {
        format!("{path}.tls.frontendValidation")
    } else if let Some((at, of_port)) = of_port {
        // What is said of a port stands in place of the default.
        asks(of_port.pointer("/tls/validation"))
            .then(|| format!("spec.tls.frontend.perPort[{at}].tls.validation"))?
    } else {
        asks(frontend.and_then(|frontend| frontend.pointer("/default/validation")))
            .then(|| "spec.tls.frontend.default.validation".to_owned())?
    };
    let text = "VPC Lattice checks no client certificates, so the listener is not served; remove the field, or check them \
                behind a listener of protocol TLS that passes them through";
    Some(Problem::new(field, text))
}

fn remedy() -> String {
    format!(
        "issue or import one in ACM (RSA 2048, this Region), or name one in the listener's tls.options under {OPTION}"
    )
}

fn references(listener: &Listener) -> &[Value] {
    listener.tls.as_ref().and_then(|tls| tls.certificate_refs.as_deref()).unwrap_or_default()
}
