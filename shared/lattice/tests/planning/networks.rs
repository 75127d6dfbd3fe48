use crate::support::{
    VPC, assert_in_order, gateway, made, made_but, network, owner, planned, vpc_association,
};
use trellis_lattice::{Actual, ActualNetwork, Desired, Ownership, Status};

#[test]
fn a_gateway_gets_a_network_and_its_vpcs_are_associated_with_it() {
    assert_eq!(
        planned(&gateway(&["vpc-2", "vpc-1"]), &Actual::default()),
        "+ service network net\n\
         + VPC association net vpc-1\n\
         + VPC association net vpc-2\n\
         … wait for VPC association net vpc-1\n\
         … wait for VPC association net vpc-2\n"
    );
}

#[test]
fn what_is_as_wanted_needs_nothing() {
    assert_eq!(planned(&gateway(&[VPC]), &made(&gateway(&[VPC]))), "");
}

#[test]
fn a_network_of_others_is_used_where_its_name_or_arn_is_allowed_and_else_told() {
    let actual = Actual { networks: vec![network("net", Ownership::Foreign)], ..Actual::default() };
    assert_eq!(
        planned(&gateway(&[VPC]), &actual),
        "! service network net (arn:sn-net) is not this installation's, and its use is not allowed\n"
    );
    for allowed in ["net", "arn:sn-net"] {
        let desired = Desired { allowed_networks: [allowed.to_owned()].into(), ..gateway(&[VPC]) };
        assert_eq!(
            planned(&desired, &actual),
            "+ VPC association net vpc-1\n… wait for VPC association net vpc-1\n"
        );
    }
}

#[test]
fn what_is_associated_with_a_network_that_is_not_allowed_any_more_stays() {
    let actual = Actual {
        networks: vec![network("net", Ownership::Foreign)],
        vpc_associations: vec![vpc_association("net", Status::Active, Ownership::Ours)],
        ..Actual::default()
    };
    let text = planned(&gateway(&[VPC]), &actual);
    assert!(text.starts_with("! service network net") && text.lines().count() == 1, "{text}");
}

#[test]
fn a_network_of_others_outlives_the_gateway_and_only_our_association_goes() {
    let actual = Actual {
        networks: vec![network("net", Ownership::Foreign)],
        vpc_associations: vec![
            vpc_association("net", Status::Active, Ownership::Ours),
            trellis_lattice::ActualVpcAssociation {
                vpc: "vpc-2".into(),
                id: "snva-2".into(),
                ..vpc_association("net", Status::Active, Ownership::Foreign)
            },
        ],
        ..Actual::default()
    };
    assert_eq!(planned(&Desired::nothing(owner()), &actual), "- VPC association net vpc-1\n");
}

#[test]
fn our_network_goes_once_the_vpc_is_off_it() {
    assert_eq!(
        planned(&Desired::nothing(owner()), &made(&gateway(&[VPC]))),
        "- VPC association net vpc-1\n\
         … wait until VPC association net vpc-1 is gone\n\
         - service network net\n"
    );
}

#[test]
fn a_vpc_that_is_associated_elsewhere_is_reported_and_left_alone() {
    let actual = Actual {
        networks: vec![network("net", Ownership::Ours)],
        vpc_associations: vec![vpc_association("their-net", Status::Active, Ownership::Foreign)],
        ..Actual::default()
    };
    assert_eq!(
        planned(&gateway(&[VPC]), &actual),
        "! VPC vpc-1 is associated with service network their-net, and can be with one only\n"
    );
}

#[test]
fn an_association_of_others_with_the_wanted_network_is_good_enough() {
    let actual = Actual {
        networks: vec![network("net", Ownership::Ours)],
        vpc_associations: vec![vpc_association("net", Status::Active, Ownership::Unread)],
        ..Actual::default()
    };
    assert_eq!(planned(&gateway(&[VPC]), &actual), "");
}

#[test]
fn an_association_that_is_being_deleted_is_awaited_and_made_again() {
    let mut actual = made(&gateway(&[VPC]));
    actual.vpc_associations[0].status = Status::DeleteInProgress;
    assert_eq!(
        planned(&gateway(&[VPC]), &actual),
        "… wait until VPC association net vpc-1 is gone\n\
         + VPC association net vpc-1\n\
         … wait for VPC association net vpc-1\n"
    );
}

#[test]
fn a_slow_end_of_one_association_does_not_hold_up_the_start_of_another() {
    let mut actual = made(&gateway(&[VPC]));
    actual.vpc_associations[0].status = Status::DeleteInProgress;
    let text = planned(&gateway(&[VPC, "vpc-2"]), &actual);
    assert!(text.starts_with("+ VPC association net vpc-2\n… wait until"), "{text}");
}

#[test]
fn a_failed_association_is_deleted_and_made_again() {
    let mut actual = made(&gateway(&[VPC]));
    actual.vpc_associations[0].status = Status::CreateFailed;
    assert_eq!(
        planned(&gateway(&[VPC]), &actual),
        "- VPC association net vpc-1\n\
         … wait until VPC association net vpc-1 is gone\n\
         + VPC association net vpc-1\n\
         … wait for VPC association net vpc-1\n"
    );
}

#[test]
fn a_failed_association_of_others_is_only_waited_for() {
    let mut actual = made(&gateway(&[VPC]));
    actual.vpc_associations[0].status = Status::CreateFailed;
    actual.vpc_associations[0].ownership = Ownership::Foreign;
    assert_eq!(planned(&gateway(&[VPC]), &actual), "… wait for VPC association net vpc-1\n");
}

#[test]
fn security_groups_are_changed_in_place() {
    let mut desired = gateway(&[VPC]);
    desired.vpc_associations[0].security_groups = ["sg-1".to_owned()].into();
    assert_eq!(
        planned(&desired, &made(&gateway(&[VPC]))),
        "~ VPC association of vpc-1 sg-1\n… wait for VPC association net vpc-1\n"
    );
}

#[test]
fn security_groups_are_changed_once_a_change_under_way_is_over() {
    let mut desired = gateway(&[VPC]);
    desired.vpc_associations[0].security_groups = ["sg-1".to_owned()].into();
    let actual = made_but(&gateway(&[VPC]), |a| a.vpc_associations[0].status = Status::UpdateInProgress);
    assert_eq!(
        planned(&desired, &actual),
        "… wait for VPC association net vpc-1\n\
         ~ VPC association of vpc-1 sg-1\n\
         … wait for VPC association net vpc-1\n"
    );
}

#[test]
fn the_last_security_group_stays_and_that_is_said() {
    let mut before = gateway(&[VPC]);
    before.vpc_associations[0].security_groups = ["sg-1".to_owned()].into();
    let text = planned(&gateway(&[VPC]), &made(&before));
    assert!(text.starts_with("! the VPC association net vpc-1 keeps its security groups"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn security_groups_of_others_associations_are_not_ours_to_change() {
    let mut desired = gateway(&[VPC]);
    desired.vpc_associations[0].security_groups = ["sg-1".to_owned()].into();
    let actual = made_but(&gateway(&[VPC]), |a| a.vpc_associations[0].ownership = Ownership::Foreign);
    let text = planned(&desired, &actual);
    assert!(text.starts_with("! the VPC association net vpc-1") && text.lines().count() == 1, "{text}");
}

#[test]
fn two_networks_of_one_name_are_reported_and_nothing_is_associated() {
    let shared =
        trellis_lattice::ActualNetwork { id: "sn-shared".into(), ..network("net", Ownership::Foreign) };
    let actual = Actual { networks: vec![network("net", Ownership::Foreign), shared], ..Actual::default() };
    assert_eq!(planned(&gateway(&[VPC]), &actual), "! several service networks are named net\n");
}

#[test]
fn of_networks_of_one_name_ours_is_meant_then_what_is_allowed_by_arn_or_id_then_by_name() {
    let called = |id: &str, ownership| ActualNetwork {
        id: id.into(),
        arn: format!("arn:aws:vpc-lattice:us-west-2:111122223333:servicenetwork/{id}"),
        ..network("net", ownership)
    };
    let (ours, first, second) = (
        called("sn-0", Ownership::Ours),
        called("sn-1", Ownership::Foreign),
        called("sn-2", Ownership::Unread),
    );
    let meant = |allowed: &[&str], networks: &[&ActualNetwork]| -> Vec<String> {
        let allowed_networks = allowed.iter().map(|one| (*one).to_owned()).collect();
        let desired = Desired { allowed_networks, ..gateway(&[]) };
        let networks: Vec<ActualNetwork> = networks.iter().map(|one| (*one).clone()).collect();
        desired.meant(&networks).into_iter().map(|one| one.id).collect()
    };
    assert_eq!(meant(&[&second.arn], &[&first, &ours, &second]), ["sn-0"]);
    assert_eq!(meant(&["net", "sn-2"], &[&first, &second]), ["sn-2"]);
    assert_eq!(meant(&[&first.arn], &[&first, &second]), ["sn-1"]);
    assert_eq!(meant(&["net"], &[&first, &second]), ["sn-1", "sn-2"]);
    assert_eq!(meant(&[], &[&first, &second]), ["sn-1", "sn-2"]);
}

/// Whoever shares a network may name it as another one's id.
#[test]
fn an_id_that_is_allowed_is_nobodys_name() {
    let id = "sn-0123456789abcdef0";
    let network = |arn: &str| ActualNetwork { arn: arn.into(), ..network(id, Ownership::Foreign) };
    let desired = Desired { allowed_networks: [id.to_owned()].into(), ..gateway(&[]) };
    let (meant, named_so) = (network(&format!("arn:x/{id}")), network("arn:x/sn-fedcba98765432100"));
    assert!(desired.may_use(&meant) && !desired.may_use(&named_so));
    assert_eq!(desired.meant(&[named_so, meant.clone()]), [meant]);
}

/// Another account may share it no more, or a listing lacks it.
#[test]
fn in_the_place_of_a_network_that_a_vpc_is_with_and_that_is_not_shown_none_is_made() {
    let actual = Actual { networks: vec![], ..made(&gateway(&[VPC])) };
    let text = planned(&gateway(&[VPC]), &actual);
    assert!(text.starts_with("! service network net is not shown"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    // Where the VPC is to go in any case, nothing is lost.
    assert!(planned(&gateway(&[]), &actual).contains("+ service network net"));
}

#[test]
fn no_network_is_made_by_an_id() {
    let mut desired = gateway(&[]);
    if let Some(network) = &mut desired.network {
        network.name = "sn-0123456789abcdef0".into();
    }
    let text = planned(&desired, &Actual::default());
    assert!(text.starts_with("! no service network with the id sn-0123456789abcdef0"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn of_a_wish_to_be_in_two_networks_the_first_holds() {
    let mut desired = gateway(&[VPC]);
    let second = trellis_lattice::DesiredVpcAssociation {
        network: "net-2".into(),
        ..desired.vpc_associations[0].clone()
    };
    desired.vpc_associations.push(second);
    let made = trellis_lattice::plan(&desired, &Actual::default(), &trellis_lattice::Limits::default());
    assert_in_order(
        &made.to_string(),
        &[
            "+ VPC association net vpc-1",
            "! VPC vpc-1 is associated with service network net, and can be with one only",
        ],
    );
}

#[test]
fn a_vpc_moves_from_a_network_of_ours_that_is_no_longer_wanted() {
    let actual = Actual {
        networks: vec![network("net", Ownership::Ours), network("old", Ownership::Ours)],
        vpc_associations: vec![vpc_association("old", Status::Active, Ownership::Ours)],
        ..Actual::default()
    };
    assert_eq!(
        planned(&gateway(&[VPC]), &actual),
        "- VPC association old vpc-1\n\
         … wait until VPC association old vpc-1 is gone\n\
         + VPC association net vpc-1\n\
         … wait for VPC association net vpc-1\n\
         - service network old\n"
    );
}

#[test]
fn an_association_in_the_making_is_awaited_before_it_is_deleted() {
    let actual = made_but(&gateway(&[VPC]), |a| a.vpc_associations[0].status = Status::CreateInProgress);
    assert_eq!(
        planned(&Desired::nothing(owner()), &actual),
        "… wait for VPC association net vpc-1\n\
         - VPC association net vpc-1\n\
         … wait until VPC association net vpc-1 is gone\n\
         - service network net\n"
    );
}
