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
    /// Messages that are no hint: malformed, too long or of an unknown schema. They are acknowledged.
    HintsRefused: Count,
    /// Messages given back to the queue.
    HintsReturned: Count,
    /// Hints sent, by the drift pass or because something that others refer to changed.
    HintsSent: Count,
    /// Units that are as they should be.
    UnitsSettled: Count,
    /// Units that wait for VPC Lattice.
    UnitsWaiting: Count,
    /// Units on hold: a cluster that has to be known could not be read.
    UnitsHeld: Count,
    /// Units that failed.
    UnitsFailed: Count,
    /// Plans that broke an invariant and were not applied. Any is a fault of Trellis.
    PlansRefused: Count,
    /// Calls to AWS.
    AwsCalls: Count,
    /// Drift passes that came to their end: the heartbeat of the drift function.
    DriftPasses: Count,
    /// From a drift pass's begin to its end.
    PassDuration: Milliseconds,
    /// Units that a drift pass looked at.
    UnitsLookedAt: Count,
    /// Units that a drift pass found different from what they should be.
    UnitsDrifted: Count,
    /// Units that a drift pass had no time to look at.
    UnitsLeftOut: Count,
    /// Registered clusters that a drift pass could not read.
    ClustersUnreadable: Count,
    /// Resources of ours that a drift pass found and no object wants.
    Orphans: Count,
}
