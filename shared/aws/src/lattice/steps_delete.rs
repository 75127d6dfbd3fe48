//! The steps that delete. What is already gone counts as deleted, so each can be repeated.

use super::names::{Names, forget};
use super::steps_rules::listener_ids;
use super::{LatticeClient, found};
use crate::AwsError;
use trellis_lattice::Step;

impl LatticeClient {
    pub(super) async fn delete(&self, names: &Names, step: &Step) -> Result<(), AwsError> {
        match step {
            Step::DeleteRule { service, port, id } => {
                self.delete_rule(names, step, (service, *port), id).await
            }
            Step::DeleteListener { service, port, .. } => {
                self.delete_listener(names, step, (service, *port)).await
            }
            Step::DeleteAssociation { service, network, id } => {
                let request = self
                    .api()
                    .delete_service_network_service_association()
                    .service_network_service_association_identifier(id)
                    .send();
                found(self.write("DeleteServiceNetworkServiceAssociation", request).await)?;
                names.lock().associations.remove(&(service.clone(), network.clone()));
                Ok(())
            }
            Step::DeleteService { service, id } => self.delete_service(names, service, id).await,
            Step::DeleteTargetGroup { target_group, id } => {
                self.delete_target_group(names, target_group, id).await
            }
            Step::DeleteVpcAssociation { network, vpc, id } => {
                let request = self
                    .api()
                    .delete_service_network_vpc_association()
                    .service_network_vpc_association_identifier(id)
                    .send();
                found(self.write("DeleteServiceNetworkVpcAssociation", request).await)?;
                names.lock().vpc_associations.remove(&(network.clone(), vpc.clone()));
                Ok(())
            }
            Step::DeleteNetwork { network, id } => self.delete_network(names, network, id).await,
            // All other steps are matched before.
            _ => Ok(()),
        }
    }

    async fn delete_rule(
        &self,
        names: &Names,
        step: &Step,
        at: (&String, u16),
        id: &str,
    ) -> Result<(), AwsError> {
        let (service, listener) = listener_ids(names, "DeleteRule", step, at)?;
        let request = self
            .api()
            .delete_rule()
            .service_identifier(service)
            .listener_identifier(listener)
            .rule_identifier(id)
            .send();
        found(self.write("DeleteRule", request).await)?;
        if let Some(priorities) = names.lock().priorities.get_mut(&(at.0.clone(), at.1)) {
            priorities.remove(id);
        }
        Ok(())
    }

    async fn delete_listener(&self, names: &Names, step: &Step, at: (&String, u16)) -> Result<(), AwsError> {
        let (service, listener) = listener_ids(names, "DeleteListener", step, at)?;
        let request =
            self.api().delete_listener().service_identifier(service).listener_identifier(listener).send();
        found(self.write("DeleteListener", request).await)?;
        let mut known = names.lock();
        known.listeners.remove(&(at.0.clone(), at.1));
        known.priorities.remove(&(at.0.clone(), at.1));
        Ok(())
    }

    async fn delete_service(&self, names: &Names, name: &str, id: &str) -> Result<(), AwsError> {
        let request = self.api().delete_service().service_identifier(id).send();
        found(self.write("DeleteService", request).await)?;
        names.lock().forget_service(name, id);
        self.inner.services.change(|index| index.retain(|_, entry| entry.id != id)).await;
        Ok(())
    }

    async fn delete_target_group(&self, names: &Names, name: &str, id: &str) -> Result<(), AwsError> {
        let request = self.api().delete_target_group().target_group_identifier(id).send();
        found(self.write("DeleteTargetGroup", request).await)?;
        forget(&mut names.lock().target_groups, name, id);
        self.inner.target_groups.change(|index| index.retain(|_, entry| entry.id != id)).await;
        Ok(())
    }

    async fn delete_network(&self, names: &Names, name: &str, id: &str) -> Result<(), AwsError> {
        let request = self.api().delete_service_network().service_network_identifier(id).send();
        found(self.write("DeleteServiceNetwork", request).await)?;
        forget(&mut names.lock().networks, name, id);
        self.inner.networks.change(|index| index.retain(|_, entry| entry.id != id)).await;
        Ok(())
    }
}
