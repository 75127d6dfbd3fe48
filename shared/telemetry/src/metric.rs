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
    /// Units that wait for VPC Lattice.
    UnitsWaiting: Count,
    /// Units in which something is in the way that only a person can change; the status or the log says what.
    UnitsBlocked: Count,
    /// Units of which something is not known or not told, since a cluster could not be read or took no status.
    UnitsHeld: Count,
    /// Units that failed.
    UnitsFailed: Count,
    /// Plans that broke an invariant and were not applied. Any is a fault of Trellis.
    PlansRefused: Count,
    /// Steps of plans that were carried out, waits included.
    StepsApplied: Count,
    /// Requests to VPC Lattice, each attempt of a retried one counted.
    LatticeCalls: Count,
    /// Reads of Kubernetes API servers.
    KubernetesReads: Count,
    /// Status patches that an API server took.
    StatusPatches: Count,
    /// Status patches that met a newer object.
    StatusConflicts: Count,
    /// Status patches that failed or that an API server refused.
    StatusesFailed: Count,
    /// Registered clusters that could not be read.
    ClustersUnreadable: Count,
    /// Drift passes that came to their end: the heartbeat of the drift function.
    DriftPasses: Count,
    /// Units that a drift pass looked at.
    UnitsLookedAt: Count,
    /// Units that a drift pass had no time to look at.
    UnitsLeftOut: Count,
    /// Units that the drift pass found different from what they should be.
    UnitsDrifted: Count,
    /// Routes and exports that were changed minutes before a look, and of which no status tells: their hints did not come.
    ChangesMissed: Count,
    /// Resources of ours that no unit wants.
    Orphans: Count,
    /// From taking a unit up to its status.
    UnitDuration: Milliseconds,
    /// From sending a hint to taking it up.
    QueueDelay: Milliseconds,
    /// From sending a hint of a change to the end of its unit with nothing left to do or to wait for.
    TimeToProgrammed: Milliseconds,
    /// From a drift pass's begin to its end.
    PassDuration: Milliseconds,
}
