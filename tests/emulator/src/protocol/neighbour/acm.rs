//! ACM's list of the certificates of the settings.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Fault;
use crate::Emulator;

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
    let all = &state.settings.certificates;
    let list: Vec<Value> = all
        .iter()
        .enumerate()
        .skip(start)
        .take(size)
        .map(|(index, certificate)| {
            let arn = certificate.arn.clone().unwrap_or_else(|| {
                format!("arn:aws:acm:{}:{}:certificate/00000000-0000-0000-0000-{index:012}", home.region, home.account)
            });
            json!({"CertificateArn": arn, "DomainName": certificate.domain,
                   "SubjectAlternativeNameSummaries": certificate.names(), "HasAdditionalSubjectAlternativeNames": false,
                   "Status": "ISSUED", "Type": "AMAZON_ISSUED", "KeyAlgorithm": certificate.key_algorithm,
                   "KeyUsages": ["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"], "InUse": false})
        })
        .collect();
    let end = start.saturating_add(size);
    let mut answer = json!({"CertificateSummaryList": list});
    if end < all.len() {
        answer["NextToken"] = json!(end.to_string());
    }
    Ok(answer)
}
