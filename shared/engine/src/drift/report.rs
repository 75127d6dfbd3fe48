//! What a drift pass tells: as a value, as JSON, and in words.

use super::index::{Holding, Index};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};
use trellis_directory::SERVICE_USD_A_MONTH;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::ResourceKind;

/// What a drift pass found and began.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// Every cluster that is registered, is taken out, or has something in VPC Lattice, by ARN.
    pub clusters: BTreeMap<String, ClusterReport>,
    /// Clusters whose look was begun. What such a look finds is its own report.
    pub looks: usize,
    /// Units that were looked at here: service networks, which belong to no cluster.
    pub units: usize,
    /// Those of them that differ from what they should be.
    pub drifted: Vec<Drifted>,
    /// Units that no object asks for and that have something all the same, with what they have; and by their ARN, resources
    /// that bear the owner tag and name no unit.
    pub orphans: BTreeMap<String, String>,
    /// How many resources those are, without what goes with another one.
    pub orphans_count: usize,
    /// Units that could not be looked at: unit → why.
    pub failed: BTreeMap<String, String>,
    /// What of the pass there was no time for. The next pass does it.
    pub left_out: Vec<String>,
    /// Where the service directory was written, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Hints sent, for units that differ.
    pub hints: usize,
    /// Calls to AWS by operation.
    pub calls: BTreeMap<String, u64>,
    /// How long the pass took.
    pub elapsed_ms: u64,
}

/// A unit that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// The unit.
    pub unit: String,
    /// What its plan would do, one text a step.
    pub steps: Vec<String>,
    /// Statuses that say something else than they should.
    pub statuses: Vec<String>,
    /// What the plan would do besides, if the mode allowed it. With nothing else, nobody gets a hint for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
}

impl Drifted {
    /// Whether a reconcile would change anything.
    pub(super) fn can_be_repaired(&self) -> bool {
        !(self.steps.is_empty() && self.statuses.is_empty())
    }
}

/// What one look at a cluster found, or one part of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LookReport {
    /// The cluster.
    pub cluster: String,
    /// Why the cluster is unknown and was not looked at; none if it was.
    pub unknown: Option<String>,
    /// Units that this part went through.
    pub units: usize,
    /// Those of them that were looked at in depth.
    pub in_depth: usize,
    /// Units that differ from what they should be, at most [`super::UNITS_TOLD_MAX`].
    pub drifted: Vec<Drifted>,
    /// How many there are.
    pub drifted_count: usize,
    /// Units that could not be looked at: unit → why.
    pub failed: BTreeMap<String, String>,
    /// Objects that were changed a while ago and of which no status tells: their hint did not come, or their units fail.
    pub untold: usize,
    /// Hints sent.
    pub hints: usize,
    /// Units that are still to be gone through. A message brings the rest, at once or a while later.
    pub goes_on_with: usize,
    /// Units that are not gone through any more: the look has taken too long, and others have begun since.
    pub left_out: usize,
    /// How long this part took.
    pub elapsed_ms: u64,
}

/// Where a cluster stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Life {
    /// It is registered and can be read.
    Registered,
    /// It is registered, and what it wants cannot be told.
    Unknown,
    /// A person takes it out.
    Leaving,
    /// It is not registered, or EKS has it no more, and something of it is left.
    NotRegistered,
}

/// A cluster in the report of a pass.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// Where it stands.
    pub state: Life,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Kinds that it does not serve, so that routes of such kinds or across clusters cannot be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_served: Vec<Kind>,
    /// What the index of tags shows of its units.
    pub has: Holdings,
    /// What is to be done, in words, where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// Resources of VPC Lattice, counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holdings {
    /// Services, which cost.
    pub services: usize,
    /// Target groups.
    pub target_groups: usize,
    /// What the services cost in a month, in USD, without traffic.
    pub usd_a_month: f64,
}

impl Holdings {
    pub(super) fn of<'a>(holdings: impl Iterator<Item = &'a Holding>) -> Self {
        let (mut services, mut target_groups) = (0, 0);
        for holding in holdings {
            services += holding.count(ResourceKind::Service);
            target_groups += holding.count(ResourceKind::TargetGroup);
        }
        // Services of an account are far fewer than 2^52.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        Self { services, target_groups, usd_a_month: services as f64 * SERVICE_USD_A_MONTH }
    }

    fn is_nothing(&self) -> bool {
        self.services == 0 && self.target_groups == 0
    }
}

impl ClusterReport {
    pub(super) fn new(id: &ClusterId, state: Life, why: Option<String>, index: &Index) -> Self {
        let has = Holdings::of(index.of_cluster(id));
        let advice = match state {
            Life::Registered => None,
            Life::Unknown => Some(
                "what it has stays as it is; give the functions what they lack, or take the cluster out".to_owned(),
            ),
            Life::Leaving if has.is_nothing() => Some(
                "nothing is left: delete the webhook's overlay from it, then the tag, the access entries and its entry \
                 in LeavingClusters, if there is one"
                    .to_owned(),
            ),
            Life::Leaving => Some("wait until nothing is left".to_owned()),
            Life::NotRegistered => Some(format!(
                "nothing of it is changed or removed, and it is billed. If the cluster belongs here, tag it again. If it \
                 is to go: aws eks tag-resource --resource-arn {id} --tags trellis:registered=leaving (the key of your \
                 ClusterTag). If EKS has it no more: deploy the stack with {id} in LeavingClusters"
            )),
        };
        Self { state, why, not_served: vec![], has, advice }
    }
}

impl Display for Holdings {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { services, target_groups, usd_a_month } = self;
        write!(f, "{services} services, {target_groups} target groups, {usd_a_month:.2} USD a month")
    }
}

impl Display for Life {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Registered => "registered",
            Self::Unknown => "unknown",
            Self::Leaving => "leaving",
            Self::NotRegistered => "not registered",
        })
    }
}

/// One line for each cluster, then one for each thing that a person should know.
impl Display for DriftReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (id, cluster) in &self.clusters {
            let ClusterReport { state, why, not_served, has, advice } = cluster;
            write!(f, "{id}: {state}")?;
            if let Some(why) = why {
                write!(f, " ({why})")?;
            }
            let verb = if *state == Life::Leaving { "left" } else { "has" };
            write!(f, "; {verb}: {has}")?;
            if !not_served.is_empty() {
                let kinds: Vec<&str> = not_served.iter().map(|kind| kind.as_str()).collect();
                write!(f, "; does not serve {}", kinds.join(", "))?;
            }
            if let Some(advice) = advice {
                write!(f, "; {advice}")?;
            }
            writeln!(f)?;
        }
        for (unit, what) in &self.orphans {
            writeln!(f, "{unit}: nobody asks for it; {what}")?;
        }
        for one in &self.drifted {
            writeln!(
                f,
                "{}: differs; {}",
                one.unit,
                one.steps.iter().chain(&one.statuses).cloned().collect::<Vec<_>>().join("; ")
            )?;
            if !one.withheld.is_empty() {
                writeln!(f, "{}: its mode withholds {}", one.unit, one.withheld.join("; "))?;
            }
        }
        for (unit, why) in &self.failed {
            writeln!(f, "{unit}: could not be looked at: {why}")?;
        }
        if let Some(uri) = &self.directory {
            writeln!(f, "the service directory is at {uri}")?;
        }
        for what in &self.left_out {
            writeln!(f, "no time for {what}; the next pass does it")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_ports::Owned;

    fn id(name: &str) -> ClusterId {
        format!("arn:aws:eks:us-west-2:123456789012:cluster/{name}").parse().unwrap()
    }

    fn index() -> Index {
        let mut index = Index::default();
        for (cluster, route, kind) in [
            ("gone", "a", ResourceKind::Service),
            ("gone", "a", ResourceKind::Rule),
            ("gone", "a", ResourceKind::TargetGroup),
            ("gone", "b", ResourceKind::Service),
            ("leaves", "a", ResourceKind::TargetGroup),
        ] {
            let unit: trellis_hint::UnitKey =
                format!("route/123456789012/us-west-2/HTTPRoute/{cluster}/default/{route}").parse().unwrap();
            let (hash, key) = (unit.hash(), unit.to_string());
            index.take(Owned { arn: "arn".into(), kind, unit: hash, key, service: None });
        }
        index
    }

    #[test]
    fn the_report_in_words_tells_each_cluster_by_its_state_with_its_cost_and_what_to_do() {
        let index = index();
        let cluster = |name: &str, state, why: Option<&str>| {
            let report = ClusterReport::new(&id(name), state, why.map(str::to_owned), &index);
            (id(name).to_string(), report)
        };
        let mut report = DriftReport::default();
        report.clusters.extend([
            cluster("one", Life::Registered, None),
            cluster("two", Life::Unknown, Some("403 Forbidden")),
            cluster("leaves", Life::Leaving, None),
            cluster("left", Life::Leaving, None),
            cluster("gone", Life::NotRegistered, None),
        ]);
        let text = report.to_string();
        let line = |name: &str| {
            let start = format!("{}: ", id(name));
            text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
        };
        assert_eq!(line("one"), "registered; has: 0 services, 0 target groups, 0.00 USD a month");
        assert!(line("two").starts_with("unknown (403 Forbidden); has: 0 services"), "{}", line("two"));
        assert_eq!(
            line("leaves"),
            "leaving; left: 0 services, 1 target groups, 0.00 USD a month; wait until nothing is left"
        );
        assert!(line("left").contains("nothing is left: delete the webhook's overlay"), "{}", line("left"));
        assert!(
            line("gone").starts_with("not registered; has: 2 services, 1 target groups, 36.50 USD a month; "),
            "{}",
            line("gone")
        );
        assert!(
            line("gone")
                .contains("tag-resource --resource-arn arn:aws:eks:us-west-2:123456789012:cluster/gone")
        );
    }

    #[test]
    fn the_report_as_json_has_the_same() {
        let mut report = DriftReport::default();
        let gone = ClusterReport::new(&id("gone"), Life::NotRegistered, None, &index());
        report.clusters.insert(id("gone").to_string(), gone);
        let json = serde_json::to_value(&report).unwrap();
        let cluster = &json["clusters"][id("gone").to_string()];
        assert_eq!(cluster["state"], "notRegistered");
        assert_eq!(cluster["has"]["services"], 2);
        assert_eq!(cluster["has"]["usdAMonth"], 36.5);
        assert!(cluster["advice"].as_str().unwrap().contains("LeavingClusters"));
    }
}
