//! Looking things up in a state; what is missing or not ours is an error in words.

use crate::actual::{
    Actual, ActualAssociation, ActualListener, ActualNetwork, ActualRule, ActualService, ActualTargetGroup,
    ActualVpcAssociation,
};
use crate::desired::{DesiredListener, DesiredService, DesiredTargetGroup};
use crate::{Desired, Limits, Ownership};

/// What there is and what is wanted when a step is to be done.
pub(super) struct View<'a> {
    pub(super) state: &'a Actual,
    pub(super) desired: &'a Desired,
    pub(super) limits: &'a Limits,
}

impl<'a> View<'a> {
    pub(super) fn network(&self, name: &str) -> Result<&'a ActualNetwork, String> {
        let found = self.state.networks.iter().find(|n| n.name == name);
        found.ok_or_else(|| format!("service network {name} is not there"))
    }

    pub(super) fn service(&self, name: &str) -> Result<&'a ActualService, String> {
        let found = self.state.services.iter().find(|s| s.name == name);
        found.ok_or_else(|| format!("service {name} is not there"))
    }

    pub(super) fn service_by_id(&self, id: &str) -> Result<&'a ActualService, String> {
        let found = self.state.services.iter().find(|s| s.id == id);
        found.ok_or_else(|| format!("service {id} is not there"))
    }

    pub(super) fn our_service(&self, name: &str) -> Result<&'a ActualService, String> {
        let service = self.service(name)?;
        ours(&service.ownership, name)?;
        Ok(service)
    }

    pub(super) fn listener(&self, service: &str, port: u16) -> Result<&'a ActualListener, String> {
        let found = self.our_service(service)?.listeners.iter().find(|l| l.port == port);
        found.ok_or_else(|| format!("listener {service}:{port} is not there"))
    }

    pub(super) fn association(&self, service: &str, network: &str) -> Result<&'a ActualAssociation, String> {
        let found = self.service(service)?.associations.iter().find(|a| a.network == network);
        found.ok_or_else(|| format!("service {service} is not associated with {network}"))
    }

    pub(super) fn association_by_id(&self, service: &str, id: &str) -> Result<&'a ActualAssociation, String> {
        let found = self.service(service)?.associations.iter().find(|a| a.id == id);
        found.ok_or_else(|| format!("association {id} is not there"))
    }

    pub(super) fn vpc_association(
        &self,
        network: &str,
        vpc: &str,
    ) -> Result<&'a ActualVpcAssociation, String> {
        let found = self.state.vpc_associations.iter().find(|a| a.network == network && a.vpc == vpc);
        found.ok_or_else(|| format!("VPC {vpc} is not associated with {network}"))
    }

    pub(super) fn vpc_association_by_id(&self, id: &str) -> Result<&'a ActualVpcAssociation, String> {
        let found = self.state.vpc_associations.iter().find(|a| a.id == id);
        found.ok_or_else(|| format!("VPC association {id} is not there"))
    }

    pub(super) fn group(&self, name: &str) -> Result<&'a ActualTargetGroup, String> {
        let found = self.state.target_groups.iter().find(|g| g.name == name);
        found.ok_or_else(|| format!("target group {name} is not there"))
    }

    pub(super) fn our_group(&self, name: &str) -> Result<&'a ActualTargetGroup, String> {
        let group = self.group(name)?;
        ours(&group.ownership, name)?;
        Ok(group)
    }

    pub(super) fn group_by_id(&self, id: &str) -> Result<&'a ActualTargetGroup, String> {
        let found = self.state.target_groups.iter().find(|g| g.id == id);
        found.ok_or_else(|| format!("target group {id} is not there"))
    }

    pub(super) fn wanted_service(&self, name: &str) -> Option<&'a DesiredService> {
        self.desired.services.iter().find(|s| s.name == name)
    }

    pub(super) fn wanted_listener(&self, service: &str, port: u16) -> Option<&'a DesiredListener> {
        self.wanted_service(service)?.listeners.iter().find(|l| l.port == port)
    }

    pub(super) fn wanted_group(&self, name: &str) -> Option<&'a DesiredTargetGroup> {
        self.desired.target_groups.iter().find(|g| g.name == name)
    }
}

pub(super) fn ours(ownership: &Ownership, what: &str) -> Result<(), String> {
    require(*ownership == Ownership::Ours, || format!("{what} is not ours but {ownership:?}"))
}

/// One of the listener's rules that is ours.
pub(super) fn our_rule<'a>(listener: &'a ActualListener, id: &str) -> Result<&'a ActualRule, String> {
    let rule = listener.rules.iter().find(|r| r.id == id);
    let rule = rule.ok_or_else(|| format!("rule {id} is not there"))?;
    ours(&rule.ownership, id)?;
    Ok(rule)
}

/// The condition, or what is wrong without it.
pub(super) fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
