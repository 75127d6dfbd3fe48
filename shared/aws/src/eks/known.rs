//! What is known of the registered clusters, how old it is, and what is to be asked next. No calls are made here.

use super::registry::{Access, Membership, RegisteredCluster, Registry, Unusable};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};
use trellis_hint::ClusterId;

/// How long a search for registered clusters is good. Registering is a person's act; a minute is no wait.
const LISTING_AGE_MAX: Duration = Duration::from_mins(1);
/// When to search again after a search that failed: units of one invocation then share one failure.
const LISTING_RETRY_AFTER: Duration = Duration::from_secs(15);
/// How long a description is good. Endpoint and VPC never change; a CA bundle has both certificates during a rotation,
/// and a cluster that shows another one is described anew at once.
const DESCRIPTION_AGE_MAX: Duration = Duration::from_mins(10);
/// How long after a description a cluster is not described again, whatever is wrong with it: EKS throttles
/// DescribeCluster for the whole account.
const DESCRIBE_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What is known. Bounded by the clusters that the last good search found.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// When a search was last begun.
    searched: Option<SystemTime>,
    /// When the last good search was begun.
    found_at: Option<SystemTime>,
    /// What it found.
    clusters: BTreeMap<ClusterId, Found>,
}

#[derive(Debug)]
struct Found {
    membership: Membership,
    /// When it was last asked to be described.
    asked: Option<SystemTime>,
    /// The last description that could be used, and when it was asked for.
    access: Option<(SystemTime, Access)>,
    /// Why there is none, or why the last try gave no better one.
    why: Option<String>,
}

/// How a try to describe a cluster ended.
#[derive(Debug)]
pub(super) enum Description {
    /// It can be asked.
    Usable(Access),
    /// EKS says that it cannot be asked, or that it does not exist.
    Unusable(String),
    /// EKS has not told: what was known stays.
    Untold(String),
}

fn is_younger(than: Duration, at: Option<SystemTime>, now: SystemTime) -> bool {
    at.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < than))
}

impl Known {
    /// Whether clusters must be searched for; notes that it is done now.
    pub(super) fn must_search(&mut self, now: SystemTime) -> bool {
        if is_younger(LISTING_AGE_MAX, self.found_at, now)
            || (self.found_at != self.searched && is_younger(LISTING_RETRY_AFTER, self.searched, now))
        {
            return false;
        }
        self.searched = Some(now);
        true
    }

    /// Notes what the search that began at this time has found.
    pub(super) fn found(&mut self, now: SystemTime, clusters: BTreeMap<ClusterId, Membership>) {
        self.found_at = Some(now);
        self.clusters.retain(|id, _| clusters.contains_key(id));
        for (id, membership) in clusters {
            match self.clusters.entry(id) {
                Entry::Occupied(known) => known.into_mut().membership = membership,
                Entry::Vacant(new) => {
                    new.insert(Found { membership, asked: None, access: None, why: None });
                }
            }
        }
    }

    /// How old the last good search is; none if there was none.
    pub(super) fn age(&self, now: SystemTime) -> Option<Duration> {
        self.found_at.map(|at| now.duration_since(at).unwrap_or_default())
    }

    /// The clusters to be described now; notes that it is done. `again` are clusters whose description has proved wrong;
    /// those that have to wait are left in it.
    pub(super) fn due(&mut self, now: SystemTime, again: &mut BTreeSet<ClusterId>) -> Vec<ClusterId> {
        again.retain(|id| self.clusters.contains_key(id));
        let mut due = vec![];
        for (id, known) in &mut self.clusters {
            let at = known.access.as_ref().map(|(at, _)| *at);
            let is_good = is_younger(DESCRIPTION_AGE_MAX, at, now) && !again.contains(id);
            if is_good || is_younger(DESCRIBE_AGAIN_AFTER, known.asked, now) {
                continue;
            }
            known.asked = Some(now);
            again.remove(id);
            due.push(id.clone());
        }
        due
    }

    /// Notes how a description ended that was asked for at this time.
    pub(super) fn described(&mut self, now: SystemTime, id: &ClusterId, description: Description) {
        let Some(known) = self.clusters.get_mut(id) else { return };
        match description {
            Description::Usable(access) => {
                known.access = Some((now, access));
                known.why = None;
            }
            Description::Unusable(why) => {
                known.access = None;
                known.why = Some(why);
            }
            Description::Untold(why) => known.why = Some(why),
        }
    }

    /// All that is known, for those who ask clusters.
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        for (id, known) in &self.clusters {
            let (id, membership) = (id.clone(), known.membership.clone());
            if let Some((_, access)) = known.access.clone() {
                let Access { endpoint, ca_pem, vpc, subnets, security_group, ip_family } = access;
                let of = id.clone();
                let cluster = RegisteredCluster {
                    id: of,
                    membership,
                    endpoint,
                    ca_pem,
                    vpc,
                    subnets,
                    security_group,
                    ip_family,
                };
                registry.clusters.insert(id, cluster);
            } else {
                let why = known.why.clone().unwrap_or_else(|| "EKS has not described it in time".to_owned());
                registry.unusable.push(Unusable { id, membership, why });
            }
        }
        registry.unusable.sort();
        registry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registration;

    struct World {
        known: Known,
        now: SystemTime,
    }

    fn id(name: &str) -> ClusterId {
        format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}").parse().unwrap()
    }

    fn usable(vpc: &str) -> Description {
        let endpoint = "https://example.invalid".to_owned();
        Description::Usable(Access {
            endpoint,
            ca_pem: vec![],
            vpc: vpc.to_owned(),
            subnets: BTreeSet::new(),
            security_group: None,
            ip_family: None,
        })
    }

    impl World {
        /// A search that has found clusters of these names.
        fn of(names: &[&str]) -> Self {
            let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
            let mut world = Self { known: Known::default(), now };
            assert!(world.known.must_search(now));
            world.find(names);
            world
        }

        fn find(&mut self, names: &[&str]) {
            let membership = Membership {
                registration: Registration::Registered,
                cluster_set: String::new(),
                mode: trellis_lattice::Mode::Sync,
            };
            let found = |name: &&str| (id(name), membership.clone());
            self.known.found(self.now, names.iter().map(found).collect());
        }

        fn pass(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }

        fn due(&mut self, again: &[&str]) -> Vec<String> {
            let mut again = again.iter().map(|name| id(name)).collect();
            self.known.due(self.now, &mut again).into_iter().map(|id| id.name).collect()
        }

        fn describe(&mut self, name: &str, description: Description) {
            self.known.described(self.now, &id(name), description);
        }
    }

    #[test]
    fn clusters_are_searched_for_once_a_minute_and_after_a_failure_once_in_15_seconds() {
        let mut world = World::of(&["one"]);
        world.pass(59);
        assert!(!world.known.must_search(world.now));
        world.pass(1);
        assert!(world.known.must_search(world.now), "a minute is over");
        // That search fails: nobody calls `found`.
        world.pass(14);
        assert!(!world.known.must_search(world.now));
        assert_eq!(world.known.age(world.now), Some(Duration::from_secs(74)));
        assert_eq!(world.known.registry().unusable.len(), 1, "what was found still counts");
        world.pass(1);
        assert!(world.known.must_search(world.now));
    }

    #[test]
    fn a_description_is_good_for_ten_minutes_and_an_unusable_cluster_is_asked_every_half_minute() {
        let mut world = World::of(&["one", "two"]);
        assert_eq!(world.due(&[]), ["one", "two"]);
        world.describe("one", usable("vpc-1"));
        world.describe("two", Description::Unusable("its status is CREATING".into()));
        world.pass(29);
        assert!(world.due(&[]).is_empty());
        world.pass(1);
        assert_eq!(world.due(&[]), ["two"]);
        world.describe("two", usable("vpc-2"));
        world.pass(569);
        assert!(world.due(&[]).is_empty());
        world.pass(1);
        assert_eq!(world.due(&[]), ["one"]);
    }

    #[test]
    fn what_has_proved_wrong_is_described_again_but_not_more_often_than_every_half_minute() {
        let mut world = World::of(&["one"]);
        world.due(&[]);
        world.describe("one", usable("vpc-1"));
        let mut again = BTreeSet::from([id("one"), id("nobody")]);
        world.pass(10);
        assert!(world.known.due(world.now, &mut again).is_empty());
        assert_eq!(again, BTreeSet::from([id("one")]), "it waits, and who is not registered is forgotten");
        world.pass(20);
        assert_eq!(world.known.due(world.now, &mut again), [id("one")]);
        assert!(again.is_empty());
    }

    #[test]
    fn a_failed_description_leaves_what_was_known_and_costs_no_other_cluster() {
        let mut world = World::of(&["one", "two"]);
        world.due(&[]);
        world.describe("one", usable("vpc-1"));
        world.describe("two", Description::Untold("DescribeCluster: throttled".into()));
        let registry = world.known.registry();
        assert_eq!(registry.clusters[&id("one")].vpc, "vpc-1");
        assert_eq!(registry.unusable[0].id, id("two"));
        assert_eq!(registry.unusable[0].why, "DescribeCluster: throttled");
        world.pass(600);
        world.due(&[]);
        world.describe("one", Description::Untold("DescribeCluster: throttled".into()));
        assert_eq!(world.known.registry().clusters[&id("one")].vpc, "vpc-1", "the last good one serves");
        world.describe("one", Description::Unusable("its status is DELETING".into()));
        assert!(world.known.registry().clusters.is_empty(), "EKS itself says otherwise");
    }

    #[test]
    fn who_is_no_longer_found_is_forgotten_and_who_was_not_described_in_time_is_named() {
        let mut world = World::of(&["one", "two"]);
        world.due(&[]);
        world.describe("one", usable("vpc-1"));
        assert_eq!(world.known.registry().unusable[0].why, "EKS has not described it in time");
        world.find(&["two"]);
        let registry = world.known.registry();
        assert!(registry.clusters.is_empty());
        assert_eq!(registry.unusable.len(), 1);
    }

    #[test]
    fn a_clock_that_goes_back_makes_everything_old() {
        let mut world = World::of(&["one"]);
        world.due(&[]);
        world.describe("one", usable("vpc-1"));
        world.now -= Duration::from_hours(1);
        assert!(world.known.must_search(world.now));
        assert_eq!(world.due(&[]), ["one"]);
        assert_eq!(world.known.age(world.now), Some(Duration::ZERO));
    }
}
