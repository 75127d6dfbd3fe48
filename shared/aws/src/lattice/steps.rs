//! The steps that make and change: each is one call, or a few of one kind.

use super::LatticeClient;
use super::convert::{sdk_health_check, sdk_target, sdk_target_group_config};
use super::index::{NetworkEntry, ServiceEntry, TargetGroupEntry};
use super::names::{Names, Resource};
use super::wait::{StepEnd, unknown};
use crate::AwsError;
use aws_sdk_vpclattice::config::http::HttpResponse;
use aws_sdk_vpclattice::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_vpclattice::types as sdk;
use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::future::Future;
use std::time::{Instant, SystemTime};
use trellis_lattice::{Status, Step, Tags, Target};

/// Targets of one RegisterTargets or DeregisterTargets (API model).
const BATCH_TARGETS_MAX: usize = 100;

impl LatticeClient {
    /// Does one step. Creates send no client token of ours: how long VPC Lattice keeps a token, and what it answers when
    /// the thing that the token made has been deleted, is not documented, so a token derived from the content could bring
    /// back the answer for a thing that is gone. The SDK's own token makes its retries safe; a create whose answer
    /// was lost is found again by its name, since names are unique.
    pub(super) async fn perform(
        &self,
        names: &Names,
        step: &Step,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        if step.is_wait() {
            return self.wait(names, step, until).await;
        }
        match step {
            Step::CreateNetwork { network, tags } => self.create_network(names, network, tags).await,
            Step::CreateVpcAssociation { .. } | Step::UpdateVpcAssociation { .. } => {
                self.associate_vpc(names, step).await
            }
            Step::CreateTargetGroup { .. } => self.create_target_group(names, step).await,
            Step::UpdateHealthCheck { .. } => self.update_health_check(names, step).await,
            Step::CreateService { .. } => self.create_service(names, step).await,
            Step::UpdateCertificate { .. } => self.update_certificate(names, step).await,
            Step::Tag { arn, tags } => self.tag(arn, tags).await,
            Step::RegisterTargets { targets, .. } => self.register(names, step, targets).await,
            Step::DeregisterTargets { targets, .. } => self.deregister(names, step, targets).await,
            Step::CreateAssociation { service, network, tags } => {
                self.associate(names, step, service, network, tags).await
            }
            Step::CreateListener { .. } => self.create_listener(names, step).await,
            Step::UpdateListener { service, port, default_action } => {
                self.update_listener(names, step, (service, *port), default_action).await
            }
            Step::UpdateRules { service, port, rules } => {
                self.update_rules(names, step, (service, *port), rules).await
            }
            Step::CreateRule { service, port, rule, tags } => {
                self.create_rule(names, step, (service, *port), rule, tags).await
            }
            _ => self.delete(names, step).await,
        }?;
        Ok(StepEnd::Done)
    }

    /// A call that changes something. After a conflict, or when a thing is missing, what was listed is no longer true.
    pub(super) async fn write<T, E>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let _permit = self.inner.in_flight.permit(operation).await;
        match request.await {
            Ok(output) => Ok(output),
            Err(error) => {
                let error = AwsError::from_sdk(operation, error);
                if error.class() == crate::ErrorClass::Stale {
                    self.forget_listings().await;
                }
                Err(error)
            }
        }
    }

    async fn create_network(&self, names: &Names, name: &str, tags: &Tags) -> Result<(), AwsError> {
        const OPERATION: &str = "CreateServiceNetwork";
        let request = self.api().create_service_network().name(name).set_tags(Some(sdk_tags(tags))).send();
        let output = self.write(OPERATION, request).await?;
        let made = self.made(OPERATION, output.id, output.arn, tags)?;
        let entry = NetworkEntry { id: made.id.clone(), arn: made.arn.clone(), name: name.to_owned() };
        names.lock().networks.insert(name.to_owned(), made);
        self.inner.networks.change(|index| _ = index.insert(entry.arn.clone(), entry)).await;
        Ok(())
    }

    async fn associate_vpc(&self, names: &Names, step: &Step) -> Result<(), AwsError> {
        const CREATE: &str = "CreateServiceNetworkVpcAssociation";
        match step {
            Step::CreateVpcAssociation { network, vpc, security_groups, tags } => {
                let known = names.lock().networks.get(network).cloned();
                let known = known.ok_or_else(|| unknown(CREATE, step))?;
                let request = self
                    .api()
                    .create_service_network_vpc_association()
                    .service_network_identifier(known.arn)
                    .vpc_identifier(vpc)
                    .set_security_group_ids(security_group_ids(security_groups))
                    .set_tags(Some(sdk_tags(tags)))
                    .send();
                let output = self.write(CREATE, request).await?;
                let mut made = self.made(CREATE, output.id, output.arn, tags)?;
                made.active = output.status == Some(sdk::ServiceNetworkVpcAssociationStatus::Active);
                names.lock().vpc_associations.insert((network.clone(), vpc.clone()), made);
            }
            Step::UpdateVpcAssociation { id, security_groups, .. } => {
                let request = self
                    .api()
                    .update_service_network_vpc_association()
                    .service_network_vpc_association_identifier(id)
                    .set_security_group_ids(security_group_ids(security_groups))
                    .send();
                self.write("UpdateServiceNetworkVpcAssociation", request).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn create_target_group(&self, names: &Names, step: &Step) -> Result<(), AwsError> {
        const OPERATION: &str = "CreateTargetGroup";
        let Step::CreateTargetGroup { target_group, config, health_check, tags } = step else {
            return Ok(());
        };
        let request = self
            .api()
            .create_target_group()
            .name(target_group)
            .r#type(sdk::TargetGroupType::Ip)
            .config(sdk_target_group_config(config, health_check))
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = self.write(OPERATION, request).await?;
        let mut made = self.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::TargetGroupStatus::Active);
        let entry = TargetGroupEntry {
            id: made.id.clone(),
            arn: made.arn.clone(),
            name: target_group.clone(),
            status: if made.active { Status::Active } else { Status::CreateInProgress },
            service_arns: BTreeSet::new(),
        };
        names.lock().target_groups.insert(target_group.clone(), made);
        self.inner.target_groups.change(|index| _ = index.insert(entry.arn.clone(), entry)).await;
        Ok(())
    }

    async fn update_health_check(&self, names: &Names, step: &Step) -> Result<(), AwsError> {
        const OPERATION: &str = "UpdateTargetGroup";
        let Step::UpdateHealthCheck { target_group, health_check } = step else { return Ok(()) };
        let known = names.lock().target_groups.get(target_group).cloned();
        let known = known.ok_or_else(|| unknown(OPERATION, step))?;
        let request = self
            .api()
            .update_target_group()
            .target_group_identifier(known.id)
            .health_check(sdk_health_check(health_check))
            .send();
        self.write(OPERATION, request).await?;
        Ok(())
    }

    async fn create_service(&self, names: &Names, step: &Step) -> Result<(), AwsError> {
        const OPERATION: &str = "CreateService";
        let Step::CreateService { service, custom_domain, certificate_arn, tags } = step else {
            return Ok(());
        };
        let request = self
            .api()
            .create_service()
            .name(service)
            .set_custom_domain_name(custom_domain.clone())
            .set_certificate_arn(certificate_arn.clone())
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = self.write(OPERATION, request).await?;
        let mut made = self.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::ServiceStatus::Active);
        made.dns_name = output.dns_entry.and_then(|entry| entry.domain_name);
        let entry = ServiceEntry {
            id: made.id.clone(),
            arn: made.arn.clone(),
            name: service.clone(),
            status: if made.active { Status::Active } else { Status::CreateInProgress },
            dns_name: made.dns_name.clone(),
            custom_domain: custom_domain.clone(),
        };
        names.lock().services.insert(service.clone(), made);
        self.inner.services.change(|index| _ = index.insert(entry.arn.clone(), entry)).await;
        Ok(())
    }

    async fn update_certificate(&self, names: &Names, step: &Step) -> Result<(), AwsError> {
        const OPERATION: &str = "UpdateService";
        let Step::UpdateCertificate { service, certificate_arn } = step else { return Ok(()) };
        let known = names.lock().services.get(service).cloned();
        let known = known.ok_or_else(|| unknown(OPERATION, step))?;
        let request =
            self.api().update_service().service_identifier(known.id).certificate_arn(certificate_arn).send();
        self.write(OPERATION, request).await?;
        Ok(())
    }

    async fn tag(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        let request = self.api().tag_resource().resource_arn(arn).set_tags(Some(sdk_tags(tags))).send();
        self.inner.tags.forget(arn);
        self.write("TagResource", request).await?;
        Ok(())
    }

    async fn register(&self, names: &Names, step: &Step, targets: &BTreeSet<Target>) -> Result<(), AwsError> {
        const OPERATION: &str = "RegisterTargets";
        let id = target_group_id(names, OPERATION, step)?;
        let mut refused = Vec::new();
        for batch in target_batches(OPERATION, targets)? {
            let request =
                self.api().register_targets().target_group_identifier(&id).set_targets(Some(batch)).send();
            refused.extend(self.write(OPERATION, request).await?.unsuccessful.into_iter().flatten());
        }
        refused_targets(OPERATION, &refused)
    }

    async fn deregister(
        &self,
        names: &Names,
        step: &Step,
        targets: &BTreeSet<Target>,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "DeregisterTargets";
        let id = target_group_id(names, OPERATION, step)?;
        let mut refused = Vec::new();
        for batch in target_batches(OPERATION, targets)? {
            let request =
                self.api().deregister_targets().target_group_identifier(&id).set_targets(Some(batch)).send();
            refused.extend(self.write(OPERATION, request).await?.unsuccessful.into_iter().flatten());
        }
        refused_targets(OPERATION, &refused)
    }

    async fn associate(
        &self,
        names: &Names,
        step: &Step,
        service: &str,
        network: &str,
        tags: &Tags,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "CreateServiceNetworkServiceAssociation";
        let (of_service, of_network) = {
            let known = names.lock();
            (known.services.get(service).cloned(), known.networks.get(network).cloned())
        };
        let (Some(of_service), Some(of_network)) = (of_service, of_network) else {
            return Err(unknown(OPERATION, step));
        };
        let request = self
            .api()
            .create_service_network_service_association()
            .service_identifier(of_service.id)
            // A network that another account shares is taken by ARN only (API reference).
            .service_network_identifier(of_network.arn)
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = self.write(OPERATION, request).await?;
        let mut made = self.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::ServiceNetworkServiceAssociationStatus::Active);
        names.lock().associations.insert((service.to_owned(), network.to_owned()), made);
        Ok(())
    }

    /// What a create has answered. Its tags are known now.
    pub(super) fn made(
        &self,
        operation: &'static str,
        id: Option<String>,
        arn: Option<String>,
        tags: &Tags,
    ) -> Result<Resource, AwsError> {
        let made = Resource::made(id, arn)
            .ok_or_else(|| AwsError::stale(operation, "the answer has no id or no ARN".to_owned()))?;
        self.inner.tags.put(&made.arn, tags.clone(), SystemTime::now());
        Ok(made)
    }
}

pub(super) fn sdk_tags(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Absent rather than empty: an empty list is not what the API calls "none".
fn security_group_ids(groups: &BTreeSet<String>) -> Option<Vec<String>> {
    Some(groups.iter().cloned().collect()).filter(|groups: &Vec<String>| !groups.is_empty())
}

pub(super) fn unbuilt(operation: &'static str, error: BuildError) -> AwsError {
    AwsError::unbuildable(operation, error)
}

fn target_group_id(names: &Names, operation: &'static str, step: &Step) -> Result<String, AwsError> {
    let (Step::RegisterTargets { target_group, .. } | Step::DeregisterTargets { target_group, .. }) = step
    else {
        return Err(unknown(operation, step));
    };
    let known = names.lock();
    known
        .target_groups
        .get(target_group)
        .map(|group| group.id.clone())
        .ok_or_else(|| unknown(operation, step))
}

fn target_batches(
    operation: &'static str,
    targets: &BTreeSet<Target>,
) -> Result<Vec<Vec<sdk::Target>>, AwsError> {
    let targets: Vec<sdk::Target> = targets
        .iter()
        .map(sdk_target)
        .collect::<Result<_, _>>()
        .map_err(|error| unbuilt(operation, error))?;
    Ok(targets.chunks(BATCH_TARGETS_MAX).map(<[sdk::Target]>::to_vec).collect())
}

/// Entries named in an error's text; a condition needs no more to show what is wrong.
pub(super) const REFUSED_NAMED_MAX: usize = 3;

fn refused_targets(operation: &'static str, refused: &[sdk::TargetFailure]) -> Result<(), AwsError> {
    if refused.is_empty() {
        return Ok(());
    }
    let mut named: Vec<String> = refused
        .iter()
        .map(|target| {
            format!(
                "{}:{} {}: {}",
                target.id().unwrap_or("?"),
                target.port().unwrap_or_default(),
                target.failure_code().unwrap_or("no code"),
                target.failure_message().unwrap_or("no message")
            )
        })
        .collect();
    named.sort();
    named.truncate(REFUSED_NAMED_MAX);
    Err(AwsError::refused(operation, format!("{} targets were refused: {}", refused.len(), named.join("; "))))
}
