use super::*;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn secret(certificate: &str, key: &str) -> TlsSecret {
    let key = Some(PrivateKey::new(file(key)));
    TlsSecret { type_name: TLS_TYPE.into(), certificate: Some(file(certificate)), key }
}

fn why(secret: &TlsSecret) -> String {
    usable(secret).unwrap_err()
}

#[test]
fn a_certificate_has_its_names_and_its_chain_apart() {
    let one = usable(&secret("first", "key")).unwrap();
    assert_eq!(one.names, ["a.example.com", "b.example.com"].map(str::to_owned).into());
    assert_eq!((one.material.certificate.as_bytes(), one.material.chain), (file("first").as_slice(), None));
    let with_chain = usable(&secret("first-with-chain", "key")).unwrap().material;
    assert_eq!(with_chain.certificate.as_bytes(), file("first"));
    assert_eq!(with_chain.chain.unwrap().as_bytes(), file("authority"));
}

#[test]
fn another_certificate_or_chain_has_another_fingerprint_and_a_text_between_the_blocks_does_not_count() {
    let fingerprint = |name: &str| usable(&secret(name, "key")).unwrap().material.fingerprint;
    let all = ["first", "renewed", "first-with-chain"].map(fingerprint);
    assert!(all[0] != all[1] && all[0] != all[2], "{all:?}");
    let mut told = secret("first", "key");
    told.certificate = Some([b"subject: a\n".as_slice(), &file("first"), b"\n# end\n"].concat());
    assert_eq!(usable(&told).unwrap().material.fingerprint, all[0]);
}

#[test]
fn files_that_are_put_together_without_an_end_of_line_are_a_whole_chain_and_of_a_key_only_the_key_is_sent() {
    let glued =
        [file("first").trim_ascii_end(), file("authority").trim_ascii_end(), &file("authority")].concat();
    let commented =
        [b"Bag Attributes\n", file("first").as_slice(), &file("key"), &b"# ".repeat(4_000)].concat();
    let put_together = TlsSecret {
        certificate: Some(glued),
        key: Some(PrivateKey::new(commented)),
        ..secret("first", "key")
    };
    let material = usable(&put_together).unwrap().material;
    assert_eq!(material.certificate.as_bytes(), file("first"));
    assert_eq!(material.chain.unwrap().as_bytes(), file("authority").repeat(2));
    assert_eq!(material.key.expose(), file("key"));
}

#[test]
fn what_acm_or_vpc_lattice_cannot_have_is_told_with_the_remedy() {
    assert!(
        why(&secret("elliptic", "elliptic-key")).starts_with("has an elliptic key; VPC Lattice serves RSA")
    );
    assert!(why(&secret("large", "key")).starts_with("has an RSA key of 4096 bits"));
    assert!(why(&secret("first", "other-key")).contains("not the key of its certificate"));
    assert!(why(&secret("first", "elliptic-key")).contains("without an RSA key"));
    assert!(why(&secret("key", "key")).contains("without a certificate"));
    let opaque = TlsSecret { type_name: "Opaque".into(), ..secret("first", "key") };
    assert!(why(&opaque).contains("\"Opaque\""));
    assert!(why(&TlsSecret { certificate: None, ..secret("first", "key") }).contains("no tls.crt"));
    assert!(why(&TlsSecret { key: None, ..secret("first", "key") }).contains("no tls.key"));
    for garbage in ["Hello world\n", "-----BEGIN CERTIFICATE-----\nHello\n", "\u{0}"] {
        let broken = TlsSecret { certificate: Some(garbage.into()), ..secret("first", "key") };
        assert!(why(&broken).contains("tls.crt"), "{garbage}");
        let key = Some(PrivateKey::new(garbage));
        assert!(why(&TlsSecret { key, ..secret("first", "key") }).contains("tls.key"), "{garbage}");
    }
}

#[test]
fn an_older_form_of_key_is_one_too() {
    assert!(key_modulus("RSA PRIVATE KEY", &blocks(&file("other-key")).unwrap()[0].1.contents).is_some());
    assert!(String::from_utf8(file("other-key")).unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
}

#[test]
fn no_debug_text_of_what_was_read_has_a_key() {
    let key = SecretKey {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        namespace: "default".into(),
        name: "tls".into(),
    };
    let read = SecretRead::Found(Box::new(secret("first", "key")));
    let secrets = Secrets { are_read: true, read: [(key, read)].into() };
    let mut snapshot = crate::Snapshot::of([]);
    snapshot.secrets = secrets;
    let texts =
        [format!("{snapshot:#?}"), format!("{snapshot:?}"), format!("{:?}", usable(&secret("first", "key")))];
    let own = file("key");
    let bytes = format!("{:?}", &own[40..60]);
    for text in texts {
        assert!(text.contains("redacted"), "{text}");
        assert!(!text.contains("PRIVATE KEY") && !text.contains(bytes.trim_matches(['[', ']'])), "{text}");
    }
}
