//! Whose a resource is, and what there is of ours.

use crate::harness::{Emulator, Pass, converge, inspect, pass, pass_after_a_conflict};
use crate::wishes::{VPC, allowing, export, gateway, route};
use serde_json::json;
use std::collections::BTreeSet;
use trellis_aws::{LatticeClient, OwnedResource};
use trellis_lattice::{
    Blocked, Desired, Grace, Ownership, ResourceKind, Step, TAG_USER, Tags, user_tags_mark,
};

use ResourceKind::{Listener, Rule, Service, ServiceAssociation, TargetGroup, VpcAssociation};

/// What bears the owner's tag, as the index shows it.
async fn owned(lattice: &LatticeClient) -> Vec<OwnedResource> {
    let mut owned = vec![];
    lattice.owned("trellis", None, |resource| owned.push(resource)).await.unwrap();
    owned
}

#[tokio::test]
async fn everything_that_bears_our_tag_is_told_with_its_kind_in_one_call_and_nothing_else() {
    let emulator = Emulator::instant();
    let stranger = emulator.stranger().await;
    stranger.create_service_network().name("my-hotel").send().await.unwrap();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &allowing(gateway(&[VPC]))).await;
    let wish = allowing(route(&["/a", "/b"], 1));
    converge(&emulator, &lattice, &wish).await;
    emulator.reset_calls();
    let owned = owned(&lattice).await;
    assert_eq!(
        emulator.all_calls().into_iter().collect::<Vec<_>>(),
        [("tagging:GetResources".to_owned(), 1)]
    );
    let mut kinds: Vec<ResourceKind> = owned.iter().map(|resource| resource.kind).collect();
    kinds.sort();
    let expected = [VpcAssociation, Service, ServiceAssociation, Listener, Rule, Rule, TargetGroup];
    assert_eq!(kinds, expected, "the network is a stranger's");
    let of_route = owned.iter().filter(|resource| wish.owner.of(&resource.tags) == Ownership::Ours);
    assert_eq!(of_route.count(), 6);
}

#[tokio::test]
async fn a_network_that_others_made_is_joined_only_where_that_is_allowed() {
    let emulator = Emulator::instant();
    let stranger = emulator.stranger().await;
    stranger.create_service_network().name("my-hotel").send().await.unwrap();
    let lattice = emulator.aws().await.lattice();
    for wish in [gateway(&[VPC]), route(&["/a"], 1)] {
        let refused = pass(&lattice, &wish).await;
        let blocked = &refused.applied.outcome.blocked[..];
        assert!(matches!(blocked, [Blocked::NetworkNotAllowed { .. }]), "{blocked:?}");
    }
    let state = emulator.state();
    assert_eq!(state["serviceNetworkVpcAssociations"], json!([]));
    assert_eq!(state["serviceNetworkServiceAssociations"], json!([]));
    converge(&emulator, &lattice, &allowing(gateway(&[VPC]))).await;
    converge(&emulator, &lattice, &allowing(route(&["/a"], 1))).await;
    // Once joined, taking the permission away takes no traffic away.
    let unchanged = pass(&lattice, &route(&["/a"], 1)).await;
    assert!(unchanged.plan.steps.is_empty(), "{}", unchanged.plan);
}

#[tokio::test]
async fn tags_that_a_person_has_taken_away_make_a_resource_a_strangers() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let wish = export(1);
    converge(&emulator, &lattice, &wish).await;
    let arn = inspect(&lattice, &wish).await.target_groups[0].arn.clone();
    let stranger = emulator.stranger().await;
    stranger.untag_resource().resource_arn(&arn).tag_keys(trellis_lattice::TAG_UNIT).send().await.unwrap();
    let unaware = emulator.aws().await.lattice();
    let blocked = pass_after_a_conflict(&unaware, &wish).await;
    assert!(matches!(blocked.plan.blocked[..], [Blocked::TargetGroupNameTaken { .. }]), "{:?}", blocked.plan);
    assert!(blocked.plan.steps.is_empty());
}

/// Many processes work for one installation, and each remembers tags for a while.
#[tokio::test]
async fn a_mark_that_another_process_has_set_is_seen_by_one_that_remembers_the_time_before() {
    let emulator = Emulator::instant();
    let (one, two) = (emulator.aws().await.lattice(), emulator.aws().await.lattice());
    let wish = allowing(route(&["/a"], 1));
    converge(&emulator, &one, &wish).await;
    converge(&emulator, &two, &wish).await;
    let nothing = |now| Desired {
        grace: Some(Grace { now, seconds: 20 }),
        ..allowing(Desired { services: vec![], target_groups: vec![], ..wish.clone() })
    };
    let marks = |pass: &Pass| pass.plan.steps.iter().filter(|step| matches!(step, Step::Tag(_))).count();
    let first = pass(&one, &nothing(1_000)).await;
    assert_eq!((marks(&first), first.plan.grace_left), (1, Some(20)), "{}", first.plan);
    let second = pass(&two, &nothing(1_007)).await;
    assert_eq!((second.plan.steps.len(), second.plan.grace_left), (0, Some(13)), "{}", second.plan);

    // It is wanted again, as one process knows and the other does not, and then once more nobody wants it.
    let wish = |now| Desired { grace: Some(Grace { now, seconds: 20 }), ..wish.clone() };
    let again = pass(&one, &wish(1_010)).await;
    assert_eq!(marks(&again), 1, "the mark goes: {}", again.plan);
    let third = pass(&two, &nothing(1_060)).await;
    assert_eq!((marks(&third), third.plan.grace_left), (1, Some(20)), "{}", third.plan);
}

/// Whoever wants a service takes its mark away, also if it remembers none.
#[tokio::test]
async fn a_mark_that_another_process_has_set_is_taken_away_by_one_that_remembers_none() {
    let emulator = Emulator::instant();
    let (one, two) = (emulator.aws().await.lattice(), emulator.aws().await.lattice());
    let wish = allowing(route(&["/a"], 1));
    converge(&emulator, &one, &wish).await;
    converge(&emulator, &two, &wish).await;
    let at = |now| Desired { grace: Some(Grace { now, seconds: 20 }), ..wish.clone() };
    pass(&one, &Desired { services: vec![], target_groups: vec![], ..at(1_000) }).await;
    let again = pass(&two, &at(1_010)).await;
    assert!(matches!(again.plan.steps[..], [Step::Tag(_)]), "{}", again.plan);
}

#[tokio::test]
async fn a_tag_that_a_user_asks_for_no_more_goes_and_a_persons_stays() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let with = |keys: &[&str]| {
        let asked: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let mut wish = allowing(route(&["/a"], 1));
        let tags = &mut wish.services[0].tags;
        tags.extend(asked.iter().map(|key| (key.clone(), "1".to_owned())));
        tags.insert(TAG_USER.to_owned(), user_tags_mark(&asked));
        wish
    };
    converge(&emulator, &lattice, &with(&["cost", "team"])).await;
    let arn = inspect(&lattice, &with(&[])).await.services[0].arn.clone();
    let stranger = emulator.stranger().await;
    stranger.tag_resource().resource_arn(&arn).tags("audit", "theirs").send().await.unwrap();
    let process = emulator.aws().await.lattice();
    converge(&emulator, &process, &with(&["cost"])).await;
    let tags = process.tags(&[arn.clone()].into()).await.unwrap().remove(&arn).unwrap();
    let keys: Vec<&str> =
        ["audit", "cost", "team"].into_iter().filter(|key| tags.contains_key(*key)).collect();
    assert_eq!(keys, ["audit", "cost"], "{tags:?}");
}

/// Of listeners, rules and associations the tags are read where they are to be changed, and not else.
#[tokio::test]
async fn tags_of_what_is_below_a_service_are_changed_in_place_and_cost_nothing_while_they_stay() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let with = |tags: &[(&str, &str)]| {
        let mut wish = allowing(route(&["/a", "/b"], 1));
        let asked: Vec<String> = tags.iter().map(|(key, _)| (*key).to_owned()).collect();
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        wish.services[0].tags.extend(tags);
        if !asked.is_empty() {
            wish.services[0].tags.insert(TAG_USER.to_owned(), user_tags_mark(&asked));
        }
        wish
    };
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &with(&[("cost", "1"), ("team", "a")])).await;
    let service = inspect(&lattice, &with(&[])).await.services[0].clone();
    let below: BTreeSet<String> = service.tagged_below().map(|(arn, ..)| arn.clone()).collect();
    assert_eq!(below.len(), 4, "a listener, two rules and an association");
    let stranger = emulator.stranger().await;
    for arn in &below {
        stranger.tag_resource().resource_arn(arn).tags("audit", "theirs").send().await.unwrap();
    }
    let edited = with(&[("team", "b"), ("env", "prod")]);
    let process = emulator.aws().await.lattice();
    converge(&emulator, &process, &edited).await;
    let shown = |tags: &Tags| -> Vec<String> {
        let keys = ["audit", "cost", "env", "team"].into_iter();
        keys.filter_map(|key| Some(format!("{key}={}", tags.get(key)?))).collect()
    };
    for (arn, tags) in emulator.aws().await.lattice().tags(&below).await.unwrap() {
        assert_eq!(shown(&tags), ["audit=theirs", "env=prod", "team=b"], "{arn}");
    }

    // One that has read nothing yet reads what it would of a service without such tags.
    let counted = async |wish: Desired| {
        let process = emulator.aws().await.lattice();
        let before = emulator.calls();
        inspect(&process, &wish).await;
        let after = emulator.calls();
        after.values().sum::<u64>() - before.values().sum::<u64>()
    };
    let settled = counted(edited).await;
    converge(&emulator, &emulator.aws().await.lattice(), &with(&[])).await;
    for (arn, tags) in emulator.aws().await.lattice().tags(&below).await.unwrap() {
        assert_eq!(shown(&tags), ["audit=theirs"], "{arn}");
        assert!(!tags.contains_key(TAG_USER), "{arn}");
    }
    assert_eq!(settled, counted(with(&[])).await);
}
