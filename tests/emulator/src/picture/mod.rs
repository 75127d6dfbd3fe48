//! The picture of the network for people: from the report of all resources to HTML. Each service network is a box
//! with its VPCs and the services in it; a service shows its listeners, rules and target groups.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

/// The report of the state and that of the calls, as a piece of HTML for the page.
pub fn picture(report: &Value, calls: &Value) -> String {
    let view = View::new(report);
    let networks = joined(list(report, "serviceNetworks").map(|network| view.network(network)));
    let alone = joined(
        list(report, "services")
            .filter(|service| !view.in_a_network(text(service, "id")))
            .map(|service| view.service(service, "ACTIVE")),
    );
    let unused = joined(
        list(report, "targetGroups")
            .filter(|group| list(group, "serviceArns").next().is_none())
            .map(|group| format!("<li>{}</li>", group_label(group))),
    );
    let mut page = String::new();
    if [&networks, &alone, &unused].iter().all(|part| part.is_empty()) {
        page.push_str("<p>There is nothing yet.</p>");
    }
    page.push_str(&networks);
    part(&mut page, "Services in no network", "services", &alone);
    part(&mut page, "Target groups in no rule", "groups", &unused);
    page + &table(calls)
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect()
}

/// A headed part; nothing when it is empty.
fn part(page: &mut String, heading: &str, class: &str, content: &str) {
    if !content.is_empty() {
        let _ = write!(
            page,
            "<section class=\"network\"><h2>{heading}</h2><div class=\"{class}\">{content}</div></section>"
        );
    }
}

struct View<'a> {
    report: &'a Value,
    services: BTreeMap<&'a str, &'a Value>,
    groups: BTreeMap<&'a str, &'a Value>,
}

impl<'a> View<'a> {
    fn new(report: &'a Value) -> Self {
        let by_id = |name| list(report, name).map(|it| (text(it, "id"), it)).collect();
        Self { report, services: by_id("services"), groups: by_id("targetGroups") }
    }

    /// What is associated with a service network.
    fn of_network(&self, kind: &'static str, network: &'a str) -> impl Iterator<Item = &'a Value> + use<'a> {
        list(self.report, kind).filter(move |link| text(link, "serviceNetworkId") == network)
    }

    fn in_a_network(&self, service: &str) -> bool {
        list(self.report, "serviceNetworkServiceAssociations").any(|link| text(link, "serviceId") == service)
    }

    fn network(&self, network: &'a Value) -> String {
        let id = text(network, "id");
        let vpcs = joined(self.of_network("serviceNetworkVpcAssociations", id).map(|link| {
            let vpc = text(link, "vpcId");
            let prefix = self.report["vpcs"][vpc].as_str();
            let place = prefix.map(|prefix| format!(" at {prefix}.255.254")).unwrap_or_default();
            format!("<li>{}{}{}</li>", cut(vpc, vpc), escaped(&place), pill(text(link, "status")))
        }));
        let resources = joined(self.of_network("serviceNetworkResourceAssociations", id).map(|link| {
            let name = text(link, "resourceConfigurationName");
            format!("<li>{}{}</li>", cut(name, name), pill(text(link, "status")))
        }));
        let services = joined(self.of_network("serviceNetworkServiceAssociations", id).filter_map(|link| {
            let service = self.services.get(text(link, "serviceId"))?;
            Some(self.service(service, text(link, "status")))
        }));
        let name = text(network, "name");
        format!(
            "<section class=\"network\"><h2>{}{}</h2><ul class=\"vpcs\">{vpcs}{resources}</ul>\
             <div class=\"services\">{services}</div></section>",
            cut(name, &format!("{name} {id}")),
            auth(network)
        )
    }

    /// A service; `link` is the status of its association with the network that it stands in.
    fn service(&self, service: &Value, link: &str) -> String {
        let name = text(service, "name");
        let domain = service["dnsEntry"]["domainName"].as_str().unwrap_or_default();
        let custom = text(service, "customDomainName");
        let domains = joined(
            [custom, domain]
                .into_iter()
                .filter(|domain| !domain.is_empty())
                .map(|domain| format!("<p>{}</p>", cut(domain, domain))),
        );
        let listeners = joined(list(service, "listeners").map(|listener| self.listener(listener)));
        let link = if link == "ACTIVE" { String::new() } else { format!("association{}", pill(link)) };
        format!(
            "<article><h3>{}{}{}{link}</h3>{domains}{listeners}</article>",
            cut(name, &format!("{name} {}", text(service, "id"))),
            pill(text(service, "status")),
            auth(service)
        )
    }

    fn listener(&self, listener: &Value) -> String {
        let rules = joined(list(listener, "rules").map(|rule| {
            let default = rule["isDefault"] == Value::Bool(true);
            let priority = if default { "default".to_owned() } else { rule["priority"].to_string() };
            let condition = condition(&rule["match"]["httpMatch"]);
            let condition = if default { "else".to_owned() } else { condition };
            format!(
                "<tr title=\"{}\"><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(text(rule, "name")),
                escaped(&priority),
                cut(&condition, &condition),
                self.action(&rule["action"])
            )
        }));
        let (protocol, port) = (text(listener, "protocol"), &listener["port"]);
        format!("<h4>{} {port}</h4><table class=\"rules\">{rules}</table>", escaped(protocol))
    }

    /// Where a rule leads: a status, or target groups with their shares of the requests.
    fn action(&self, action: &Value) -> String {
        if let Some(status) = action["fixedResponse"]["statusCode"].as_u64() {
            return format!("{status}");
        }
        let shares = &action["forward"];
        let weight = |share: &Value| share["weight"].as_u64().unwrap_or(0);
        let sum: u64 = list(shares, "targetGroups").map(weight).sum();
        joined(list(shares, "targetGroups").map(|share| {
            let id = text(share, "targetGroupIdentifier");
            let id = id.rsplit('/').next().unwrap_or(id);
            let label = self.groups.get(id).map_or_else(|| cut(id, id), |group| group_label(group));
            let (own, percent) = (weight(share), (weight(share) * 100).checked_div(sum).unwrap_or(0));
            format!("<div><b title=\"weight {own} of {sum}\">{percent} %</b> {label}</div>")
        }))
    }
}

/// The conditions of a rule in one line.
fn condition(http: &Value) -> String {
    let compared = |it: &Value| {
        let kinds = [("exact", "", ""), ("prefix", "", "…"), ("contains", "…", "…")];
        let found = kinds.into_iter().find_map(|(kind, before, after)| {
            Some(format!("{before}{}{after}", it["match"][kind].as_str()?))
        });
        let any_case = if it["caseSensitive"] == Value::Bool(false) { " in any case" } else { "" };
        found.unwrap_or_default() + any_case
    };
    let method = http["method"].as_str().map(str::to_owned);
    let path = http.get("pathMatch").map(compared);
    let headers = list(http, "headerMatches").map(|it| format!("{}: {}", text(it, "name"), compared(it)));
    let parts: Vec<String> = method.into_iter().chain(path).chain(headers).collect();
    if parts.is_empty() { "everything".to_owned() } else { parts.join(" and ") }
}

/// Name of a target group and how many of its targets are in which status.
fn group_label(group: &Value) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for target in list(group, "targets") {
        *counts.entry(text(target, "status")).or_default() += 1;
    }
    let counts =
        joined(counts.iter().map(|(status, count)| {
            format!("<i class=\"{}\">{count} {}</i>", class(status), escaped(status))
        }));
    let counts = if counts.is_empty() { "<i class=\"busy\">no targets</i>".to_owned() } else { counts };
    let (name, kind) = (text(group, "name"), text(group, "type"));
    let title = format!("{name} {} {kind}", text(group, "id"));
    format!("{}{counts}{}", cut(name, &title), pill(text(group, "status")))
}

/// A status, unless it is the usual one.
fn pill(status: &str) -> String {
    if matches!(status, "ACTIVE" | "") {
        return String::new();
    }
    format!("<i class=\"{}\">{}</i>", class(status), escaped(status))
}

fn auth(holder: &Value) -> &'static str {
    if text(holder, "authType") == "AWS_IAM" { "<i class=\"busy\">AWS_IAM</i>" } else { "" }
}

/// Class of a status for the page's colours.
fn class(status: &str) -> &'static str {
    match status {
        "HEALTHY" | "ACTIVE" => "good",
        "UNHEALTHY" | "PARTIAL" => "bad",
        status if status.ends_with("_FAILED") => "bad",
        _ => "busy",
    }
}

/// Counts of calls and errors.
fn table(calls: &Value) -> String {
    let rows = |name: &str, class: &str| -> String {
        let counts = calls[name].as_object().into_iter().flatten();
        joined(counts.map(|(name, count)| {
            format!("<tr class=\"{class}\"><td>{}</td><td>{count}</td></tr>", escaped(name))
        }))
    };
    let (operations, errors) = (rows("operations", "call"), rows("errors", "bad"));
    format!("<h2>Calls</h2><table class=\"calls\">{operations}{errors}</table>")
}

/// A text that the page cuts when it is too long; the whole is in its title.
fn cut(shown: &str, whole: &str) -> String {
    format!("<span class=\"cut\" title=\"{}\">{}</span>", escaped(whole), escaped(shown))
}

/// A text without what HTML takes for its own.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if matches!(c, '&' | '<' | '>' | '"' | '\'') {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests;
