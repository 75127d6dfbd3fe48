/// A metric's unit, as CloudWatch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How many.
    Count,
    /// A time.
    Milliseconds,
}

impl Unit {
    /// The unit's name in the embedded metric format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident: $unit:ident,)+) => {
        /// Every metric there is: its name (the variant's), its unit and what it counts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Metric {
            /// All of them, in the table's order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in CloudWatch.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// The unit in CloudWatch.
            pub const fn unit(self) -> Unit {
                match self { $(Self::$name => Unit::$unit),+ }
            }
        }
    };
}

metrics! {
    /// Messages taken from the queue.
    HintsReceived: Count,
    /// Messages that are no hint: malformed, too long or of an unknown schema.
    HintsRefused: Count,
    /// Hints of a cluster that is not registered.
    HintsUnregistered: Count,
    /// Messages given back to the queue.
    HintsReturned: Count,
    /// Hints sent, by the drift pass or because something that others refer to changed.
    HintsSent: Count,
    /// Units that are as they should be.
    UnitsSettled: Count,
    /// Units that wait for VPC Lattice or for a cluster.
    UnitsWaiting: Count,
    /// Units in which something is blocked that only a person can change.
    UnitsBlocked: Count,
    /// Units that failed.
    UnitsFailed: Count,
    /// Plans that broke an invariant and were not applied. Any is a fault of Trellis.
    PlansRefused: Count,
    /// Steps of plans that were carried out.
    StepsApplied: Count,
    /// Calls to VPC Lattice.
    LatticeCalls: Count,
    /// Requests to Kubernetes API servers.
    KubernetesReads: Count,
    /// Status patches that an API server took.
    StatusPatches: Count,
    /// Status patches that met a newer object.
    StatusConflicts: Count,
    /// Registered clusters that could not be read.
    ClustersUnreadable: Count,
    /// Units that the drift pass found different from what they should be.
    UnitsDrifted: Count,
    /// Resources of ours that no unit wants.
    Orphans: Count,
    /// From taking a unit up to its status.
    UnitDuration: Milliseconds,
}
