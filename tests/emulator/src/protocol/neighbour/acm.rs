//! ACM: the list of the certificates of the settings and of those that were imported, and what is done with the latter.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use serde_json::{Value, json};
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;

use super::Fault;
use crate::Emulator;
use crate::plane::tls;
use crate::state::{Imported, NotDone};

/// Input of ListCertificates.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListCertificates {
    next_token: Option<String>,
    max_items: Option<usize>,
}

/// Certificates on one page of ListCertificates at most.
const CERTIFICATE_PAGE: usize = 1000;

pub(super) fn list_certificates(emulator: &Emulator, input: &ListCertificates) -> Result<Value, Fault> {
    let state = emulator.state();
    let home = state.home();
    let start: usize = match &input.next_token {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| Fault::bad("ValidationException", "NextToken is not a token of this list"))?,
    };
    let size = input.max_items.unwrap_or(CERTIFICATE_PAGE).clamp(1, CERTIFICATE_PAGE);
    let set = state.settings.certificates.iter().enumerate().map(|(index, certificate)| {
        let arn = certificate.arn.clone().unwrap_or_else(|| {
            format!("arn:aws:acm:{}:{}:certificate/00000000-0000-0000-0000-{index:012}", home.region, home.account)
        });
        json!({"CertificateArn": arn, "DomainName": certificate.domain,
               "SubjectAlternativeNameSummaries": certificate.names(), "HasAdditionalSubjectAlternativeNames": false,
               "Status": "ISSUED", "Type": "AMAZON_ISSUED", "KeyAlgorithm": certificate.key_algorithm,
               "KeyUsages": ["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"], "InUse": false})
    });
    let imported = state.imported().iter().map(|(arn, one)| {
        json!({"CertificateArn": arn, "DomainName": one.names.first(), "SubjectAlternativeNameSummaries": one.names,
               "HasAdditionalSubjectAlternativeNames": false, "Status": "ISSUED", "Type": "IMPORTED",
               "KeyAlgorithm": one.key_algorithm, "ImportedAt": one.imported.0 / 1000,
               "InUse": !state.users_of_certificate(arn).is_empty()})
    });
    let all: Vec<Value> = set.chain(imported).collect();
    let list: Vec<&Value> = all.iter().skip(start).take(size).collect();
    let end = start.saturating_add(size);
    let mut answer = json!({"CertificateSummaryList": list});
    if end < all.len() {
        answer["NextToken"] = json!(end.to_string());
    }
    Ok(answer)
}

impl From<NotDone> for Fault {
    fn from(NotDone(name, text): NotDone) -> Self {
        Self::bad(name, text)
    }
}

/// Input of ImportCertificate.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Import {
    certificate_arn: Option<String>,
    certificate: String,
    private_key: String,
    certificate_chain: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// A tag.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: Option<String>,
}

pub(super) fn import(emulator: &Emulator, input: Import) -> Result<Value, Fault> {
    let bad = |text: &str| Fault::bad("ValidationException", text);
    let text = |blob: &str| {
        let bytes = STANDARD.decode(blob).map_err(|_| bad("a blob is not base64"))?;
        String::from_utf8(bytes).map_err(|_| bad("a blob is not PEM"))
    };
    let (certificate, key) = (text(&input.certificate)?, text(&input.private_key)?);
    let chain = input.certificate_chain.as_deref().map(text).transpose()?.unwrap_or_default();
    let now = emulator.clock.now();
    let first: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let [Ok(der)] = first.as_slice() else {
        return Err(bad("The certificate field contains no or more than one certificate."));
    };
    PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| bad("The private key is not supported."))?;
    let (_, parsed) =
        x509_parser::parse_x509_certificate(der).map_err(|_| bad("The certificate cannot be read."))?;
    let validity = parsed.validity();
    let seconds = now.0 / 1000;
    if seconds < validity.not_before.timestamp() || seconds > validity.not_after.timestamp() {
        return Err(bad("The certificate is not valid now."));
    }
    let key_algorithm = match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA_{}", key.key_size()),
        _ => "EC_prime256v1".to_owned(),
    };
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    let imported = Imported {
        names: names.collect(),
        key_algorithm,
        imported: now,
        chain: format!("{}\n{chain}", certificate.trim_end()),
        key,
    };
    tls::own_config(&imported).map_err(|error| bad(&format!("The private key does not match: {error}")))?;
    let tags = input.tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect();
    let arn = emulator.state().import(now, input.certificate_arn.as_deref(), imported, tags)?;
    Ok(json!({"CertificateArn": arn}))
}

/// Input of operations on one certificate.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct One {
    certificate_arn: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(super) fn describe(emulator: &Emulator, input: &One) -> Result<Value, Fault> {
    let state = emulator.state();
    let arn = &input.certificate_arn;
    let found = state.imported().get(arn);
    let one = found.ok_or_else(|| {
        Fault::bad("ResourceNotFoundException", format!("Could not find certificate {arn}"))
    })?;
    Ok(
        json!({"Certificate": {"CertificateArn": arn, "DomainName": one.names.first(), "SubjectAlternativeNames": one.names,
              "Type": "IMPORTED", "Status": "ISSUED", "ImportedAt": one.imported.0 / 1000,
              "InUseBy": state.users_of_certificate(arn)}}),
    )
}

pub(super) fn delete(emulator: &Emulator, input: &One) -> Result<Value, Fault> {
    emulator.state().delete_certificate(emulator.clock.now(), &input.certificate_arn)?;
    Ok(json!({}))
}

pub(super) fn list_tags(emulator: &Emulator, input: &One) -> Result<Value, Fault> {
    let tags = emulator.state().tags_of_certificate(&input.certificate_arn)?;
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"Tags": tags}))
}

pub(super) fn add_tags(emulator: &Emulator, input: One) -> Result<Value, Fault> {
    let new = input.tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default()));
    emulator
        .state()
        .retag_certificate(emulator.clock.now(), &input.certificate_arn, |tags| tags.extend(new))?;
    Ok(json!({}))
}

pub(super) fn remove_tags(emulator: &Emulator, input: &One) -> Result<Value, Fault> {
    // With a value only the tag with that very value goes (API reference).
    let goes = |key: &String, value: &String| {
        input.tags.iter().any(|tag| tag.key == *key && tag.value.as_ref().is_none_or(|one| one == value))
    };
    let change =
        |tags: &mut std::collections::BTreeMap<String, String>| tags.retain(|key, value| !goes(key, value));
    emulator.state().retag_certificate(emulator.clock.now(), &input.certificate_arn, change)?;
    Ok(json!({}))
}
