//! The quotas of VPC Lattice that apply to the account and Region.

use crate::AwsError;
use aws_sdk_servicequotas::Client;
use aws_sdk_servicequotas::config::http::HttpResponse;
use aws_sdk_servicequotas::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_servicequotas::types::ServiceQuota;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use trellis_lattice::Limits;

/// VPC Lattice in Service Quotas.
const SERVICE_CODE: &str = "vpc-lattice";
/// How long quotas are believed. AWS raises one on a person's request, which takes hours to days.
const QUOTAS_AGE_MAX: Duration = Duration::from_hours(1);
/// When to ask again after a failure: who may not ask now will hardly be allowed to within minutes.
const RETRY_AFTER: Duration = Duration::from_mins(10);
/// Entries of one page, the most that the API gives (API reference, ListServiceQuotas).
const PAGE_ENTRIES: i32 = 100;
/// Quotas that are read; VPC Lattice has fourteen.
const QUOTAS_MAX: usize = 1_000;

/// Reads quotas, and keeps them while a function is warm.
pub struct QuotaClient {
    api: Client,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    asked: Option<SystemTime>,
    is_told: bool,
    limits: Limits,
}

impl Known {
    fn is_good(&self, now: SystemTime) -> bool {
        let age_max = if self.is_told { QUOTAS_AGE_MAX } else { RETRY_AFTER };
        self.asked.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < age_max))
    }
}

impl QuotaClient {
    pub(crate) fn new(api: Client) -> Self {
        Self { api, known: Mutex::default() }
    }

    /// The limits with the quotas that apply, read once an hour. Of a quota that AWS does not tell the value that applies
    /// it tells the default; when the calls fail, what was told last counts, or the defaults known here. A default is
    /// never above what applies, since quotas are raised and not lowered: at worst something is refused that would fit.
    pub async fn limits(&self) -> Limits {
        let mut known = self.known.lock().await;
        let now = SystemTime::now();
        if known.is_good(now) {
            return known.limits.clone();
        }
        known.asked = Some(now);
        match self.told().await {
            Ok(values) => {
                known.is_told = true;
                known.limits = Limits::default().with_quotas(&values);
            }
            Err(error) => {
                known.is_told = false;
                tracing::warn!(error = %error, "quotas cannot be read: the last ones told, or AWS's defaults, count");
            }
        }
        known.limits.clone()
    }

    async fn told(&self) -> Result<BTreeMap<String, u64>, AwsError> {
        let applied = self.api.list_service_quotas().service_code(SERVICE_CODE).into_paginator();
        let applied = applied.page_size(PAGE_ENTRIES).items().send();
        let applied = values("ListServiceQuotas", applied).await?;
        if Limits::are_told_by(&applied) {
            return Ok(applied);
        }
        let defaults = self.api.list_aws_default_service_quotas().service_code(SERVICE_CODE).into_paginator();
        let defaults = defaults.page_size(PAGE_ENTRIES).items().send();
        let mut told = values("ListAWSDefaultServiceQuotas", defaults).await?;
        told.extend(applied);
        Ok(told)
    }
}

/// All quotas of a listing that are counts, by their codes.
async fn values<E>(
    operation: &'static str,
    mut quotas: PaginationStream<Result<ServiceQuota, SdkError<E, HttpResponse>>>,
) -> Result<BTreeMap<String, u64>, AwsError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let mut values = BTreeMap::new();
    let mut read = 0;
    while let Some(quota) = quotas.next().await {
        let quota = quota.map_err(|error| AwsError::from_sdk(operation, error))?;
        values.extend(value(&quota));
        read += 1;
        if read > QUOTAS_MAX {
            return Err(AwsError::refused(operation, format!("more than {QUOTAS_MAX} quotas")));
        }
    }
    Ok(values)
}

/// Code and value of a quota; none if it is no count.
fn value(quota: &ServiceQuota) -> Option<(String, u64)> {
    let (code, value) = (quota.quota_code.as_ref()?, quota.value?);
    // Counts come as floating-point numbers; above this they would not be exact, and no quota is.
    let is_count = value.is_finite() && (0.0..9e15).contains(&value);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a count")]
    is_count.then(|| (code.clone(), value as u64))
}

impl fmt::Debug for QuotaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuotaClient").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_good_for_an_hour_and_defaults_after_a_failure_for_ten_minutes() {
        let now = SystemTime::now();
        let told = Known { asked: Some(now), is_told: true, limits: Limits::default() };
        assert!(told.is_good(now + Duration::from_mins(59)) && !told.is_good(now + Duration::from_hours(1)));
        let failed = Known { is_told: false, ..told };
        assert!(
            failed.is_good(now + Duration::from_mins(9)) && !failed.is_good(now + Duration::from_mins(10))
        );
        assert!(!Known::default().is_good(now));
    }

    #[test]
    fn what_is_no_count_is_left_out() {
        let quota = |value| ServiceQuota::builder().quota_code("L-1").set_value(value).build();
        assert_eq!(value(&quota(Some(500.0))), Some(("L-1".to_owned(), 500)));
        for odd in [None, Some(-1.0), Some(f64::NAN), Some(f64::INFINITY), Some(1e300)] {
            assert_eq!(value(&quota(odd)), None, "{odd:?}");
        }
        assert_eq!(value(&ServiceQuota::builder().value(5.0).build()), None);
    }
}
