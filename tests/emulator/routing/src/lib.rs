//! How the data plane of VPC Lattice chooses: from a VPC and a request to a service, a listener, a rule and its target groups.
//!
//! Pure, and without the emulator's resources: whoever has an account in a form of its own, such as a simulation, tells it by
//! [`Site`] and [`ServicePlan`] and asks the very decision that the emulator makes.
//!
//! * [`reach`]: the service that a host name means for clients of a VPC.
//! * [`plan`]: the listeners and rules of a service, and the choice among them.
//! * [`matching`]: whether a rule's conditions hold for a request.

pub mod matching;
pub mod plan;
mod site;

pub use matching::{Comparison, Conditions, PrefixMode, Request, TextMatch, matches};
pub use plan::{Action, ListenerPlan, Reading, ServicePlan, Share, choose};
pub use site::{Site, reach};
