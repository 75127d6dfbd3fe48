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
    /// Hints of a cluster that is not registered.
    HintsUnregistered: Count,
    /// Messages given back to the queue, to be tried again.
    HintsReturned: Count,
    /// Hints sent for what differed, for a look at a cluster, or because something that others refer to
    /// changed. Of both functions.
    HintsSent: Count,
    /// Units that are as they should be.
    UnitsSettled: Count,
    /// Units that wait for VPC Lattice.
    UnitsWaiting: Count,
    /// Units in which something is in the way that only a person can change; the status or the log says
    /// what.
    UnitsBlocked: Count,
    /// Units on hold: a cluster that has to be known could not be read, or took no status.
    UnitsHeld: Count,
    /// Units that failed and are tried again. Of both functions.
    UnitsFailed: Count,
    /// Plans that broke an invariant and were not applied. Any is a fault of Trellis.
    PlansRefused: Count,
    /// Steps of plans that were carried out, waits included.
    StepsApplied: Count,
    /// Requests to VPC Lattice, each attempt of a retried one counted. By operation they stand beside it in
    /// the log line, in `calls`.
    LatticeCalls: Count,
    /// Reads of Kubernetes API servers.
    KubernetesReads: Count,
    /// Status patches that an API server took.
    StatusPatches: Count,
    /// Status patches that met a newer object.
    StatusConflicts: Count,
    /// Status patches that failed or that an API server refused.
    StatusesFailed: Count,
    /// Registered clusters that could not be read. Of both functions.
    ClustersUnreadable: Count,
    /// Drift passes that came to their end: the heartbeat of the drift function. Of drift.
    DriftPasses: Count,
    /// Units looked at in depth for drift. Of both functions.
    UnitsLookedAt: Count,
    /// Units that a pass or a look that took too long has left out. Of both functions.
    UnitsLeftOut: Count,
    /// Units that a pass or a look found different. If one does again and again, somebody else manages the
    /// same resource. Of both functions.
    UnitsDrifted: Count,
    /// Routes and exports that were changed more than two minutes before a look, and of which no status
    /// tells: their hints did not come.
    ChangesMissed: Count,
    /// Resources of ours that no object asks for. Of drift.
    Orphans: Count,
    /// From taking a unit up to its status.
    UnitDuration: Milliseconds,
    /// From sending a hint to taking it up for the first time; hints for later are not counted.
    QueueDelay: Milliseconds,
    /// From the hint of a change until all is as desired, however many looks that takes: what users wait.
    /// What stays for the grace does not count.
    TimeToProgrammed: Milliseconds,
    /// From a drift pass's begin to its end. Of drift.
    PassDuration: Milliseconds,
}
