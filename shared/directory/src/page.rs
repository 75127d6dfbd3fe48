//! The directory as one HTML page: no other file, no request, and readable without its script, which only filters.

use crate::model::{Backend, Directory, Remark, Service, Whose};
use askama::Template;
use std::collections::BTreeSet;

/// Remarks that are seen at once: half a screen. The others are unfolded.
const REMARKS_SEEN: usize = 10;

/// The page.
#[derive(Template)]
#[template(path = "directory.html")]
struct Page<'a> {
    directory: &'a Directory,
    clusters: BTreeSet<&'a str>,
    networks: BTreeSet<&'a str>,
    /// The remarks that are seen at once.
    first: &'a [Remark],
    rest: &'a [Remark],
    usd: String,
}

/// The directory as an HTML page. Every text of a user is escaped.
pub fn page(directory: &Directory) -> String {
    let (first, rest) = directory.remarks.split_at(directory.remarks.len().min(REMARKS_SEEN));
    let page = Page {
        directory,
        first,
        rest,
        clusters: directory.clusters.iter().map(|one| one.name.as_str()).collect(),
        networks: directory.networks.iter().map(|one| one.name.as_str()).collect(),
        usd: Page::money(&directory.totals.usd_a_month),
    };
    // Writing into a String fails only where a value's own Display does, and all here are the standard library's.
    page.render().unwrap_or_default()
}

impl Page<'_> {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template gives references")]
    fn money(amount: &f64) -> String {
        format!("{amount:.2}")
    }

    /// What the search goes through, in lower case.
    fn text(service: &Service) -> String {
        let Service { name, id, dns_name, custom_domain, unit, routes, backends, networks, clusters, .. } =
            service;
        let mut words: Vec<&str> = vec![name, id, dns_name];
        words.extend(custom_domain.as_deref());
        words.extend(unit.as_deref());
        words.extend(routes.iter().chain(networks).chain(clusters).map(String::as_str));
        words.extend(
            backends
                .iter()
                .flat_map(|one| [Some(one.target_group.as_str()), one.source.as_deref()])
                .flatten(),
        );
        words.join(" ").to_lowercase()
    }

    fn joined(texts: &[String]) -> String {
        texts.join(" ")
    }

    fn owner(whose: &Whose) -> String {
        match whose {
            Whose::Ours => "this installation".to_owned(),
            Whose::Installation { installation } => format!("installation {installation}"),
            Whose::Account { account } => format!("account {account}"),
            Whose::Others => "somebody else".to_owned(),
        }
    }

    fn health(backend: &Backend) -> String {
        match (backend.healthy, backend.targets) {
            (Some(healthy), Some(targets)) => format!("{healthy} of {targets} healthy"),
            _ => "health not read".to_owned(),
        }
    }

    /// Of a service's targets in sum: what a reader sees at once.
    fn state(service: &Service) -> &'static str {
        let targets: usize = service.backends.iter().filter_map(|one| one.targets).sum();
        let healthy: usize = service.backends.iter().filter_map(|one| one.healthy).sum();
        match service.status.as_str() {
            _ if service.is_orphan => "orphan",
            "ACTIVE" if service.backends.iter().any(|one| one.healthy.is_none()) || targets == 0 => "active",
            "ACTIVE" if healthy == targets => "healthy",
            "ACTIVE" if healthy == 0 => "down",
            "ACTIVE" => "degraded",
            _ => "changing",
        }
    }
}
