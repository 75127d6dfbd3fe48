//! EC2, as much of it as VPC endpoints and instances behind routes take: calls of its Query API.
//!
//! The SDK's own crate for EC2 was measured: 326 seconds of CPU time and 4.7 GB of memory were not enough to compile it for
//! tests, where all else of this workspace takes five minutes. The calls below are nine.

mod calls;
mod instances;

pub(crate) use calls::{Endpoint, EndpointState};

use crate::counts::CallCounts;
use crate::query::Query;
use aws_config::SdkConfig;

const VERSION: &str = "2016-11-15";

/// EC2's Query API.
#[derive(Debug, Clone)]
pub(crate) struct Ec2Api(Query);

impl Ec2Api {
    pub(crate) fn new(config: SdkConfig, counts: CallCounts) -> Self {
        Self(Query::new(("EC2", "ec2"), VERSION, config, counts))
    }
}
