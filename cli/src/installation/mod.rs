//! An installation and the clusters that are registered with it: what AWS has of both, what is to be done, and doing it.
//!
//! [`found`] and [`steps`] are values and functions over them; [`aws`] is the one place that asks AWS, by the person's own AWS CLI.

pub mod aws;
pub mod found;
pub mod leaving;
pub mod steps;
pub mod tested;
