//! Certificates of Secrets in ACM: imported, renewed under their ARN, deleted once no service has them; nobody else's touched.

use crate::harness::{Emulator, converge, inspect, pass};
use crate::wishes::{gateway, no_gateway, route};
use aws_sdk_acm::primitives::Blob;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::SystemTime;
use trellis_aws::End;
use trellis_lattice::{
    Certificate, CertificateMaterial, CertificateOrigin, Desired, DesiredCertificate, PrivateKey, Step,
    TAG_SECRET, Tags,
};

fn file(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/tests/certificates");
    std::fs::read_to_string(format!("{folder}/{name}.pem")).unwrap()
}

fn material(certificate: &str) -> CertificateMaterial {
    CertificateMaterial {
        certificate: file(certificate),
        chain: Some(file("authority")),
        key: PrivateKey::new(file("key")),
        fingerprint: certificate.into(),
    }
}

fn wanting(certificate: &str) -> Desired {
    let plain = gateway(&[]);
    let tags = plain.owner.tags();
    let one = DesiredCertificate { secret: "secret".into(), material: Some(material(certificate)), tags };
    Desired { certificates: Some(vec![one]), ..plain }
}

async fn acm(emulator: &Emulator) -> aws_sdk_acm::Client {
    let credentials = aws_credential_types::Credentials::new("other", "other", None, None, "test");
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("us-west-2"))
        .endpoint_url(format!("http://{}", emulator.address))
        .credentials_provider(credentials)
        .load()
        .await;
    aws_sdk_acm::Client::new(&config)
}

/// A certificate that somebody else has imported.
async fn strangers(emulator: &Emulator) -> String {
    let import = acm(emulator).await.import_certificate();
    let import = import.certificate(Blob::new(file("wildcard"))).private_key(Blob::new(file("key")));
    import.send().await.unwrap().certificate_arn.unwrap()
}

async fn listed(emulator: &Emulator) -> BTreeMap<String, Certificate> {
    let all = emulator.aws().await.certificates(true).all(SystemTime::now()).await.unwrap();
    all.into_iter().map(|one| (one.arn.clone(), one)).collect()
}

#[tokio::test]
async fn a_certificate_is_imported_renewed_under_its_arn_and_goes_once_no_service_has_it() {
    let emulator = Emulator::instant();
    let strangers = strangers(&emulator).await;
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &wanting("first")).await;
    let held = inspect(&lattice, &wanting("first")).await.certificates;
    let [first] = held.as_slice() else { panic!("{held:?}") };
    let all = listed(&emulator).await;
    let owner = gateway(&[]).owner;
    let origin = CertificateOrigin {
        installation: "trellis".into(),
        unit: owner.unit.clone(),
        secret: "secret".into(),
    };
    assert_eq!(all[&first.arn].origin, Some(origin));
    assert_eq!(all[&first.arn].names, ["a.example.com", "b.example.com"].map(str::to_owned).into());
    assert_eq!(all[&strangers].origin, None);

    let renewed = converge(&emulator, &lattice, &wanting("renewed")).await;
    assert!(matches!(renewed.plan.steps[..], [Step::ImportCertificate(_)]), "{}", renewed.plan);
    let then = inspect(&lattice, &wanting("renewed")).await.certificates;
    assert_eq!(
        then.iter().map(|one| (&one.arn, one.fingerprint())).collect::<Vec<_>>(),
        [(&first.arn, "renewed")]
    );

    let mut with_certificate = route(&["/a"], 1);
    with_certificate.services[0].custom_domain = Some("a.example.com".into());
    with_certificate.services[0].certificate_arn = Some(first.arn.clone());
    converge(&emulator, &lattice, &with_certificate).await;
    let without = Desired { certificates: Some(vec![]), ..gateway(&[]) };
    converge(&emulator, &lattice, &without).await;
    assert!(inspect(&lattice, &without).await.certificates[0].in_use);
    converge(&emulator, &lattice, &crate::wishes::no_route()).await;
    let freed = converge(&emulator, &lattice, &without).await;
    assert!(matches!(freed.plan.steps[..], [Step::DeleteCertificate(_)]), "{}", freed.plan);
    assert_eq!(listed(&emulator).await.into_keys().collect::<Vec<_>>(), [strangers]);
}

#[tokio::test]
async fn one_that_the_index_of_tags_does_not_show_yet_is_nobodys_and_a_second_import_goes() {
    let emulator = Emulator::start(&["--delay", "all=0", "--delay", "tag-index=1h"]);
    for _ in 0..2 {
        // A process that knows nothing of the other one's.
        pass(&emulator.aws().await.lattice(), &wanting("first")).await;
    }
    let all = listed(&emulator).await;
    assert_eq!(all.len(), 2);
    assert!(all.values().all(|one| one.origin.is_some()), "{all:?}");
    emulator.advance("1h");
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &wanting("first")).await;
    let left: Vec<String> = listed(&emulator).await.into_keys().collect();
    assert_eq!(left.first(), all.keys().next());
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn what_acm_refuses_is_told_and_keeps_nothing_else_from_being_made() {
    let emulator = Emulator::instant();
    let mut wish = wanting("first");
    let wrong = CertificateMaterial { key: PrivateKey::new(file("other-key")), ..material("first") };
    wish.certificates.as_mut().unwrap()[0].material = Some(wrong);
    let pass = pass(&emulator.aws().await.lattice(), &wish).await;
    assert!(matches!(pass.applied.end, End::Complete), "{:?}", pass.applied.end);
    let told = &pass.applied.outcome.refused_certificates;
    assert!(
        told[0].secret == "secret" && told[0].message.starts_with("ImportCertificate: ValidationException"),
        "{told:?}"
    );
    assert!(pass.applied.outcome.networks.contains_key("my-hotel"));
    assert!(!format!("{told:?}").contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_renewal_that_was_cut_off_before_its_tag_is_done_again() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &wanting("first")).await;
    emulator.configure(
        &json!({"faults": [{"operation": "acm:AddTagsToCertificate", "kind": "deny", "count": 1}]}),
    );
    let cut = pass(&lattice, &wanting("renewed")).await;
    assert!(matches!(cut.applied.end, End::Failed(_)), "{:?}", cut.applied.end);
    let again = converge(&emulator, &lattice, &wanting("renewed")).await;
    assert!(matches!(again.plan.steps[..], [Step::ImportCertificate(_)]), "{}", again.plan);
}

#[tokio::test]
async fn nothing_of_others_is_changed_whatever_tags_a_stranger_sets() {
    let emulator = Emulator::instant();
    let arn = strangers(&emulator).await;
    let owner = gateway(&[]).owner;
    // The tags of another unit of the installation, and a Secret's mark: no owner tags of this unit.
    let tags = Tags::from([
        (TAG_SECRET.to_owned(), "secret".to_owned()),
        ("trellis:owner".into(), owner.installation),
    ]);
    let tags = tags
        .iter()
        .map(|(key, value)| aws_sdk_acm::types::Tag::builder().key(key).value(value).build().unwrap());
    let tag =
        acm(&emulator).await.add_tags_to_certificate().certificate_arn(&arn).set_tags(Some(tags.collect()));
    tag.send().await.unwrap();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &wanting("first")).await;
    converge(&emulator, &lattice, &Desired { certificates: Some(vec![]), ..no_gateway() }).await;
    assert_eq!(listed(&emulator).await.into_keys().collect::<Vec<_>>(), [arn]);
}

#[tokio::test]
async fn who_imports_nothing_asks_acm_nothing() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    assert!(!emulator.all_calls().keys().any(|call| call.starts_with("acm:")), "{:?}", emulator.all_calls());
}
