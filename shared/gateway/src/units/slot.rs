//! What a Lattice service is for: what its clients call it by, and which routes may be in it together.
//!
//! | the annotation `service-per` of the Gateway | a route without a hostname | a route with a hostname |
//! |---|---|---|
//! | `route`, the default | a service of its own | the service of the hostname |
//! | `hostname` | the service of the Gateway | the service of the hostname |
//! | `gateway`, a listener of which has a hostname | the service of that hostname | the same; another hostname is refused |
//! | `gateway`, else | the service of the Gateway | refused |
//!
//! A service has one custom domain, which cannot be changed (UpdateService), and VPC Lattice chooses the service by the
//! request's host: no other host name ever comes to it, so its rules cannot tell hosts apart. That is why the Gateway's
//! listeners say the one hostname of `gateway`, and not whichever route is there first: routes come and go, the domain
//! name stays.

use super::claim::GatewayName;
use crate::api::Meta;
use crate::code::Code;
use crate::gateway::JudgedGateway;
use crate::hostname::{is_wildcard, no_domain};
use crate::problem::{Problem, quoted};
use serde::{Deserialize, Serialize};
use trellis_lattice::{ActualService, TAG_GATEWAY, TAG_PREFIX};

/// The annotation of a Gateway, without the common prefix.
pub(crate) const ANNOTATION: &str = "service-per";

/// How the routes of a Gateway are shared out among services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServicePer {
    /// A service for each route without a hostname, and for each hostname one.
    #[default]
    Route,
    /// A service for each hostname, and one for all routes without.
    Hostname,
    /// One service for all.
    Gateway,
}

impl ServicePer {
    /// Reads the annotation's value, or the parameter's.
    ///
    /// # Errors
    ///
    /// A value that is none of `route`, `hostname` and `gateway`, whatever its case.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "route" => Ok(Self::Route),
            "hostname" => Ok(Self::Hostname),
            "gateway" => Ok(Self::Gateway),
            _ => Err(format!("{} is none of \"route\", \"hostname\" and \"gateway\"", quoted(text))),
        }
    }

    /// What a Gateway asks for; the default where it asks for nothing that can be.
    fn of(meta: &Meta, default: Self) -> Self {
        meta.annotation(ANNOTATION).and_then(|text| Self::parse(text).ok()).unwrap_or(default)
    }
}

/// What is wrong with the annotation of a Gateway.
pub(crate) fn problem(meta: &Meta) -> Option<Problem> {
    let why = ServicePer::parse(meta.annotation(ANNOTATION)?).err()?;
    let text = format!("{why}, and counts as if it were not there; write one of them");
    Some(Problem::new(Code::AnnotationValue, format!("metadata.annotations[{TAG_PREFIX}{ANNOTATION}]"), text))
}

/// How a Gateway shares its routes out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sharing {
    per: ServicePer,
    /// The hostname of the one service of the Gateway.
    domain: Option<String>,
}

impl Sharing {
    pub(crate) fn of(gateway: &JudgedGateway, meta: &Meta, default: ServicePer) -> Self {
        let per = ServicePer::of(meta, default);
        let domain = domains(gateway).next().filter(|_| per == ServicePer::Gateway);
        Self { per, domain }
    }

    /// Whether each route without a hostname has a service of its own.
    pub(crate) fn is_by_route(&self) -> bool {
        self.per == ServicePer::Route
    }

    /// The one hostname by which all that the Gateway's listeners take is served, where it has one.
    pub(crate) fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// The slot of a hostname of a route at a listener, which none stands for any for, and why it is refused there.
    pub(crate) fn slot(&self, gateway: &GatewayName, hostname: Option<&str>) -> (Slot, Option<Problem>) {
        let own = Slot::Domain(hostname.unwrap_or_default().to_owned());
        match (self.per, hostname, self.domain.as_deref()) {
            (ServicePer::Route, None, _) => (Slot::Own, None),
            (ServicePer::Hostname, None, _) | (ServicePer::Gateway, None, None) => {
                (Slot::Gateway(gateway.clone()), None)
            }
            (ServicePer::Gateway, None, Some(domain)) => (Slot::Domain(domain.to_owned()), None),
            (ServicePer::Gateway, Some(hostname), domain) if Some(hostname) != domain => {
                (own, Some(barred(gateway, hostname, domain)))
            }
            (_, Some(_), _) => (own, None),
        }
    }
}

/// The hostnames of a Gateway's listeners that can be a custom domain, in their order.
fn domains(gateway: &JudgedGateway) -> impl Iterator<Item = String> {
    let usable = gateway.listeners.iter().filter(|listener| listener.is_usable);
    let named = usable.filter_map(|listener| listener.wire.hostname.as_deref());
    let named = named.filter(|name| !is_wildcard(name)).map(str::to_ascii_lowercase);
    named.filter(|name| no_domain(name).is_none())
}

/// Why a hostname is not served by the one service of a Gateway.
fn barred(gateway: &GatewayName, hostname: &str, domain: Option<&str>) -> Problem {
    let GatewayName { namespace, name } = gateway;
    let has = match domain {
        Some(domain) => format!("that of Gateway {namespace}/{name} has {}", quoted(domain)),
        None => format!("that of Gateway {namespace}/{name} has none, since no listener names one"),
    };
    let text = format!(
        "A VPC Lattice service has one custom domain, and {has}: {} is not served; name it in a listener in its place, or annotate \
         the Gateway with {TAG_PREFIX}{ANNOTATION}: hostname",
        quoted(hostname)
    );
    Problem::new(Code::HostnameTaken, "spec.hostnames", text)
}

/// What of a Gateway's listeners its one service cannot have.
pub(crate) fn listener_problem(gateway: &JudgedGateway) -> Option<Problem> {
    let domain = gateway.sharing.domain.as_ref()?;
    let mut others: Vec<String> =
        domains(gateway).filter(|other| other != domain).map(|one| quoted(&one)).collect();
    others.sort();
    others.dedup();
    (!others.is_empty()).then(|| {
        let text = format!(
            "A VPC Lattice service has one custom domain, and that of the Gateway has {}, the first: {} is not served; name one \
             hostname, or annotate the Gateway with {TAG_PREFIX}{ANNOTATION}: hostname",
            quoted(domain),
            others.join(" and ")
        );
        Problem::new(Code::OneService, "spec.listeners", text)
    })
}

/// What a service is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// The generated name of a route's own service.
    Own,
    /// The generated name of the service that all routes of a Gateway have for requests of any hostname.
    Gateway(GatewayName),
    /// A custom domain.
    Domain(String),
}

impl Slot {
    /// That of a service that there is.
    pub(crate) fn of(service: &ActualService) -> Self {
        let gateway = || {
            let (namespace, name) = service.tags.get(TAG_GATEWAY)?.split_once('/')?;
            Some(GatewayName { namespace: namespace.to_owned(), name: name.to_owned() })
        };
        match service.domain() {
            Some(domain) => Self::Domain(domain),
            None => gateway().map_or(Self::Own, Self::Gateway),
        }
    }

    /// The custom domain.
    pub(crate) fn domain(&self) -> Option<&str> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Own | Self::Gateway(_) => None,
        }
    }

    /// As names and statuses tell it; none for a route's own, which nobody else has to find.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Own => None,
            Self::Gateway(GatewayName { namespace, name }) => Some(format!("Gateway {namespace}/{name}")),
            Self::Domain(domain) => Some(domain.clone()),
        }
    }

    /// For a sentence.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Own => "the generated name".to_owned(),
            Self::Gateway(GatewayName { namespace, name }) => {
                format!("the service of Gateway {namespace}/{name}")
            }
            Self::Domain(domain) => format!("the hostname {}", quoted(domain)),
        }
    }

    /// What requests are for it, for a sentence.
    pub(crate) fn requests(&self) -> String {
        match self {
            Self::Domain(domain) => quoted(domain),
            Self::Own | Self::Gateway(_) => self.shown(),
        }
    }

    /// The tag by which a service tells it, where its custom domain does not.
    pub(crate) fn tag(&self) -> Option<(String, String)> {
        match self {
            Self::Gateway(GatewayName { namespace, name }) => {
                Some((TAG_GATEWAY.to_owned(), format!("{namespace}/{name}")))
            }
            Self::Own | Self::Domain(_) => None,
        }
    }
}
