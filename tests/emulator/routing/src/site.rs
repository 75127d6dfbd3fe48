//! Who reaches which service.

/// What of an account decides who reaches which service.
pub trait Site {
    /// The service network that a VPC's association leads its clients to.
    fn network_of(&self, vpc: &str) -> Option<&str>;

    /// The services that have a host name, generated or custom.
    fn services_named(&self, host: &str) -> impl Iterator<Item = &str>;

    /// Whether an association lets requests from a service network in.
    fn is_in(&self, service: &str, network: &str) -> bool;
}

/// The service that a host name means for clients of a VPC, and the service network between them. The host is without port,
/// in lower case.
pub fn reach<'a>(site: &'a impl Site, vpc: &str, host: &'a str) -> Option<(&'a str, &'a str)> {
    let network = site.network_of(vpc)?;
    let service = site.services_named(host).find(|service| site.is_in(service, network))?;
    Some((service, network))
}
