//! What AWS tells of what Backends name.

use crate::fakes::World;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{BalancerFacts, InstanceFacts, Selector};
use trellis_lattice::FunctionFacts;
use trellis_ports::Facts;

impl Facts for World {
    async fn functions(&self, arns: &BTreeSet<String>) -> BTreeMap<String, FunctionFacts> {
        let take = self.state().functions_take;
        tokio::time::sleep(take).await;
        let known = self.state().functions.clone();
        let of = |arn: &String| known.get(arn).cloned().unwrap_or(FunctionFacts::Missing);
        arns.iter().map(|arn| (arn.clone(), of(arn))).collect()
    }

    async fn instances(&self, selectors: &BTreeSet<Selector>) -> BTreeMap<Selector, InstanceFacts> {
        let mut state = self.state();
        state.instances_asked.push(selectors.clone());
        let of = |selector: &Selector| match &state.instances_unknown {
            None => {
                let meant = state.instances.iter();
                let meant = meant.filter(|(id, one)| selector.means(id, Some(one)) == Some(true));
                InstanceFacts::Known(meant.map(|(id, one)| (id.clone(), one.clone())).collect())
            }
            Some(why) => InstanceFacts::Unknown(why.clone()),
        };
        selectors.iter().map(|selector| (selector.clone(), of(selector))).collect()
    }

    async fn load_balancers(&self, arns: &BTreeSet<String>) -> BTreeMap<String, BalancerFacts> {
        arns.iter().map(|arn| (arn.clone(), BalancerFacts::Missing)).collect()
    }
}
