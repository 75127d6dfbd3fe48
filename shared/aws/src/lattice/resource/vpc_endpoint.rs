//! The endpoint of a VPC for a service network, in EC2.

use crate::ec2::{Endpoint, EndpointState};
use crate::lattice::LatticeClient;
use crate::lattice::names::{Names, Resource};
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{Reading, Seen, VPC_ENDPOINT, VPC_ENDPOINT_GONE, until_active, until_gone};
use crate::tagging::VPC_ENDPOINT_TYPE;
use crate::{AwsError, ErrorClass};
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime};
use trellis_lattice::{
    ActualNetwork, ActualVpcEndpoint, AwaitVpcEndpoint, AwaitVpcEndpointGone, CreateVpcEndpoint,
    DeleteVpcEndpoint, Desired, Owner, Ownership, RefusedVpcEndpoint, ResourceKind, Status, TAG_OWNER,
    TAG_UNIT, TAG_VPC_ENDPOINTS, UpdateVpcEndpoint,
};

/// Subnets whose zone is remembered: a zone never changes.
const ZONES_MAX: usize = 4_000;

fn seen_status(state: EndpointState) -> Status {
    match state {
        EndpointState::Pending => Status::CreateInProgress,
        EndpointState::Available => Status::Active,
        EndpointState::Deleting | EndpointState::Deleted => Status::DeleteInProgress,
        EndpointState::Failed => Status::CreateFailed,
        EndpointState::Unknown => Status::Unknown,
    }
}

impl LatticeClient {
    /// The unit's endpoints, and the zones of the subnets that wished-for ones may be in.
    ///
    /// | EC2 is asked when | |
    /// |---|---|
    /// | a Gateway wishes for an endpoint | |
    /// | the network tells by its tag [`TAG_VPC_ENDPOINTS`] that there may be one | its tags are read in any case |
    /// | no network of ours is there, or none is wanted any more, and the index of tags shows one | one call to the index |
    /// | this process has made one, or something was not as it was read | the index is late |
    ///
    /// Whoever wishes for none, in a network of ours, costs no call for it.
    pub(in crate::lattice) async fn inspect_vpc_endpoints(
        &self,
        desired: &Desired,
        networks: &[ActualNetwork],
    ) -> Result<(Vec<ActualVpcEndpoint>, BTreeMap<String, String>), AwsError> {
        if !self.may_have_endpoints(desired, networks).await? {
            return Ok((vec![], BTreeMap::new()));
        }
        let Owner { installation, unit, .. } = &desired.owner;
        let ec2 = &self.inner.ec2;
        let found = self.limited("DescribeVpcEndpoints", ec2.endpoints_of(installation, unit)).await?;
        let read = found.into_iter().map(|one| self.inspected(&desired.owner, networks, one));
        let mut endpoints = try_join_all(read).await?;
        endpoints.sort_by(|a, b| (&a.network, &a.vpc, &a.id).cmp(&(&b.network, &b.vpc, &b.id)));
        let open = desired.vpc_endpoints.iter().filter(|wanted| wanted.one_for_each_zone);
        let subnets: BTreeSet<String> = open.flat_map(|wanted| &wanted.subnets).cloned().collect();
        Ok((endpoints, self.zones_of(&subnets).await?))
    }

    async fn may_have_endpoints(
        &self,
        desired: &Desired,
        networks: &[ActualNetwork],
    ) -> Result<bool, AwsError> {
        let Owner { installation, unit, .. } = &desired.owner;
        let ours = || networks.iter().filter(|one| one.ownership == Ownership::Ours);
        let is_marked =
            |one: &ActualNetwork| one.tags.get(TAG_VPC_ENDPOINTS).is_some_and(|tag| !tag.is_empty());
        let made = |arn: &String| ResourceKind::of(arn) == ResourceKind::VpcEndpoint;
        if !desired.vpc_endpoints.is_empty()
            || ours().any(is_marked)
            || self.inner.memory.is_in_doubt(unit)
            || self.inner.memory.arns(unit).iter().any(made)
        {
            return Ok(true);
        }
        if desired.network.is_some() && ours().next().is_some() {
            return Ok(false);
        }
        let tags = [(TAG_OWNER, Some(installation.as_str())), (TAG_UNIT, Some(unit.as_str()))];
        Ok(!self.inner.tag_index.find(VPC_ENDPOINT_TYPE, &tags).await?.is_empty())
    }

    async fn inspected(
        &self,
        owner: &Owner,
        networks: &[ActualNetwork],
        found: Endpoint,
    ) -> Result<ActualVpcEndpoint, AwsError> {
        let arn = endpoint_arn(&found);
        let status = seen_status(found.state);
        let names = if status == Status::Active {
            self.limited("DescribeVpcEndpointAssociations", self.inner.ec2.names_of(&found.id)).await?
        } else {
            BTreeMap::new()
        };
        let id_of = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
        let network = networks.iter().find(|one| one.arn == found.network);
        self.inner.tags.put(&arn, found.tags.clone(), SystemTime::now());
        Ok(ActualVpcEndpoint {
            id: found.id,
            arn,
            network: network.map_or(found.network, |one| one.name.clone()),
            vpc: found.vpc,
            status,
            subnets: found.subnets,
            security_groups: found.groups,
            names: names.iter().map(|(arn, name)| (id_of(arn), name.clone())).collect(),
            ownership: owner.of(&found.tags),
            tags: found.tags,
        })
    }

    async fn zones_of(&self, subnets: &BTreeSet<String>) -> Result<BTreeMap<String, String>, AwsError> {
        let known = self.inner.zones.get(subnets);
        let open: BTreeSet<String> =
            subnets.iter().filter(|one| !known.contains_key(*one)).cloned().collect();
        if open.is_empty() {
            return Ok(known);
        }
        let read = self.limited("DescribeSubnets", self.inner.ec2.zones_of(&open)).await?;
        self.inner.zones.put(&read);
        Ok(known.into_iter().chain(read).collect())
    }

    async fn vpc_endpoint_reading(&self, id: &str) -> Result<Reading, AwsError> {
        const OPERATION: &str = "DescribeVpcEndpoints";
        let found = self.limited(OPERATION, self.inner.ec2.endpoint(id)).await?;
        let seen = found.map(|one| Seen {
            status: seen_status(one.state),
            failure_code: None,
            failure_message: one.failure,
        });
        Ok(Reading::of(OPERATION, seen))
    }
}

/// EC2 does not tell the ARN; partition and Region are those of the network's.
fn endpoint_arn(found: &Endpoint) -> String {
    let mut parts = found.network.splitn(6, ':');
    let partition = parts.nth(1).unwrap_or("aws");
    let region = parts.nth(1).unwrap_or_default();
    format!("arn:{partition}:ec2:{region}:{}:vpc-endpoint/{}", found.owner, found.id)
}

/// The zones of subnets by their ids.
#[derive(Debug, Default)]
pub(in crate::lattice) struct Zones(std::sync::Mutex<BTreeMap<String, String>>);

impl Zones {
    fn get(&self, subnets: &BTreeSet<String>) -> BTreeMap<String, String> {
        let known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let of = |subnet: &String| Some((subnet.clone(), known.get(subnet)?.clone()));
        subnets.iter().filter_map(of).collect()
    }

    fn put(&self, read: &BTreeMap<String, String>) {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() > ZONES_MAX {
            known.clear();
        }
        known.extend(read.clone());
    }
}

/// What EC2 refuses of one VPC's endpoint costs that VPC alone: a subnet with too few addresses, a security group of another VPC.
fn unless_refused<T>(
    names: &Names,
    (network, vpc): (&str, &str),
    written: Result<T, AwsError>,
) -> Result<Option<T>, AwsError> {
    match written {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.class() == ErrorClass::Terminal => {
            let (network, vpc, message) = (network.to_owned(), vpc.to_owned(), error.to_string());
            names.lock().refused_endpoints.insert(RefusedVpcEndpoint { network, vpc, message });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Perform for CreateVpcEndpoint {
    const LANE: Lane = Lane::Vpcs;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateVpcEndpoint";
        let Self { network, vpc, subnets, security_groups, tags } = self;
        let arn = names.network(OPERATION, network)?.arn;
        let create = client.inner.ec2.create_endpoint((vpc, &arn), subnets, security_groups, tags);
        let written = client.limited(OPERATION, create).await;
        let Some(made) = unless_refused(names, (network, vpc), written)? else { return Ok(StepEnd::Done) };
        let arn = endpoint_arn(&made);
        if let Some(unit) = tags.get(TAG_UNIT) {
            client.inner.memory.add(unit, &arn);
        }
        let made = client.made(OPERATION, Some(made.id), Some(arn), tags)?;
        names.lock().vpc_endpoints.insert((network.clone(), vpc.clone()), made);
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateVpcEndpoint {
    const LANE: Lane = Lane::Vpcs;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { id, network, vpc, add_subnets, remove_subnets, add_groups, remove_groups } = self;
        let modify =
            client.inner.ec2.modify_endpoint(id, (add_subnets, add_groups), (remove_subnets, remove_groups));
        let written = client.limited("ModifyVpcEndpoint", modify).await;
        unless_refused(names, (network, vpc), written)?;
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitVpcEndpoint {
    const LANE: Lane = Lane::Await;

    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        let Self { network, vpc } = self;
        if names.lock().refused_endpoints.iter().any(|one| one.network == *network && one.vpc == *vpc) {
            return Ok(StepEnd::Done);
        }
        let known: Resource = names.vpc_endpoint("DescribeVpcEndpoints", network, vpc)?;
        until_active(&VPC_ENDPOINT, &known, until, || client.vpc_endpoint_reading(&known.id)).await
    }
}

impl Perform for DeleteVpcEndpoint {
    const LANE: Lane = Lane::DeleteVpcAssociations;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        client.limited("DeleteVpcEndpoints", client.inner.ec2.delete_endpoint(&self.id)).await?;
        let key = (self.network.clone(), self.vpc.clone());
        let mut known = names.lock();
        if known.vpc_endpoints.get(&key).is_some_and(|one| one.id == self.id) {
            known.vpc_endpoints.remove(&key);
        }
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitVpcEndpointGone {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        until_gone(&VPC_ENDPOINT_GONE, until, || client.vpc_endpoint_reading(&self.id)).await
    }
}
