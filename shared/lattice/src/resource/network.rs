//! The service network.

use super::{Holder, ResourceMut};
use crate::check::{View, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// A service network. One that exists and is not ours is used where that is allowed, and never changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredNetwork {
    /// 3–63 characters, unique in the account and Region.
    pub name: String,
    /// Tags set at creation.
    pub tags: Tags,
}

/// A service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActualNetwork {
    /// `sn-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default)]
    pub tags: Tags,
}

impl ActualNetwork {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

impl<'a> View<'a> {
    /// The network, if something may be associated with it.
    pub(crate) fn usable_network(&self, name: &str) -> Result<&'a ActualNetwork, ViolationKind> {
        let network = self.network(name)?;
        require(self.desired.may_use(network), || ViolationKind::NotAllowed { what: subject(name) })?;
        Ok(network)
    }

    pub(crate) fn network(&self, name: &str) -> Result<&'a ActualNetwork, ViolationKind> {
        there(self.state.networks.iter().find(|n| n.name == name), || subject(name))
    }
}

fn subject(network: &str) -> String {
    format!("service network {network}")
}

/// CreateServiceNetwork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateNetwork {
    /// Name.
    pub network: String,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateNetwork {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        subject(&self.network)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { network, tags } = self;
        state.networks.push(ActualNetwork {
            id: format!("sn-{network}"),
            arn: format!("arn:sn-{network}"),
            name: network.clone(),
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.bears_owner(&self.tags)?;
        let what = || ViolationKind::ThereAlready { what: self.subject() };
        require(view.network(&self.network).is_err(), what)
    }
}

impl Display for CreateNetwork {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ service network {}", self.network)
    }
}

/// DeleteServiceNetwork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteNetwork {
    /// The network's name.
    pub network: String,
    /// `sn-…`.
    pub id: String,
}

impl StepKind for DeleteNetwork {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        subject(&self.network)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.networks.retain(|n| n.id != self.id);
        state.auth.retain(|one| one.holder != Holder::Network(self.network.clone()));
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { network, id } = self;
        let held = there(view.state.networks.iter().find(|n| n.id == *id), || subject(id))?;
        ours(&held.ownership, &subject(network))?;
        let wanted = view.desired.network.as_ref().is_some_and(|w| w.name == *network);
        require(!wanted, || ViolationKind::Wanted { what: subject(network) })?;
        let mut endpoints = view.state.vpc_endpoints.iter().filter(|one| one.network == *network);
        if let Some(mine) = endpoints.find(|one| one.ownership == Ownership::Ours) {
            let held = format!("the VPC endpoint {}", mine.id);
            return Err(ViolationKind::StillHas { what: subject(network), held });
        }
        let mut associations = view.state.vpc_associations.iter().filter(|a| a.network == *network);
        let mine = associations.find(|a| a.ownership == Ownership::Ours);
        mine.map_or(Ok(()), |a| {
            let held = format!("the association of VPC {}", a.vpc);
            Err(ViolationKind::StillHas { what: subject(network), held })
        })
    }
}

impl Display for DeleteNetwork {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- service network {}", self.network)
    }
}
