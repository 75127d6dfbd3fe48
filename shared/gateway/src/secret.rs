//! Secrets that listeners name for their certificates: what was read of them, and whether ACM and VPC Lattice can have it.

use crate::problem::quoted;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::ClusterId;
use trellis_lattice::names::{domain, short_hash};
use trellis_lattice::{CertificateMaterial, PrivateKey};
use x509_parser::der_parser::parse_der;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::{Pem, parse_x509_pem};
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

/// The type of a Secret that holds a certificate.
const TLS_TYPE: &str = "kubernetes.io/tls";

/// Bits of the RSA keys that VPC Lattice serves (User Guide, bring your own certificate).
const RSA_BITS: usize = 2048;

/// Characters of a Secret's hash in a tag: 128 bits, so that nobody finds another Secret's.
const SECRET_HASH_CHARS: usize = 32;

/// Characters of a fingerprint in a tag: the whole SHA-256.
const FINGERPRINT_CHARS: usize = 64;

/// Names a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretKey {
    /// The cluster.
    pub cluster: ClusterId,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl SecretKey {
    /// What stands for it in a tag, which has no room for its names.
    pub fn hash(&self) -> String {
        short_hash(&[&self.cluster.to_string(), &self.namespace, &self.name], SECRET_HASH_CHARS)
    }
}

/// What was read of Secrets: each by its name, and only those that listeners name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Whether the installation imports certificates of Secrets. If not, none is read.
    pub are_read: bool,
    /// What an API server said of each.
    pub read: BTreeMap<SecretKey, SecretRead>,
}

/// What an API server says of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRead {
    /// It is there.
    Found(Box<TlsSecret>),
    /// There is none of that name.
    Missing,
    /// No Role of the namespace lets it be read.
    Forbidden,
    /// It could not be read, for this reason. No proof of anything.
    Unreadable(String),
}

/// What a Secret has of a certificate; nothing else of it is kept. Its `Debug` shows no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSecret {
    /// `type`.
    pub type_name: String,
    /// `tls.crt`.
    pub certificate: Option<Vec<u8>>,
    /// `tls.key`.
    pub key: Option<PrivateKey>,
}

/// A certificate that can be imported and served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usable {
    pub(crate) material: CertificateMaterial,
    /// The names that it is for, in lower case.
    pub(crate) names: BTreeSet<String>,
}

/// What a Secret holds for ACM; else what is wrong with it, in words that follow its name.
pub(crate) fn usable(secret: &TlsSecret) -> Result<Usable, String> {
    if secret.type_name != TLS_TYPE {
        return Err(format!("is of type {}; make it of type {TLS_TYPE}", quoted(&secret.type_name)));
    }
    let certificates = secret.certificate.as_deref().ok_or("has no tls.crt; add the certificate")?;
    let key = secret.key.as_ref().ok_or("has no tls.key; add the certificate's key")?;
    let all = blocks(certificates).ok_or("has a tls.crt that is not PEM; replace it")?;
    let certificates: Vec<&(String, Pem)> =
        all.iter().filter(|(_, pem)| pem.label == "CERTIFICATE").collect();
    let [(text, pem), rest @ ..] = certificates.as_slice() else {
        return Err("has a tls.crt without a certificate in PEM; replace it".to_owned());
    };
    let broken = || "has a tls.crt whose first certificate cannot be read; replace it".to_owned();
    let (_, certificate) = parse_x509_certificate(&pem.contents).map_err(|_| broken())?;
    if rest.iter().any(|(_, pem)| parse_x509_certificate(&pem.contents).is_err()) {
        return Err("has a tls.crt whose chain cannot be read; replace it".to_owned());
    }
    let modulus = modulus_of(&certificate)?;
    let key_blocks = blocks(key.expose()).ok_or("has a tls.key that is not PEM; replace it")?;
    let of_key =
        key_blocks.iter().find_map(|(text, pem)| Some((text, key_modulus(&pem.label, &pem.contents)?)));
    let (key, own) =
        of_key.ok_or("has a tls.key without an RSA key in PEM that is not encrypted; replace it")?;
    if own != modulus {
        return Err("has a tls.key that is not the key of its certificate; replace one of the two".to_owned());
    }
    let chain: String = rest.iter().map(|(text, _)| text.as_str()).collect();
    let fingerprint = short_hash(&[text.as_str(), &chain], FINGERPRINT_CHARS);
    Ok(Usable {
        names: names(&certificate),
        material: CertificateMaterial {
            certificate: text.clone(),
            chain: (!chain.is_empty()).then_some(chain),
            // ACM takes a key and nothing else of 5 KiB at most (API reference, ImportCertificate).
            key: PrivateKey::new(key.as_str()),
            fingerprint,
        },
    })
}

/// The PEM blocks of a text, each as lines of its own with its content; what is between them is left out, and nothing need be: files
/// that are put together may have no end of line between them. None where one of them is none.
fn blocks(text: &[u8]) -> Option<Vec<(String, Pem)>> {
    const END: &str = "-----END ";
    let mut rest = std::str::from_utf8(text).ok()?;
    let mut all = vec![];
    while let Some(begin) = rest.find("-----BEGIN ") {
        let block = rest.get(begin..)?;
        let label = block.find(END)? + END.len();
        let dashes = "-----";
        let end = label + block.get(label..)?.find(dashes)? + dashes.len();
        let (text, after) = block.split_at_checked(end)?;
        let text = format!("{text}\n");
        let (_, pem) = parse_x509_pem(text.as_bytes()).ok()?;
        all.push((text, pem));
        rest = after;
    }
    Some(all)
}

/// The modulus of a certificate's key, if VPC Lattice serves keys of its kind.
fn modulus_of(certificate: &X509Certificate) -> Result<Vec<u8>, String> {
    let remedy = "VPC Lattice serves RSA keys of 2048 bits only: have the certificate issued for one";
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => {
            let modulus = stripped(key.modulus).to_vec();
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            if bits == RSA_BITS {
                Ok(modulus)
            } else {
                Err(format!("has an RSA key of {bits} bits; {remedy}"))
            }
        }
        Ok(PublicKey::EC(_)) => Err(format!("has an elliptic key; {remedy}")),
        _ => Err(format!("has a key of an unknown kind; {remedy}")),
    }
}

/// The modulus of an RSA key in DER, of PKCS #1 (RFC 8017, RSAPrivateKey) or PKCS #8 (RFC 5958, PrivateKeyInfo).
fn key_modulus(label: &str, der: &[u8]) -> Option<Vec<u8>> {
    let (_, object) = parse_der(der).ok()?;
    let members = object.as_sequence().ok()?;
    match label {
        "RSA PRIVATE KEY" => Some(stripped(members.get(1)?.as_slice().ok()?).to_vec()),
        "PRIVATE KEY" => key_modulus("RSA PRIVATE KEY", members.get(2)?.as_slice().ok()?),
        _ => None,
    }
}

/// A number without the zeros in front of it.
fn stripped(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The names of a certificate: those of its extension; only where it has none the common name (RFC 6125, 6.4.4).
fn names(certificate: &X509Certificate) -> BTreeSet<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.into_iter().flat_map(|extension| &extension.value.general_names);
    let names: BTreeSet<String> = alternative
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(domain(name)),
            _ => None,
        })
        .collect();
    if !names.is_empty() {
        return names;
    }
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    common.map(domain).collect()
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
