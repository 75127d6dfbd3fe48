//! Service Quotas: the quotas of VPC Lattice as the settings have them, and AWS's defaults.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Fault;
use crate::Emulator;
use crate::state::{QUOTAS, Quotas, SERVICE_CODE};

/// Quotas on one page when the caller names no number, which is also the largest number.
const PAGE: usize = 100;

/// Input of ListServiceQuotas and ListAWSDefaultServiceQuotas.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQuotas {
    service_code: String,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// The quotas that apply (`applied`), or AWS's defaults. Of those that apply, the settings can leave some out, as AWS
/// does with quotas whose applied value it does not tell.
pub(super) fn list(emulator: &Emulator, input: &ListQuotas, applied: bool) -> Result<Value, Fault> {
    if input.service_code != SERVICE_CODE {
        let message = format!("There is no service with the code {}.", input.service_code);
        return Err(Fault::bad("NoSuchResourceException", message));
    }
    let size = input.max_results.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&size) {
        return Err(Fault::bad("IllegalArgumentException", format!("MaxResults must be 1 to {PAGE}")));
    }
    let start: usize = match &input.next_token {
        None => 0,
        Some(token) => token.parse().map_err(|_| {
            Fault::bad("InvalidPaginationTokenException", "NextToken is not a token of this list")
        })?,
    };
    let state = emulator.state();
    let home = state.home();
    let values = if applied { state.settings.quotas.clone() } else { Quotas::default() };
    let untold = &state.settings.untold_quotas;
    let told: Vec<Value> = QUOTAS
        .iter()
        .filter(|quota| !applied || !untold.iter().any(|code| code == quota.code))
        .map(|quota| {
            let arn = format!("arn:aws:servicequotas:{}:{}:{SERVICE_CODE}/{}", home.region, home.account, quota.code);
            json!({"ServiceCode": SERVICE_CODE, "ServiceName": "Amazon VPC Lattice", "QuotaArn": arn,
                   "QuotaCode": quota.code, "QuotaName": quota.name, "Value": (quota.value)(&values), "Unit": "None",
                   "Adjustable": true, "GlobalQuota": false})
        })
        .collect();
    let end = start.saturating_add(size).min(told.len());
    let mut answer = json!({"Quotas": told.get(start..end).unwrap_or_default()});
    if end < told.len() {
        answer["NextToken"] = json!(end.to_string());
    }
    Ok(answer)
}
