//! Certificates of listeners. VPC Lattice ends TLS with a certificate of AWS's for the names that it generates, and with
//! one of ACM for a custom domain: the one that the listener names, else one of the Secrets that it refers to, where the installation
//! imports these (the Gateway's unit does, [`crate::units::from_secrets`]), else one that ACM has for the hostname.

use crate::api::Listener;
use crate::code::Code;
use crate::grant::{From, To, is_granted};
use crate::hostname::is_wildcard;
use crate::problem::{Problem, quoted};
use crate::report::Condition;
use crate::secret::{self, SecretKey, SecretRead};
use crate::snapshot::Snapshot;
use crate::view::View;
use crate::{conditions, reasons};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Certificate, Certificates};

/// The listener option that names a certificate in ACM.
pub(crate) const OPTION: &str = "application-networking.k8s.aws/certificate-arn";

/// The ARN of the listener's certificate in ACM.
pub(crate) fn arn(listener: &Listener) -> Option<String> {
    let options = listener.tls.as_ref()?.options.as_ref()?;
    options.get(OPTION).filter(|arn| !arn.is_empty()).cloned()
}

/// A reference of a listener to a certificate.
#[derive(Debug, Clone, Copy)]
struct Reference<'a> {
    at: usize,
    group: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Reference<'a> {
    /// The references that count: none where the option names a certificate, since the CRD wants references even then.
    fn all(listener: &'a Listener, namespace: &'a str) -> impl Iterator<Item = Self> {
        let wire = listener.tls.as_ref().and_then(|tls| tls.certificate_refs.as_deref()).unwrap_or_default();
        let wire = if arn(listener).is_some() { &[] } else { wire };
        wire.iter().enumerate().map(move |(at, wire)| {
            let text = |member: &str, default| wire.get(member).and_then(Value::as_str).unwrap_or(default);
            Self {
                at,
                group: text("group", ""),
                kind: text("kind", "Secret"),
                namespace: text("namespace", namespace),
                name: text("name", ""),
            }
        })
    }

    fn is_secret(&self) -> bool {
        (self.group, self.kind) == ("", "Secret")
    }

    /// Whether Gateways of a namespace may refer to it; the error says why that is not known. Without a view of the cluster, grants
    /// are taken for given.
    fn is_permitted(&self, namespace: &str, view: Option<(&View, &ClusterId)>) -> Result<bool, String> {
        let from = From { kind: Kind::Gateway.as_str(), namespace };
        let to = To { group: self.group, kind: self.kind, namespace: self.namespace, name: self.name };
        match view {
            Some((view, cluster)) if self.namespace != namespace => is_granted(view, cluster, &from, &to),
            Some(_) | None => Ok(true),
        }
    }

    fn key(&self, cluster: &ClusterId) -> SecretKey {
        SecretKey {
            cluster: cluster.clone(),
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
        }
    }
}

/// The Secrets that a listener takes certificates from, as far as the installation imports any: those that its Gateway may refer to,
/// in their order. VPC Lattice ends TLS on HTTPS listeners only. One of which that is not known counts, so that its certificate stays;
/// but it is not read ([`readable_secrets`]).
pub(crate) fn secrets(
    view: &View,
    cluster: &ClusterId,
    listener: &Listener,
    namespace: &str,
) -> Vec<SecretKey> {
    secrets_where(view, cluster, listener, namespace, |permitted| permitted.unwrap_or(true))
}

/// Those that its Gateway is known to be permitted to refer to.
pub(crate) fn readable_secrets(
    view: &View,
    cluster: &ClusterId,
    listener: &Listener,
    namespace: &str,
) -> Vec<SecretKey> {
    secrets_where(view, cluster, listener, namespace, |permitted| permitted.unwrap_or(false))
}

fn secrets_where(
    view: &View,
    cluster: &ClusterId,
    listener: &Listener,
    namespace: &str,
    counts: impl Fn(Result<bool, String>) -> bool,
) -> Vec<SecretKey> {
    if !view.snapshot.secrets.are_read || listener.protocol != "HTTPS" {
        return vec![];
    }
    let usable = Reference::all(listener, namespace).filter(Reference::is_secret);
    let counting = usable.filter(|one| counts(one.is_permitted(namespace, Some((view, cluster)))));
    counting.map(|one| one.key(cluster)).collect()
}

/// Why the listener's references to certificates are no good.
pub(crate) fn refused(
    path: &str,
    listener: &Listener,
    namespace: &str,
    view: Option<(&View, &ClusterId)>,
) -> Option<Condition> {
    Reference::all(listener, namespace).find_map(|reference| {
        let Reference { kind, name, namespace: there, at, .. } = reference;
        let path = format!("{path}.tls.certificateRefs[{at}]");
        let no = |reason, text: String| {
            let problem = Problem::new(Code::CertificateRef, path.clone(), text);
            Some(Condition::no_for(conditions::RESOLVED_REFS, reason, vec![problem]))
        };
        if !reference.is_secret() {
            let text = format!("A certificate cannot be of kind {}; {}", quoted(kind), remedy());
            return no(reasons::INVALID_CERTIFICATE_REF, text);
        }
        match reference.is_permitted(namespace, view) {
            Ok(true) => {}
            Ok(false) => {
                let text = format!(
                    "No ReferenceGrant in namespace {} lets Gateways of namespace {} refer to {kind} {}; create one there",
                    quoted(there),
                    quoted(namespace),
                    quoted(name)
                );
                return no(reasons::REF_NOT_PERMITTED, text);
            }
            Err(why) => {
                let secret = quoted(&format!("{there}/{name}"));
                let text = format!("It is not known whether a ReferenceGrant lets {kind} {secret} be referred to: {why}");
                return no(reasons::REF_NOT_PERMITTED, text);
            }
        }
        let (view, cluster) = view?;
        let said = view.secret(&reference.key(cluster))?;
        unusable(said, there, name).and_then(|text| no(reasons::INVALID_CERTIFICATE_REF, text))
    })
}

/// Why a Secret gives no certificate; none where it does.
fn unusable(said: &SecretRead, namespace: &str, name: &str) -> Option<String> {
    let secret = format!("Secret {}", quoted(&format!("{namespace}/{name}")));
    match said {
        SecretRead::Found(found) => secret::usable(found).err().map(|why| format!("{secret} {why}")),
        SecretRead::Missing => Some(format!("{secret} does not exist; create it")),
        SecretRead::Forbidden => Some(format!(
            "{secret} may not be read; create in namespace {} a Role with the rule {{apiGroups: [\"\"], resources: [\"secrets\"], \
             resourceNames: [{}], verbs: [\"get\"]}}, and bind it to the group trellis-reconcilers",
            quoted(namespace),
            quoted(name)
        )),
        SecretRead::Unreadable(why) => Some(format!("{secret} cannot be read: {why}")),
    }
}

/// What is to be told of references that are good and still not used, or not for the listener's hostname.
pub(crate) fn note(
    path: &str,
    listener: &Listener,
    namespace: &str,
    view: Option<(&View, &ClusterId)>,
) -> Option<Problem> {
    let path = format!("{path}.tls.certificateRefs");
    Reference::all(listener, namespace).next()?;
    let Some((view, cluster)) = view.filter(|(view, _)| view.snapshot.secrets.are_read) else {
        let text = format!(
            "Certificates of Secrets are imported only where the installation's parameter CertificateSecrets says so; have a \
             certificate in ACM for each hostname (RSA 2048, this Region), or name one in tls.options under {OPTION}"
        );
        return Some(Problem::new(Code::CertificateSecretsOff, path, text));
    };
    let secrets = secrets(view, cluster, listener, namespace);
    let hostname = exact_hostname(listener)?;
    let names: Vec<String> =
        secrets.iter().map(|key| quoted(&format!("{}/{}", key.namespace, key.name))).collect();
    (!names.is_empty() && !have(view, &secrets, hostname)).then(|| {
        let text = format!(
            "No certificate of Secret {} is for {}; add the name to it, or have one in ACM",
            names.join(" and "),
            quoted(hostname)
        );
        Problem::new(Code::CertificateMissing, path, text)
    })
}

/// Whether any of these Secrets has a certificate for a hostname.
fn have(view: &View, secrets: &[SecretKey], hostname: &str) -> bool {
    secrets.iter().any(|key| match view.secret(key) {
        Some(SecretRead::Found(found)) => {
            secret::usable(found).is_ok_and(|usable| is_for(&usable.names, hostname))
        }
        Some(SecretRead::Missing | SecretRead::Forbidden | SecretRead::Unreadable(_)) | None => false,
    })
}

fn exact_hostname(listener: &Listener) -> Option<&str> {
    listener.hostname.as_deref().filter(|name| !name.is_empty() && !is_wildcard(name))
}

/// Why an HTTPS listener cannot serve its hostname: clients would be shown a certificate of another name.
pub(crate) fn missing(
    path: &str,
    listener: &Listener,
    namespace: &str,
    view: Option<(&View, &ClusterId)>,
) -> Option<Problem> {
    let hostname = exact_hostname(listener)?;
    let is_without = listener.protocol == "HTTPS" && arn(listener).is_none();
    let lacks = |(view, cluster): (&View, &ClusterId)| {
        lacks(view, hostname) && !have(view, &secrets(view, cluster, listener, namespace), hostname)
    };
    (is_without && view.is_none_or(lacks))
        .then(|| Problem::new(Code::CertificateMissing, path, missing_for(hostname)))
}

/// Whether ACM is known to have no certificate for a hostname.
pub(crate) fn lacks(view: &View, hostname: &str) -> bool {
    match &view.snapshot.certificates {
        Certificates::Known(all) => choose(all, hostname).is_none(),
        Certificates::NotAsked | Certificates::Unknown(_) => false,
    }
}

/// The certificate for a hostname: one for that very name before one with a wildcard, then the one that was issued last, so
/// that the successor of one that ends is taken as soon as it is there. One that is of a Secret is for those alone who name it.
pub(crate) fn choose<'a>(all: &'a [Certificate], hostname: &str) -> Option<&'a Certificate> {
    let newest = |name: String| {
        let fitting = all.iter().filter(|one| one.origin.is_none() && one.names.contains(&name));
        fitting.max_by(|a, b| (a.issued, &b.arn).cmp(&(b.issued, &a.arn)))
    };
    let [exact, wildcard] = names_for(hostname);
    newest(exact).or_else(|| newest(wildcard))
}

/// The certificate for a hostname of these Secrets, as the units of these Gateways have imported it: one for that very name before one
/// with a wildcard, then the Secret that is named first. `units` tells by a Secret's hash the hashes of the Gateways' units: of several
/// that have imported the same one all take the same, so that one service is enough for all.
pub(crate) fn of_secrets<'a>(
    all: &'a [Certificate],
    installation: &str,
    secrets: &[String],
    units: &BTreeSet<(String, String)>,
    hostname: &str,
) -> Option<&'a Certificate> {
    let of = |name: &str, secret: &String| {
        let fits = |one: &&Certificate| {
            let origin = one.origin.as_ref().filter(|origin| origin.secret == *secret);
            let is_theirs = origin.is_some_and(|origin| {
                origin.installation == installation && units.contains(&(secret.clone(), origin.unit.clone()))
            });
            is_theirs && one.names.contains(name)
        };
        all.iter().filter(fits).min_by(|a, b| a.arn.cmp(&b.arn))
    };
    names_for(hostname).iter().find_map(|name| secrets.iter().find_map(|secret| of(name, secret)))
}

/// The names of certificates that are for a hostname: itself, and with a wildcard for its first label.
fn names_for(hostname: &str) -> [String; 2] {
    let hostname = hostname.to_ascii_lowercase();
    let wildcard = hostname.split_once('.').map(|(_, rest)| format!("*.{rest}")).unwrap_or_default();
    [hostname, wildcard]
}

/// Whether a certificate with these names is for a hostname.
fn is_for(names: &BTreeSet<String>, hostname: &str) -> bool {
    names_for(hostname).iter().any(|name| names.contains(name))
}

/// Whether a snapshot has a listener that needs a certificate of ACM and names none: then [`Snapshot::certificates`] counts.
pub fn are_asked_for(snapshot: &Snapshot) -> bool {
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
    Some(Problem::new(Code::ClientCertificates, field, text))
}

fn remedy() -> String {
    format!(
        "issue or import one in ACM (RSA 2048, this Region), or name one in the listener's tls.options under {OPTION}"
    )
}
