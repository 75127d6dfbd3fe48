//! A picture: Gateways, services, rules, target groups, Services.

use crate::evaluate::Evaluation;
use crate::report::API_VERSION;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use trellis_gateway::{Source, source_of};
use trellis_lattice::{Action, Desired, DesiredListener, DesiredService};

/// What a node stands for, from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeKind {
    /// A service network, which is its Gateways'.
    Gateway,
    /// A service of VPC Lattice.
    Service,
    /// A rule of one of its listeners.
    Rule,
    /// A fixed response.
    Response,
    /// A target group.
    TargetGroup,
    /// A Service of Kubernetes.
    KubernetesService,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Node {
    /// What it stands for.
    pub kind: NodeKind,
    /// Names it among its kind.
    pub name: String,
    /// For people: its lines.
    pub label: Vec<String>,
}

/// An arrow between two nodes, which their places in the list of nodes name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// Where it begins.
    pub from: usize,
    /// Where it leads.
    pub to: usize,
    /// For people: the share of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// In order of their kinds and names.
    pub nodes: Vec<Node>,
    /// In order.
    pub edges: BTreeSet<Edge>,
}

/// Draws what is wanted in the end.
pub fn graph(evaluation: &Evaluation) -> Graph {
    let mut draft = Draft::default();
    for desired in evaluation.units.values().filter_map(|one| one.desired.as_ref()) {
        draft.add(desired);
    }
    draft.finish()
}

type Named = (NodeKind, String);

#[derive(Default)]
struct Draft {
    nodes: BTreeMap<Named, Vec<String>>,
    edges: BTreeSet<(Named, Named, Option<String>)>,
}

impl Draft {
    fn node(&mut self, kind: NodeKind, name: &str, label: impl IntoIterator<Item = String>) -> Named {
        let named = (kind, name.to_owned());
        self.nodes.entry(named.clone()).or_insert_with(|| label.into_iter().collect());
        named
    }

    fn edge(&mut self, from: &Named, to: &Named, label: Option<String>) {
        self.edges.insert((from.clone(), to.clone(), label));
    }

    fn add(&mut self, desired: &Desired) {
        if let Some(network) = &desired.network {
            self.gateway(&network.name);
        }
        for group in &desired.target_groups {
            let config = &group.config;
            let of = config.reached().map_or_else(|| "a function".to_owned(), |config| config.vpc);
            let label = [format!("target group {}", group.name), of];
            let node = self.node(NodeKind::TargetGroup, &group.name, label);
            if let Some(Source { cluster, kind, namespace, name, .. }) = source_of(&group.tags) {
                let path = format!("{}/{namespace}/{name}", cluster.name);
                let label = [format!("{kind} {namespace}/{name}"), format!("cluster {}", cluster.name)];
                let service = self.node(NodeKind::KubernetesService, &path, label);
                self.edge(&node, &service, None);
            }
        }
        for service in &desired.services {
            let label =
                [format!("service {}", service.name)].into_iter().chain(service.custom_domain.clone());
            let node = self.node(NodeKind::Service, &service.name, label);
            for network in &service.networks {
                let gateway = self.gateway(network);
                self.edge(&gateway, &node, None);
            }
            for listener in &service.listeners {
                self.listener(&node, service, listener);
            }
        }
    }

    fn gateway(&mut self, network: &str) -> Named {
        self.node(NodeKind::Gateway, network, [format!("Gateway {network}")])
    }

    fn listener(&mut self, node: &Named, service: &DesiredService, listener: &DesiredListener) {
        for rule in &listener.rules {
            let at = format!("{}:{}:{:05}", service.name, listener.port, rule.priority);
            let label = [format!(":{} rule {}", listener.port, rule.priority), rule.matches.to_string()];
            let from = self.node(NodeKind::Rule, &at, label);
            self.edge(node, &from, None);
            self.action(&from, &rule.action);
        }
        // A listener that passes TLS on has no rules, and forwards by default.
        if let Action::Forward(_) = listener.default_action {
            let at = format!("{}:{}:default", service.name, listener.port);
            let from = self.node(NodeKind::Rule, &at, [format!(":{} default", listener.port)]);
            self.edge(node, &from, None);
            self.action(&from, &listener.default_action);
        }
    }

    fn action(&mut self, from: &Named, action: &Action) {
        match action {
            Action::FixedResponse(status) => {
                let to = self.node(NodeKind::Response, &status.to_string(), [format!("answer {status}")]);
                self.edge(from, &to, None);
            }
            Action::Forward(shares) => {
                let total: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
                for share in shares {
                    let label = [format!("target group {}", share.target_group)];
                    let to = self.node(NodeKind::TargetGroup, &share.target_group, label);
                    let weight = u64::from(share.weight);
                    let percent = (shares.len() > 1).then(|| percent(weight, total));
                    self.edge(from, &to, percent);
                }
            }
        }
    }

    fn finish(self) -> Graph {
        let at: BTreeMap<&Named, usize> =
            self.nodes.keys().enumerate().map(|(at, named)| (named, at)).collect();
        let edges = self.edges.iter().filter_map(|(from, to, label)| {
            Some(Edge { from: *at.get(from)?, to: *at.get(to)?, label: label.clone() })
        });
        let edges = edges.collect();
        let nodes = self.nodes.into_iter().map(|((kind, name), label)| Node { kind, name, label }).collect();
        Graph { nodes, edges }
    }
}

/// A share of the requests, rounded to a whole per cent.
fn percent(weight: u64, total: u64) -> String {
    format!("{} %", (weight * 200 + total).checked_div(total * 2).unwrap_or_default())
}

impl Graph {
    /// As JSON.
    pub fn json(&self) -> Value {
        json!({"apiVersion": API_VERSION, "kind": "Graph", "nodes": self.nodes, "edges": self.edges})
    }

    /// As a flowchart of Mermaid.
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (at, node) in self.nodes.iter().enumerate() {
            // Quotes end a label there, and # begins an entity.
            let lines = node.label.iter().map(|line| {
                line.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
            });
            let label = lines.collect::<Vec<_>>().join("<br>");
            let (open, close) = match node.kind {
                NodeKind::Gateway => ("([", "])"),
                NodeKind::Rule => ("{{", "}}"),
                NodeKind::KubernetesService => ("[(", ")]"),
                NodeKind::Response => ("((", "))"),
                NodeKind::Service | NodeKind::TargetGroup => ("[", "]"),
            };
            let _ = writeln!(text, "  n{at}{open}\"{label}\"{close}");
        }
        for Edge { from, to, label } in &self.edges {
            let _ = match label {
                Some(label) => writeln!(text, "  n{from} -->|{label}| n{to}"),
                None => writeln!(text, "  n{from} --> n{to}"),
            };
        }
        text
    }

    /// For Graphviz.
    pub fn dot(&self) -> String {
        let mut text =
            "digraph trellis {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
        for (at, node) in self.nodes.iter().enumerate() {
            let lines = node.label.iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\""));
            let label = lines.collect::<Vec<_>>().join("\\n");
            let shape = match node.kind {
                NodeKind::Gateway => ", shape=ellipse",
                NodeKind::Rule => ", shape=hexagon",
                NodeKind::Response => ", shape=circle",
                NodeKind::KubernetesService => ", shape=cylinder",
                NodeKind::Service | NodeKind::TargetGroup => "",
            };
            let _ = writeln!(text, "  n{at} [label=\"{label}\"{shape}];");
        }
        for Edge { from, to, label } in &self.edges {
            let label = label.as_ref().map(|label| format!(" [label=\"{label}\"]")).unwrap_or_default();
            let _ = writeln!(text, "  n{from} -> n{to}{label};");
        }
        text.push_str("}\n");
        text
    }
}
