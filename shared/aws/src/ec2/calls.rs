//! The calls of EC2 that VPC endpoints of the type ServiceNetwork take (EC2 API reference, 2016-11-15).

use super::Ec2Api;
use crate::AwsError;
use crate::answer::Element;
use aws_smithy_query::QueryWriter;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};
use trellis_lattice::{TAG_OWNER, TAG_UNIT, Tags};

/// Entries of one page (API reference: 5 to 1,000).
const PAGE_ENTRIES: i32 = 100;

/// A VPC endpoint of the type ServiceNetwork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `vpce-…`.
    pub(crate) id: String,
    pub(crate) vpc: String,
    /// ARN of the service network.
    pub(crate) network: String,
    /// The account that it is of.
    pub(crate) owner: String,
    pub(crate) state: EndpointState,
    /// What EC2 says of a failure.
    pub(crate) failure: Option<String>,
    pub(crate) subnets: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) tags: Tags,
}

/// `State` of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndpointState {
    /// pending, or pendingAcceptance: then whoever owns the network accepts it.
    Pending,
    /// available.
    Available,
    /// deleting.
    Deleting,
    /// deleted: it is shown for a while.
    Deleted,
    /// rejected, failed or expired.
    Failed,
    /// partial, or one that this version does not know.
    Unknown,
}

impl EndpointState {
    /// The API writes the first letter small or large.
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "pending" | "pendingacceptance" => Self::Pending,
            "available" => Self::Available,
            "deleting" => Self::Deleting,
            "deleted" => Self::Deleted,
            "rejected" | "failed" | "expired" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

impl Ec2Api {
    /// The service network endpoints of this account that bear both tags of an owner.
    pub(crate) async fn endpoints_of(
        &self,
        installation: &str,
        unit: &str,
    ) -> Result<Vec<Endpoint>, AwsError> {
        let (owner, of_unit) = (format!("tag:{TAG_OWNER}"), format!("tag:{TAG_UNIT}"));
        let filters = [(owner.as_str(), installation), (of_unit.as_str(), unit)];
        self.endpoints(&BTreeSet::new(), &filters).await
    }

    /// One endpoint, whosever; none where EC2 says that there is none, or that it is deleted.
    pub(crate) async fn endpoint(&self, id: &str) -> Result<Option<Endpoint>, AwsError> {
        match self.endpoints(&BTreeSet::from([id.to_owned()]), &[]).await {
            Ok(found) => Ok(found.into_iter().find(|one| one.id == id)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Without those that are deleted.
    async fn endpoints(
        &self,
        ids: &BTreeSet<String>,
        filters: &[(&str, &str)],
    ) -> Result<Vec<Endpoint>, AwsError> {
        const OPERATION: &str = "DescribeVpcEndpoints";
        let write = |writer: &mut QueryWriter| {
            list(writer, "VpcEndpointId", ids);
            self::filters(writer, filters);
        };
        let pages = self.pages(OPERATION, ids.is_empty(), &write).await?;
        let items = pages.iter().flat_map(|page| page.items("vpcEndpointSet"));
        let found = items.filter_map(endpoint);
        Ok(found.filter(|one| one.state != EndpointState::Deleted).collect())
    }

    /// The domain names under which an endpoint answers, by the ARN of the service that each is for.
    pub(crate) async fn names_of(&self, id: &str) -> Result<BTreeMap<String, String>, AwsError> {
        const OPERATION: &str = "DescribeVpcEndpointAssociations";
        let ids = BTreeSet::from([id.to_owned()]);
        let pages = self.pages(OPERATION, true, &|writer| list(writer, "VpcEndpointId", &ids)).await?;
        let items = pages.iter().flat_map(|page| page.items("vpcEndpointAssociationSet"));
        let name = |item: &Element| {
            let arn = item.text("associatedResourceArn")?.to_owned();
            Some((arn, item.member("dnsEntry")?.text("dnsName")?.to_owned()))
        };
        Ok(items.filter_map(name).collect())
    }

    /// The Availability Zones of these subnets, by their ids: the same word is another zone in another account. Those that are not
    /// there are left out.
    pub(crate) async fn zones_of(
        &self,
        subnets: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        const OPERATION: &str = "DescribeSubnets";
        // By a filter, since one id that is not there would be an error.
        let write = |writer: &mut QueryWriter| {
            writer.prefix("Filter.1.Name").string("subnet-id");
            let mut values = writer.prefix("Filter.1.Value").start_list(true, None);
            for subnet in subnets {
                values.entry().string(subnet);
            }
            values.finish();
        };
        let pages = self.pages(OPERATION, true, &write).await?;
        let items = pages.iter().flat_map(|page| page.items("subnetSet"));
        let zone = |item: &Element| {
            let zone = item.text("availabilityZoneId").or_else(|| item.text("availabilityZone"))?;
            Some((item.text("subnetId")?.to_owned(), zone.to_owned()))
        };
        Ok(items.filter_map(zone).collect())
    }

    /// Makes an endpoint that bears its tags from the first moment.
    pub(crate) async fn create_endpoint(
        &self,
        (vpc, network_arn): (&str, &str),
        subnets: &BTreeSet<String>,
        groups: &BTreeSet<String>,
        tags: &Tags,
    ) -> Result<Endpoint, AwsError> {
        const OPERATION: &str = "CreateVpcEndpoint";
        let token = client_token();
        let answer = self.0.call(OPERATION, |writer| {
            writer.prefix("VpcEndpointType").string("ServiceNetwork");
            writer.prefix("ServiceNetworkArn").string(network_arn);
            writer.prefix("VpcId").string(vpc);
            writer.prefix("ClientToken").string(&token);
            list(writer, "SubnetId", subnets);
            list(writer, "SecurityGroupId", groups);
            writer.prefix("TagSpecification.1.ResourceType").string("vpc-endpoint");
            self::tags(writer, "TagSpecification.1.Tag", tags.iter().map(|(key, value)| (key, Some(value))));
        });
        let answer = answer.await?;
        let made = answer.member("vpcEndpoint").and_then(endpoint);
        made.ok_or_else(|| AwsError::stale(OPERATION, "the answer has no endpoint".to_owned()))
    }

    /// Adds and takes away subnets and security groups.
    pub(crate) async fn modify_endpoint(
        &self,
        id: &str,
        add: (&BTreeSet<String>, &BTreeSet<String>),
        remove: (&BTreeSet<String>, &BTreeSet<String>),
    ) -> Result<(), AwsError> {
        let answer = self.0.call("ModifyVpcEndpoint", |writer| {
            writer.prefix("VpcEndpointId").string(id);
            list(writer, "AddSubnetId", add.0);
            list(writer, "AddSecurityGroupId", add.1);
            list(writer, "RemoveSubnetId", remove.0);
            list(writer, "RemoveSecurityGroupId", remove.1);
        });
        answer.await.map(|_| ())
    }

    /// Begins the deletion of an endpoint. One that is not there is deleted.
    pub(crate) async fn delete_endpoint(&self, id: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "DeleteVpcEndpoints";
        let answer = self.0.call(OPERATION, |writer| writer.prefix("VpcEndpointId.1").string(id)).await;
        let answer = match answer {
            Err(error) if error.is_not_found() => return Ok(()),
            answer => answer?,
        };
        let Some(refused) = answer.items("unsuccessful").next().and_then(|item| item.member("error")) else {
            return Ok(());
        };
        let (code, message) = (refused.text("code"), refused.text("message"));
        let error =
            AwsError::from_entry(OPERATION, code.unwrap_or("Unknown"), message.unwrap_or("no message"));
        if error.is_not_found() { Ok(()) } else { Err(error) }
    }

    /// Sets tags of a resource.
    pub(crate) async fn tag(&self, id: &str, tags: &Tags) -> Result<(), AwsError> {
        let answer = self.0.call("CreateTags", |writer| {
            writer.prefix("ResourceId.1").string(id);
            self::tags(writer, "Tag", tags.iter().map(|(key, value)| (key, Some(value))));
        });
        answer.await.map(|_| ())
    }

    /// Takes away tags of a resource, whatever their values.
    pub(crate) async fn untag(&self, id: &str, keys: &BTreeSet<String>) -> Result<(), AwsError> {
        let answer = self.0.call("DeleteTags", |writer| {
            writer.prefix("ResourceId.1").string(id);
            self::tags(writer, "Tag", keys.iter().map(|key| (key, None)));
        });
        answer.await.map(|_| ())
    }

    /// All pages of a listing. Ids go without a page's size (API reference).
    pub(super) async fn pages(
        &self,
        operation: &'static str,
        is_paged: bool,
        write: &(impl Fn(&mut QueryWriter) + Sync),
    ) -> Result<Vec<Element>, AwsError> {
        let write = |writer: &mut QueryWriter| {
            write(writer);
            if is_paged {
                writer.prefix("MaxResults").number(aws_smithy_types::Number::PosInt(PAGE_ENTRIES as u64));
            }
        };
        self.0.pages(operation, "NextToken", |page| page.text("nextToken"), &write).await
    }
}

/// The endpoint of an item; none where it is of another type, or lacks what each has.
fn endpoint(item: &Element) -> Option<Endpoint> {
    let told = |element: &Element, name: &str| element.text(name).map(str::to_owned);
    let last = |item: &Element| told(item.member("lastError")?, "message");
    let tag = |tag: &Element| Some((told(tag, "key")?, told(tag, "value").unwrap_or_default()));
    Some(Endpoint {
        id: told(item, "vpcEndpointId")?,
        vpc: told(item, "vpcId")?,
        network: told(item, "serviceNetworkArn")?,
        owner: told(item, "ownerId").unwrap_or_default(),
        state: EndpointState::parse(item.text("state").unwrap_or_default()),
        failure: told(item, "failureReason").or_else(|| last(item)),
        subnets: item.texts("subnetIdSet").collect(),
        groups: item.items("groupSet").filter_map(|group| told(group, "groupId")).collect(),
        tags: item.items("tagSet").filter_map(tag).collect(),
    })
}

fn list(writer: &mut QueryWriter, name: &'static str, values: &BTreeSet<String>) {
    crate::query::list(writer, name, values, true);
}

fn filters(writer: &mut QueryWriter, filters: &[(&str, &str)]) {
    let mut list = writer.prefix("Filter").start_list(true, None);
    for (name, value) in filters {
        let mut filter = list.entry();
        filter.prefix("Name").string(name);
        filter.prefix("Value.1").string(value);
    }
    list.finish();
}

fn tags<'t>(
    writer: &mut QueryWriter,
    name: &'static str,
    tags: impl Iterator<Item = (&'t String, Option<&'t String>)>,
) {
    let mut list = writer.prefix(name).start_list(true, None);
    for (key, value) in tags {
        let mut tag = list.entry();
        tag.prefix("Key").string(key);
        if let Some(value) = value {
            tag.prefix("Value").string(value);
        }
    }
    list.finish();
}

/// A token of one call, the same in all its attempts: so that none of them makes a second endpoint. It says nothing of the content,
/// since one that does could bring back the answer for an endpoint that is deleted.
fn client_token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("trellis-{}-{}", std::process::id(), now.as_nanos())
}
