//! What registers a cluster and what takes that away, over clusters that no local stand-in has.

#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use trellis_cli::installation::found::{Association, Cluster, Entry, Installation, Named};
use trellis_cli::installation::leaving::{Has, Said, Told};
use trellis_cli::installation::steps::{GROUP, LEAVING, Step, registering, removing};
use trellis_cli::installation::tested;
use trellis_gateway::Code;

fn named() -> Named {
    Named {
        stack: "trellis".into(),
        cluster: "one".into(),
        namespace: "trellis-system".into(),
        service_account: "trellis-webhook".into(),
        has_own_webhook_role: false,
        flags: String::new(),
    }
}

fn installation() -> Installation {
    Installation {
        status: "UPDATE_COMPLETE".into(),
        owner: "trellis".into(),
        tag: ("trellis:registered".into(), "true".into()),
        reconciler_role: "arn:aws:iam::111122223333:role/reconciler".into(),
        drift_role: "arn:aws:iam::111122223333:role/drift".into(),
        webhook_role: "arn:aws:iam::111122223333:role/webhook".into(),
        queue_url: "https://sqs.us-east-1.amazonaws.com/111122223333/trellis.fifo".into(),
        dead_letters_url: "https://sqs.us-east-1.amazonaws.com/111122223333/trellis-dead.fifo".into(),
        drift_function: "trellis-drift".into(),
        grace_seconds: 20,
    }
}

fn bare() -> Cluster {
    Cluster {
        arn: "arn:aws:eks:us-east-1:111122223333:cluster/one".into(),
        status: "ACTIVE".into(),
        authentication: "API".into(),
        ..Cluster::default()
    }
}

/// What a cluster is after a step, as EKS has it.
fn after(mut cluster: Cluster, step: &Step, owner: &str) -> Cluster {
    let tags = BTreeMap::from([("trellis:owner".to_owned(), owner.to_owned())]);
    match step.clone() {
        Step::Grant { role } => {
            cluster.entries.insert(role, Entry { groups: BTreeSet::from([GROUP.to_owned()]), tags });
        }
        Step::AddAgent => cluster.agent = Some("CREATING".into()),
        Step::Associate { role } => {
            let (id, namespace) = ("a-9".into(), named().namespace);
            cluster.associations.push(Association { id, namespace, role, tags });
        }
        Step::Tag { key, value } => {
            cluster.tags.insert(key, value);
        }
        Step::Revoke { role } => {
            cluster.entries.remove(&role);
        }
        Step::Dissociate { id } => cluster.associations.retain(|one| one.id != id),
        Step::Untag { key } => {
            cluster.tags.remove(&key);
        }
    }
    cluster
}

fn codes(cluster: &Cluster) -> Vec<Code> {
    registering(&named(), &installation(), cluster).findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_cluster_in_auto_mode_has_the_agent_in_it() {
    let auto = Cluster { is_auto: true, ..bare() };
    assert!(registering(&named(), &installation(), &bare()).steps.contains(&Step::AddAgent));
    assert!(!registering(&named(), &installation(), &auto).steps.contains(&Step::AddAgent));
}

#[test]
fn a_webhook_with_a_role_of_its_own_gets_none_by_pod_identity() {
    let named = Named { has_own_webhook_role: true, ..named() };
    let steps = registering(&named, &installation(), &bare()).steps;
    assert!(matches!(&steps[..], [Step::Grant { .. }, Step::Grant { .. }, Step::Tag { .. }]), "{steps:?}");
}

#[test]
fn what_cannot_be_registered_is_told_with_what_helps() {
    let old = Cluster { authentication: "CONFIG_MAP".into(), ..bare() };
    assert_eq!(codes(&old), [Code::AuthenticationMode]);
    assert_eq!(codes(&Cluster { status: "CREATING".into(), ..bare() }), [Code::ClusterNotReady]);
    assert_eq!(codes(&Cluster { agent: Some("DEGRADED".into()), ..bare() }), [Code::AgentNotReady]);
    let broken = Installation { status: "UPDATE_ROLLBACK_FAILED".into(), ..installation() };
    let found = registering(&named(), &broken, &bare()).findings;
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::StackNotReady]);
}

#[test]
fn a_tag_with_characters_that_a_shell_or_the_cli_reads_goes_as_it_is() {
    let step = Step::Tag { key: "team".into(), value: "a,b={c} 'd'".into() };
    let command = step.command(&named(), "arn", "trellis");
    let tags: BTreeMap<String, String> = serde_json::from_str(command.last().unwrap()).unwrap();
    assert_eq!(tags, BTreeMap::from([("team".to_owned(), "a,b={c} 'd'".to_owned())]));
}

#[test]
fn a_cluster_is_drained_only_where_the_functions_know_that_it_leaves() {
    let told = |state: &str, services, shared: &[&str]| {
        let has = Has { services, target_groups: 0 };
        let shared = shared.iter().map(|unit| (*unit).to_owned()).collect();
        Told { cluster: Some(Said { state: state.into(), has, ..Said::default() }), shared }
    };
    assert_eq!(told(LEAVING, 0, &[]).left(), None);
    assert!(told(LEAVING, 1, &[]).left().is_some());
    assert!(told("registered", 0, &[]).left().is_some() && told("unknown", 0, &[]).left().is_some());
    // The association of its VPC belongs to a network, which no cluster is counted for.
    assert!(told(LEAVING, 0, &["gateway/111122223333/us-east-1/my-hotel"]).left().is_some());
    assert!(
        Told::default().left().is_some(),
        "of a cluster that the functions do not know nothing is believed"
    );
}

#[test]
fn an_answer_without_what_a_report_has_is_none() {
    let read = |text: &str| serde_json::from_str::<Said>(text);
    assert!(read(r#"{"state": "leaving", "has": {"services": 0, "targetGroups": 0}}"#).is_ok());
    assert!(read(r#"{"state": "leaving"}"#).is_err() && read(r#"{"state": "leaving", "has": {}}"#).is_err());
}

#[test]
fn the_cluster_of_another_installation_is_neither_registered_nor_taken_out() {
    let tags = BTreeMap::from([("trellis:registered".to_owned(), "staging".to_owned())]);
    let cluster = Cluster { tags, ..bare() };
    assert_eq!(codes(&cluster), [Code::RegisteredElsewhere]);
    assert_eq!(removing(&named(), &installation(), &cluster).steps, []);
}

#[test]
fn what_was_made_for_another_namespace_is_removed_too_if_it_is_ours() {
    let of = |namespace: &str, owner: &str| Association {
        id: format!("a-{namespace}"),
        namespace: namespace.into(),
        role: installation().webhook_role,
        tags: BTreeMap::from([("trellis:owner".to_owned(), owner.to_owned())]),
    };
    let associations = vec![of("before", "trellis"), of("others", "another")];
    let doing = removing(&named(), &installation(), &Cluster { associations, ..bare() });
    assert_eq!(doing.steps, [Step::Dissociate { id: "a-before".into() }]);
    assert_eq!(doing.findings, []);
}

#[test]
fn remedies_mean_the_same_account_and_keep_other_groups() {
    let named = Named { flags: " --region eu-west-1 --profile p".into(), ..named() };
    let entry = Entry { groups: BTreeSet::from(["viewers".to_owned()]), ..Entry::default() };
    let entries = BTreeMap::from([(installation().drift_role, entry)]);
    let findings = registering(&named, &installation(), &Cluster { entries, ..bare() }).findings;
    let text = &findings[0].message;
    assert!(text.contains("--cluster-name one --region eu-west-1 --profile p"), "{text}");
    assert!(text.ends_with("--kubernetes-groups viewers trellis-reconcilers."), "{text}");
    assert_eq!(
        named.trellis("check"),
        "trellis check one --stack trellis --namespace trellis-system --region eu-west-1 --profile p"
    );
}

fn clusters() -> impl Strategy<Value = Cluster> {
    let roles = [installation().reconciler_role, installation().drift_role];
    let owners = || prop_oneof![Just(None), Just(Some("trellis")), Just(Some("another"))];
    let tags = |owner: Option<&str>| {
        owner
            .map(|owner| ("trellis:owner".to_owned(), owner.to_owned()))
            .into_iter()
            .collect::<BTreeMap<_, _>>()
    };
    let entry = (any::<bool>(), owners()).prop_map(move |(has_group, owner)| Entry {
        groups: has_group.then(|| GROUP.to_owned()).into_iter().collect(),
        tags: tags(owner),
    });
    let roles_given = || prop_oneof![Just(installation().webhook_role), Just("arn:other".to_owned())];
    let association = |namespace: &'static str| {
        (roles_given(), owners()).prop_map(move |(role, owner)| Association {
            id: format!("a-{namespace}"),
            namespace: namespace.to_owned(),
            role,
            tags: tags(owner),
        })
    };
    let associations =
        (proptest::option::of(association("trellis-system")), proptest::option::of(association("before")));
    let registered = prop_oneof![Just(None), Just(Some("true")), Just(Some(LEAVING)), Just(Some("false"))];
    (
        proptest::collection::btree_map(proptest::sample::select(roles.to_vec()), entry, 0..=2),
        associations,
        proptest::option::of(Just("ACTIVE".to_owned())),
        registered,
    )
        .prop_map(|(entries, associations, agent, registered)| Cluster {
            entries,
            associations: associations.0.into_iter().chain(associations.1).collect(),
            agent,
            tags: registered
                .map(|value| ("trellis:registered".to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            ..bare()
        })
}

proptest! {
    /// Done once there is nothing more to do, whatever was there; `check` then finds what `register` has left to a person, and no more.
    #[test]
    fn registering_comes_to_an_end_and_check_agrees_with_it(cluster in clusters()) {
        let (named, of) = (named(), installation());
        let doing = registering(&named, &of, &cluster);
        let done = doing.steps.iter().fold(cluster.clone(), |cluster, step| after(cluster, step, &of.owner));
        let again = registering(&named, &of, &done);
        prop_assert_eq!(&again.steps, &vec![]);
        prop_assert_eq!(&again.findings, &doing.findings);
        prop_assert_eq!(tested::of_cluster(&named, &of, &done), again.findings);
        let found = tested::of_cluster(&named, &of, &cluster);
        prop_assert_eq!(found.len(), doing.steps.len() + doing.findings.len());
        // The tag is last: who reads the cluster can read it by then.
        let tag = doing.steps.iter().position(|step| matches!(step, Step::Tag { .. }));
        prop_assert!(tag.is_none_or(|at| at + 1 == doing.steps.len()));
    }

    /// What is taken away is ours by its tag, and what stays is told.
    #[test]
    fn nothing_is_removed_that_does_not_bear_the_tag(cluster in clusters()) {
        let (named, of) = (named(), installation());
        let doing = removing(&named, &of, &cluster);
        let ours = |tags: &BTreeMap<String, String>| tags.get("trellis:owner") == Some(&of.owner);
        for step in &doing.steps {
            let is_right = match step {
                Step::Revoke { role } => ours(&cluster.entries[role].tags),
                Step::Dissociate { id } => cluster.associations.iter().any(|one| one.id == *id && ours(&one.tags)),
                Step::Untag { key } => *key == of.tag.0,
                _ => false,
            };
            prop_assert!(is_right, "{}", step);
        }
        let left = doing.steps.iter().fold(cluster, |cluster, step| after(cluster, step, &of.owner));
        let own = left.associations.iter().filter(|one| one.namespace == named.namespace).count();
        prop_assert_eq!(doing.findings.len(), left.entries.len() + own);
        // A tag of another value is another installation's.
        prop_assert!(left.tags.values().all(|value| value == "false"));
    }
}
