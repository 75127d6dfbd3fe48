//! Instances (EC2 API reference, DescribeInstances).

use super::Ec2Api;
use crate::AwsError;
use crate::answer::Element;
use aws_smithy_query::QueryWriter;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::Instance;

const OPERATION: &str = "DescribeInstances";
/// Values of one filter (API reference, DescribeInstances).
const VALUES_MAX: usize = 200;

impl Ec2Api {
    /// Those of these instances that are there, by id. By a filter, since one id that is not there would be an error.
    pub(crate) async fn instances(
        &self,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Instance>, AwsError> {
        let mut found = BTreeMap::new();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for some in ids.chunks(VALUES_MAX) {
            found.extend(self.filtered(&[("instance-id".to_owned(), some.to_vec())]).await?);
        }
        Ok(found)
    }

    /// The instances that bear all these tags, by id.
    pub(crate) async fn instances_with(
        &self,
        tags: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Instance>, AwsError> {
        let filters: Vec<(String, Vec<&str>)> =
            tags.iter().map(|(key, value)| (format!("tag:{key}"), vec![value.as_str()])).collect();
        self.filtered(&filters).await
    }

    async fn filtered(
        &self,
        filters: &[(String, Vec<&str>)],
    ) -> Result<BTreeMap<String, Instance>, AwsError> {
        let write = |writer: &mut QueryWriter| {
            let mut list = writer.prefix("Filter").start_list(true, None);
            for (name, values) in filters {
                let mut filter = list.entry();
                filter.prefix("Name").string(name);
                let mut all = filter.prefix("Value").start_list(true, None);
                for value in values {
                    all.entry().string(value);
                }
                all.finish();
            }
            list.finish();
        };
        let pages = self.pages(OPERATION, true, &write).await?;
        let reservations = pages.iter().flat_map(|page| page.items("reservationSet"));
        Ok(reservations.flat_map(|one| one.items("instancesSet")).filter_map(instance).collect())
    }
}

fn instance(item: &Element) -> Option<(String, Instance)> {
    let text = |element: &Element, name: &str| element.text(name).map(str::to_owned);
    let tag = |tag: &Element| Some((text(tag, "key")?, text(tag, "value").unwrap_or_default()));
    let state = item.member("instanceState").and_then(|state| text(state, "name"))?;
    let instance = Instance {
        state,
        vpc: text(item, "vpcId"),
        lifecycle: None,
        tags: item.items("tagSet").filter_map(tag).collect(),
    };
    Some((text(item, "instanceId")?, instance))
}
