//! What AWS tells of what runs outside of clusters: instances, Auto Scaling groups, load balancers.

use crate::AwsError;
use crate::answer::Element;
use crate::counts::CallCounts;
use crate::ec2::Ec2Api;
use crate::query::{Query, list};
use aws_config::SdkConfig;
use aws_smithy_query::QueryWriter;
use futures::stream::{self, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{Balancer, BalancerFacts, Instance, InstanceFacts, Selector};

/// Calls at once, so that one look at a cluster of many Backends is no burst on an account's API rates.
const AT_ONCE: usize = 4;

/// EC2, Auto Scaling (API of 2011-01-01) and Elastic Load Balancing (API of 2015-12-01). Each is asked, and nothing is changed.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    ec2: Ec2Api,
    scaling: Query,
    balancing: Query,
}

impl Elsewhere {
    pub(crate) fn new(config: &SdkConfig, counts: &CallCounts) -> Self {
        let query = |names, version| Query::new(names, version, config.clone(), counts.clone());
        Self {
            ec2: Ec2Api::new(config.clone(), counts.clone()),
            scaling: query(("Auto Scaling", "autoscaling"), "2011-01-01"),
            balancing: query(("Elastic Load Balancing v2", "elasticloadbalancing"), "2015-12-01"),
        }
    }

    /// What is known of the instances that are meant, of each of these something.
    pub(crate) async fn instances(
        &self,
        selectors: &BTreeSet<Selector>,
    ) -> BTreeMap<Selector, InstanceFacts> {
        let asked = stream::iter(selectors.iter().cloned());
        let told = asked.map(|selector| async move {
            let found = Box::pin(self.found(&selector)).await;
            let told = match found {
                Ok(Some(known)) => InstanceFacts::Known(known),
                Ok(None) => InstanceFacts::Missing,
                Err(error) => InstanceFacts::Unknown(error.to_string()),
            };
            (selector, told)
        });
        told.buffer_unordered(AT_ONCE).collect().await
    }

    /// None where there is no such group.
    async fn found(&self, selector: &Selector) -> Result<Option<BTreeMap<String, Instance>>, AwsError> {
        let name = match selector {
            Selector::Ids(ids) => return self.ec2.instances(ids).await.map(Some),
            Selector::Tags(tags) => return self.ec2.instances_with(tags).await.map(Some),
            Selector::ScalingGroup(name) => name,
        };
        let Some(lifecycles) = self.members(name).await? else { return Ok(None) };
        let mut found = self.ec2.instances(&lifecycles.keys().cloned().collect()).await?;
        for (id, instance) in &mut found {
            instance.lifecycle = lifecycles.get(id).cloned();
        }
        Ok(Some(found))
    }

    /// The instances of an Auto Scaling group, each with its place in its life there.
    async fn members(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, AwsError> {
        const OPERATION: &str = "DescribeAutoScalingGroups";
        let names = BTreeSet::from([name.to_owned()]);
        let write = |writer: &mut QueryWriter| list(writer, "AutoScalingGroupNames", &names, false);
        let pages = self.scaling.pages(OPERATION, "NextToken", next_of_groups, &write).await?;
        let results = pages.iter().filter_map(result_of_groups);
        let mut groups = results.flat_map(|result| result.listed("AutoScalingGroups"));
        let group = groups.find(|group| group.text("AutoScalingGroupName") == Some(name));
        let member = |one: &Element| {
            let text = |name| one.text(name).map(str::to_owned);
            Some((text("InstanceId")?, text("LifecycleState").unwrap_or_default()))
        };
        Ok(group.map(|group| group.listed("Instances").filter_map(member).collect()))
    }

    /// What is known of these load balancers, by ARN: of each something.
    pub(crate) async fn load_balancers(&self, arns: &BTreeSet<String>) -> BTreeMap<String, BalancerFacts> {
        let told = stream::iter(arns.iter().cloned()).map(|arn| async move {
            // One by one: one that is not there is an error of the whole call.
            let told = match Box::pin(self.load_balancer(&arn)).await {
                Ok(Some(known)) => BalancerFacts::Known(known),
                Ok(None) => BalancerFacts::Missing,
                Err(error) => BalancerFacts::Unknown(error.to_string()),
            };
            (arn, told)
        });
        told.buffer_unordered(AT_ONCE).collect().await
    }

    async fn load_balancer(&self, arn: &str) -> Result<Option<Balancer>, AwsError> {
        const OPERATION: &str = "DescribeLoadBalancers";
        let arns = BTreeSet::from([arn.to_owned()]);
        let answer = self.balancing.call(OPERATION, |writer| list(writer, "LoadBalancerArns", &arns, false));
        let answer = match answer.await {
            Err(error) if error.code() == Some("LoadBalancerNotFound") => return Ok(None),
            answer => answer?,
        };
        let result = answer.member("DescribeLoadBalancersResult");
        let mut all = result.into_iter().flat_map(|result| result.listed("LoadBalancers"));
        let found = all.find(|one| one.text("LoadBalancerArn") == Some(arn));
        let balancer = |one: &Element| {
            let text = |name| one.text(name).map(str::to_owned);
            Some(Balancer { kind: text("Type")?, scheme: text("Scheme")?, vpc: text("VpcId")? })
        };
        // What lacks what each has did not come from there.
        let unread =
            || AwsError::stale(OPERATION, "the answer does not tell of the load balancer".to_owned());
        found.and_then(balancer).map(Some).ok_or_else(unread)
    }
}

fn result_of_groups(page: &Element) -> Option<&Element> {
    page.member("DescribeAutoScalingGroupsResult")
}

fn next_of_groups(page: &Element) -> Option<&str> {
    result_of_groups(page)?.text("NextToken")
}
