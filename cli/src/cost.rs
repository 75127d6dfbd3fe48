//! What VPC Lattice bills for what is there, used or not.

use serde::Serialize;

/// The price of one service for an hour in us-east-1 (VPC Lattice's pricing page); data and requests come on top.
pub const USD_PER_SERVICE_HOUR: f64 = 0.025;

/// The Region whose price that is.
pub const PRICED_REGION: &str = "us-east-1";

/// Hours of a month, as AWS reckons.
const HOURS_PER_MONTH: f64 = 730.0;

/// Where the price of a Region is looked up.
pub const SOURCE: &str = "https://aws.amazon.com/vpc/lattice/pricing/";

/// What the services cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// How many services there are.
    pub services: usize,
    /// USD for one service and hour.
    pub usd_per_service_hour: f64,
    /// The Region that the price is of.
    pub priced_region: &'static str,
    /// USD a month for all of them, at 730 hours; without data and requests.
    pub usd_per_month: f64,
    /// Where to look the price up.
    pub source: &'static str,
}

/// What so many services cost.
pub fn of(services: usize, usd_per_service_hour: f64) -> Cost {
    // More services than a float counts exactly are more than any account has.
    let count = f64::from(u32::try_from(services).unwrap_or(u32::MAX));
    let usd_per_month = (count * usd_per_service_hour * HOURS_PER_MONTH * 100.0).round() / 100.0;
    Cost { services, usd_per_service_hour, priced_region: PRICED_REGION, usd_per_month, source: SOURCE }
}
