//! The kinds of faults that reconcilers fail by, each with its chances in percent.

use crate::sim::Dice;

/// Which kinds a seed has. None at all once the world has become calm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is there or not, independent of the others")]
pub(crate) struct Faults {
    /// Intermediate states: an end between two effects.
    pub(crate) intermediate: bool,
    /// Stale states: reading an older view.
    pub(crate) stale: bool,
    /// Unobserved states: what happened and nobody was told of.
    pub(crate) unobserved: bool,
    /// Clusters that take requests and never answer, or late, or refuse to be read, or are half installed, or take no
    /// status.
    pub(crate) silent: bool,
    /// VPC Lattice refuses some targets, and more target groups than a quota allows.
    pub(crate) refusing: bool,
    /// Persons take clusters out, and back in.
    pub(crate) leaving: bool,
    /// Somebody who may send to the queue forges hints.
    pub(crate) hostile: bool,
}

/// Chances in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EndsInFailure {
    pub(crate) made: u32,
    pub(crate) deleted: u32,
}

impl Faults {
    /// All combinations in turn. In a quarter of the seeds hints tell of all that happens, so that nothing is left to a
    /// drift pass.
    pub(crate) fn of(seed: u64) -> Self {
        let has = |bit: u64| seed & bit != 0;
        if has(16) && has(32) {
            return Self { intermediate: has(1), hostile: has(2), ..Self::default() };
        }
        Self {
            intermediate: has(1),
            stale: has(2),
            unobserved: has(4),
            silent: has(8),
            refusing: has(16),
            leaving: has(32),
            hostile: has(64),
        }
    }

    /// Whether hints tell of all that happens, and reads of all that is.
    pub(crate) fn all_is_told(self) -> bool {
        !(self.stale || self.unobserved || self.silent || self.refusing || self.leaving)
    }

    fn when(on: bool, percent: u32) -> u32 {
        if on { percent } else { 0 }
    }

    /// An invocation is cut off at any of its calls.
    pub(crate) fn crash(self, dice: &mut Dice) -> Option<u32> {
        dice.percent(Self::when(self.intermediate, 25)).then(|| dice.up_to(60))
    }

    /// A cluster begins or ends to be silent, in a round.
    pub(crate) fn silence(self) -> u32 {
        Self::when(self.silent, 20)
    }

    /// A call to AWS fails and had no effect.
    pub(crate) fn error_before(self) -> u32 {
        Self::when(self.intermediate, 6)
    }

    /// A call to AWS fails although it had its effect.
    pub(crate) fn error_after(self) -> u32 {
        Self::when(self.intermediate, 4)
    }

    /// A status patch gets no answer; half of them have had their effect.
    pub(crate) fn patch_unanswered(self) -> u32 {
        Self::when(self.intermediate, 4)
    }

    /// What VPC Lattice makes ends in failure, and what it deletes. Nobody waits for a deletion for its own sake, so that the
    /// second is found by a drift pass only.
    pub(crate) fn ends_in_failure(self) -> EndsInFailure {
        let deleted = Self::when(self.intermediate && !self.all_is_told(), 4);
        EndsInFailure { made: Self::when(self.intermediate, 4), deleted }
    }

    /// A listing of VPC Lattice is older than what was done.
    pub(crate) fn old_listing(self) -> u32 {
        Self::when(self.stale, 20)
    }

    /// An object is read before the hinted change of it is stored, and the wait for it ends too early.
    pub(crate) fn read_too_early(self) -> u32 {
        Self::when(self.stale, 30)
    }

    /// A hint of the webhook is lost.
    pub(crate) fn hint_lost(self) -> u32 {
        Self::when(self.unobserved, 20)
    }

    /// A hint comes late.
    pub(crate) fn hint_late(self) -> u32 {
        Self::when(self.unobserved, 20)
    }

    /// A hint overtakes another of its group.
    pub(crate) fn hint_overtakes(self) -> u32 {
        Self::when(self.unobserved, 20)
    }

    /// A forged message comes, in a round.
    pub(crate) fn forged(self) -> u32 {
        Self::when(self.hostile, 60)
    }

    /// A person takes a cluster out or back in, in a round.
    pub(crate) fn person(self) -> u32 {
        Self::when(self.leaving, 10)
    }

    /// The acknowledgement of a message is lost.
    pub(crate) fn hint_twice(self) -> u32 {
        Self::when(self.unobserved, 10)
    }

    /// An admitted object is refused by a later admission.
    pub(crate) fn object_refused(self) -> u32 {
        Self::when(self.unobserved, 5)
    }

    /// A cluster changes between being there and not, in a round.
    pub(crate) fn outage(self) -> u32 {
        Self::when(self.unobserved, 15)
    }

    /// A person changes something of ours in VPC Lattice by hand, in a round.
    pub(crate) fn by_hand(self) -> u32 {
        Self::when(self.unobserved, 10)
    }
}
