//! The engine's ports on AWS.

use crate::elsewhere::Elsewhere;
use crate::lambda::LambdaApi;
use crate::{
    Aws, CallCounts, CertificateClient, Clusters, HintQueue, LatticeClient, Membership, OwnedResource,
    QuotaClient, RegisteredCluster, Registration, Unusable,
};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use trellis_directory::Listing;
use trellis_gateway::{BalancerFacts, ClusterFacts, ClusterState, InstanceFacts, Selector};
use trellis_hint::{ClusterId, Hint};
use trellis_lattice::{
    Actual, Certificate, Desired, ExternalGroup, FunctionFacts, LimitOverrides, Limits, Outcome, Owner, Plan,
    TAG_OWNER, TAG_UNIT,
};
use trellis_ports::{
    Applied, Budget, CallError, Calls, Described, Facts, Lane, Lattice, OutgoingHint, Owned, Queue,
    Registered, Registry,
};

/// The real VPC Lattice.
#[derive(Debug)]
pub struct AwsLattice {
    client: LatticeClient,
    counts: CallCounts,
    quotas: QuotaClient,
    certificates: CertificateClient,
    functions: LambdaApi,
    elsewhere: Elsewhere,
    set: LimitOverrides,
    certificate_secrets: bool,
}

impl AwsLattice {
    /// VPC Lattice of this account. Limits are those of its quotas, but for what is `set`. `certificate_secrets`: certificates of
    /// Secrets are imported.
    pub fn new(aws: &Aws, set: LimitOverrides, certificate_secrets: bool) -> Self {
        Self {
            client: aws.lattice(),
            counts: aws.counts().clone(),
            quotas: aws.quotas(),
            certificates: aws.certificates(certificate_secrets),
            functions: aws.functions(),
            elsewhere: aws.elsewhere(),
            set,
            certificate_secrets,
        }
    }
}

impl Facts for AwsLattice {
    async fn functions(&self, arns: &BTreeSet<String>) -> BTreeMap<String, FunctionFacts> {
        self.functions.functions(arns).await
    }

    async fn instances(&self, selectors: &BTreeSet<Selector>) -> BTreeMap<Selector, InstanceFacts> {
        self.elsewhere.instances(selectors).await
    }

    async fn load_balancers(&self, arns: &BTreeSet<String>) -> BTreeMap<String, BalancerFacts> {
        self.elsewhere.load_balancers(arns).await
    }
}

impl Lattice for AwsLattice {
    async fn inspect(
        &self,
        desired: &Desired,
        service_names: &[String],
        not_before: SystemTime,
    ) -> Result<Actual, CallError> {
        Ok(self.client.inspect(desired, service_names, not_before).await?)
    }

    async fn inspect_instances(&self, desired: &Desired) -> Result<Actual, CallError> {
        Ok(self.client.inspect_instances(desired).await?)
    }

    async fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        budget: Budget,
        progress: &watch::Sender<Outcome>,
    ) -> Applied {
        self.client.apply(plan, actual, budget.ends().into_std(), progress).await
    }

    async fn owned(
        &self,
        installation: &str,
        also: Option<&(String, String)>,
        take: &mut (dyn FnMut(Owned) + Send),
    ) -> Result<(), CallError> {
        self.client.owned(installation, also, |resource| take(owned(resource))).await?;
        if self.certificate_secrets {
            self.client.owned_certificates(installation, also, |resource| take(owned(resource))).await?;
        }
        Ok(())
    }

    async fn whose(&self, installation: &str, arns: &BTreeSet<String>) -> Result<Vec<Owned>, CallError> {
        let found = self.client.whose(arns).await?.into_iter();
        let ours = found.filter(|one| one.tags.get(TAG_OWNER).is_some_and(|owner| owner == installation));
        Ok(ours.map(owned).collect())
    }

    async fn limits(&self, _: &Limits) -> Limits {
        self.set.over(&self.quotas.limits().await)
    }

    async fn certificates(&self, not_before: SystemTime) -> Result<Vec<Certificate>, CallError> {
        Ok(self.certificates.all(not_before).await?)
    }

    async fn external_groups(&self, arns: &BTreeSet<String>) -> BTreeMap<String, ExternalGroup> {
        self.client.external_groups(arns).await
    }

    async fn listing(&self, budget: Budget) -> Listing {
        self.client.listing(budget).await
    }

    fn take_calls(&self) -> Calls {
        self.counts.take_calls()
    }
}

fn owned(OwnedResource { arn, kind, tags }: OwnedResource) -> Owned {
    let unit = tags.get(TAG_UNIT).cloned().unwrap_or_default();
    Owned { arn, kind, unit, key: Owner::key_in(&tags), service: None }
}

impl Queue for HintQueue {
    async fn send(&self, hints: &[OutgoingHint]) -> Result<(), CallError> {
        Ok(Self::send(self, hints).await?)
    }

    async fn send_later(&self, hint: &Hint, after: Duration) -> Result<(), CallError> {
        Ok(Self::send_later(self, hint, after).await?)
    }

    async fn put_off(&self, lane: Lane, receipt_handle: &str, after: Duration) -> Result<(), CallError> {
        Ok(Self::put_off(self, lane, receipt_handle, after).await?)
    }
}

impl Registry for Clusters {
    async fn registered(&self) -> Result<Registered, CallError> {
        let registry = Self::registered(self).await?;
        Ok(Registered {
            clusters: registry.clusters.values().map(described).collect(),
            unusable: registry.unusable.into_iter().map(|one| (unusable(&one), one.why)).collect(),
        })
    }

    fn describe_again(&self, cluster: &ClusterId) {
        Self::describe_again(self, cluster);
    }

    async fn token(&self, cluster: &Described) -> Result<String, Box<dyn Error + Send + Sync>> {
        Ok(Self::token(self, &cluster.facts.id).await?)
    }
}

fn described(cluster: &RegisteredCluster) -> Described {
    Described {
        facts: ClusterFacts {
            subnets: cluster.subnets.clone(),
            security_group: cluster.security_group.clone(),
            ip_family: cluster.ip_family,
            ..facts(&cluster.id, &cluster.membership, &cluster.vpc)
        },
        endpoint: cluster.endpoint.clone(),
        ca_pem: cluster.ca_pem.clone(),
    }
}

fn unusable(cluster: &Unusable) -> ClusterFacts {
    facts(&cluster.id, &cluster.membership, "")
}

fn facts(id: &ClusterId, said: &Membership, vpc: &str) -> ClusterFacts {
    let state = match said.registration {
        Registration::Registered => ClusterState::Registered,
        Registration::Leaving => ClusterState::Leaving,
    };
    ClusterFacts {
        id: id.clone(),
        vpc: vpc.to_owned(),
        subnets: BTreeSet::new(),
        security_group: None,
        ip_family: None,
        state,
        mode: said.mode,
        cluster_set: Some(said.cluster_set.clone()),
    }
}
