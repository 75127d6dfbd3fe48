use crate::support::{assert_in_order, gateway, other_unit, owner, planned, violation};
use crate::worlds::{held_tags, ownerships};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use trellis_lattice::{
    Actual, ActualCertificate, CertificateMaterial, DeleteCertificate, Desired, DesiredCertificate, Grace,
    ImportCertificate, Ownership, PrivateKey, TAG_CERTIFICATE, TAG_SECRET, TAG_UNWANTED, Tag, Tags,
    ViolationKind, simulate,
};

const SECRETS: [&str; 2] = ["s1", "s2"];

fn material(fingerprint: &str) -> CertificateMaterial {
    let key = PrivateKey::new("key");
    CertificateMaterial { certificate: "cert".into(), chain: None, key, fingerprint: fingerprint.into() }
}

fn wish(secret: &str, fingerprint: Option<&str>) -> DesiredCertificate {
    DesiredCertificate { secret: secret.into(), material: fingerprint.map(material), tags: Tags::new() }
}

fn held(id: &str, secret: &str, fingerprint: &str, ownership: Ownership) -> ActualCertificate {
    let marks =
        [(TAG_SECRET, secret), (TAG_CERTIFICATE, fingerprint)].map(|(key, value)| (key.into(), value.into()));
    let tags = held_tags(&ownership, marks.into());
    ActualCertificate { id: id.into(), arn: format!("arn:certificate/{id}"), in_use: false, ownership, tags }
}

/// Wishes of a made-up world.
pub(crate) fn wishes() -> impl Strategy<Value = Option<Vec<DesiredCertificate>>> {
    let one = (select(SECRETS.to_vec()), select(vec![None, Some("f1"), Some("f2")]));
    let one = one.prop_map(|(secret, fingerprint)| wish(secret, fingerprint));
    proptest::option::of(vec(one, 0..3))
}

/// Certificates of a made-up world.
pub(crate) fn actuals() -> impl Strategy<Value = Vec<ActualCertificate>> {
    let one = (select(SECRETS.to_vec()), select(vec!["f1", "f2"]), ownerships(), any::<bool>());
    vec(one, 0..4).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        let made = numbered.map(|(at, (secret, fingerprint, ownership, in_use))| ActualCertificate {
            in_use,
            ..held(&format!("c{at}"), secret, fingerprint, ownership)
        });
        made.collect()
    })
}

fn wanting(certificates: Vec<DesiredCertificate>) -> Desired {
    Desired { certificates: Some(certificates), ..gateway(&["vpc-1"]) }
}

fn with(certificates: Vec<ActualCertificate>) -> Actual {
    Actual { certificates, ..Actual::default() }
}

#[test]
fn a_certificate_is_there_before_the_network_and_renewed_under_its_arn() {
    let desired = wanting(vec![wish("s1", Some("f1"))]);
    let plan = planned(&desired, &Actual::default());
    assert_in_order(&plan, &["+ certificate of Secret s1", "+ service network net"]);
    let renewed = wanting(vec![wish("s1", Some("f2"))]);
    let there = with(vec![held("a", "s1", "f1", Ownership::Ours)]);
    let then =
        simulate(&there, &trellis_lattice::plan(&renewed, &there, &trellis_lattice::Limits::default()));
    let arns: Vec<(&str, &str)> =
        then.certificates.iter().map(|one| (one.arn.as_str(), one.fingerprint())).collect();
    assert_eq!(arns, [("arn:certificate/a", "f2")]);
}

#[test]
fn what_is_not_known_of_a_secret_leaves_its_certificate_and_what_nobody_names_goes_once_no_service_has_it() {
    let there = with(vec![held("a", "s1", "f1", Ownership::Ours), held("b", "s2", "f1", Ownership::Ours)]);
    assert!(!planned(&wanting(vec![wish("s1", None), wish("s2", None)]), &there).contains("certificate"));
    assert!(planned(&wanting(vec![wish("s1", None)]), &there).contains("- certificate of Secret s2"));
    let mut used = there.clone();
    used.certificates[1].in_use = true;
    assert!(!planned(&wanting(vec![wish("s1", None)]), &used).contains("certificate"));
    // An installation that imports none looks at none.
    assert!(!planned(&gateway(&["vpc-1"]), &there).contains("certificate"));
}

#[test]
fn what_is_of_others_is_neither_renewed_nor_deleted_and_a_second_one_goes() {
    let others = with(vec![held("a", "s1", "f1", Ownership::Foreign), held("b", "s2", "f1", other_unit())]);
    let plan = planned(&wanting(vec![wish("s1", Some("f2"))]), &others);
    assert!(
        plan.contains("+ certificate of Secret s1") && !plan.contains("- cert") && !plan.contains("~ cert"),
        "{plan}"
    );
    let twice = with(vec![held("b", "s1", "f1", Ownership::Ours), held("a", "s1", "f1", Ownership::Ours)]);
    let desired = wanting(vec![wish("s1", Some("f1"))]);
    let then =
        simulate(&twice, &trellis_lattice::plan(&desired, &twice, &trellis_lattice::Limits::default()));
    assert_eq!(then.certificates.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn an_unused_one_is_marked_first_and_one_in_use_is_not() {
    let grace = Some(Grace { now: 1_000, seconds: 20 });
    let desired = Desired { grace, ..wanting(vec![]) };
    let mut there = with(vec![held("a", "s1", "f1", Ownership::Ours)]);
    assert!(planned(&desired, &there).contains("~ tags of arn:certificate/a trellis:unwanted-since=1000"));
    there.certificates[0].in_use = true;
    assert!(!planned(&desired, &there).contains("certificate"));
    there.certificates[0].in_use = false;
    there.certificates[0].tags.insert(TAG_UNWANTED.into(), "980".into());
    assert!(planned(&desired, &there).contains("- certificate of Secret s1"));
}

#[test]
fn the_checker_lets_nobody_import_over_others_twice_or_unmarked_nor_delete_what_is_wanted_or_in_use() {
    let desired = wanting(vec![wish("s1", Some("f2"))]);
    let import = |arn: Option<&str>, tags: Tags| ImportCertificate {
        secret: "s1".into(),
        arn: arn.map(Into::into),
        material: material("f2"),
        tags,
    };
    let foreign = with(vec![held("a", "s1", "f1", Ownership::Foreign)]);
    let over = import(Some("arn:certificate/a"), Tags::new());
    assert!(matches!(violation(&desired, &foreign, over), Some(ViolationKind::NotOurs { .. })));
    let other = with(vec![held("a", "s2", "f1", Ownership::Ours)]);
    let over = import(Some("arn:certificate/a"), Tags::new());
    assert!(matches!(violation(&desired, &other, over), Some(ViolationKind::Taken { .. })));
    assert_eq!(
        violation(&desired, &Actual::default(), import(None, Tags::new())),
        Some(ViolationKind::Unmarked)
    );
    let there = with(vec![held("a", "s1", "f1", Ownership::Ours)]);
    let again = import(None, owner().tags());
    assert!(matches!(violation(&desired, &there, again), Some(ViolationKind::ThereAlready { .. })));
    let unasked = ImportCertificate { material: material("f3"), ..import(None, owner().tags()) };
    assert!(matches!(violation(&desired, &Actual::default(), unasked), Some(ViolationKind::Unwanted { .. })));
    let delete = || DeleteCertificate { secret: "s1".into(), arn: "arn:certificate/a".into() };
    assert!(matches!(violation(&desired, &there, delete()), Some(ViolationKind::Wanted { .. })));
    assert!(matches!(violation(&wanting(vec![]), &foreign, delete()), Some(ViolationKind::NotOurs { .. })));
    let mut used = there.clone();
    used.certificates[0].in_use = true;
    assert!(matches!(violation(&wanting(vec![]), &used, delete()), Some(ViolationKind::InUse { .. })));
    let tag = Tag { arn: "arn:certificate/a".into(), tags: Tags::from([("a".into(), "b".into())]) };
    assert!(matches!(violation(&desired, &foreign, tag), Some(ViolationKind::NotOurs { .. })));
}
