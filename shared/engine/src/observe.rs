//! Reads what the core wants, in rounds.

mod usual;

pub(crate) use usual::{Usual, UsualReads};

use futures::{StreamExt, future, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use trellis_gateway::{Read, ReadResult, Snapshot};
use trellis_hint::ClusterId;

/// How many reads of one cluster run at once. An API server gives a client of no special priority a few dozen places;
/// 8 keep a round at two or three round trips and leave room for other units of the batch.
pub(crate) const READS_AT_ONCE_MAX: usize = 8;

/// How often the core may ask for more. A route refers to Pods over at most nine steps ([`trellis_gateway::ROUNDS_MAX`]); more
/// would be a core that goes round in a circle.
pub(crate) const ROUNDS_MAX: usize = 10;

/// How long the reads of one cluster may take in sum before the unit goes on without it: several times what a healthy one
/// needs, and less than half of what a unit has.
pub(crate) const CLUSTER_TIME_MAX: Duration = Duration::from_secs(10);

/// Answers reads of one cluster.
pub(crate) trait Reader: Sync {
    /// Answers a read; a failure is an answer too.
    fn read(&self, read: &Read) -> impl Future<Output = ReadResult> + Send;

    /// Is told that this cluster takes longer than anybody waits.
    fn is_given_up(&self, why: &str);
}

/// What was read, and what it took.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// All answers.
    pub snapshot: Snapshot,
    /// How many reads were answered.
    pub reads: usize,
    /// In how many rounds.
    pub rounds: usize,
}

/// Why the reading did not come to an end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// The core still wants to read after [`ROUNDS_MAX`] rounds. A fault of Trellis.
    #[error("{0} reads are still wanted after {ROUNDS_MAX} rounds")]
    NoEnd(usize),
}

/// Reads what `wants` asks for, asks it again with the answers, and so on until it wants nothing that is not answered.
///
/// `clusters` has a reader for each registered cluster, or the reason why there is none; a cluster that is not in it is
/// not registered. `start` is what is known before (facts, the hint's object), `usual` what was wanted of each cluster the
/// last time: once one is asked anything, it is asked for all of that too, which mostly makes one round of several. Clusters are read side by side, at most
/// [`READS_AT_ONCE_MAX`] reads of each at once. The first failure of a cluster ends its round: a cluster that cannot be
/// read is known as such by one read. One whose reads take longer than [`CLUSTER_TIME_MAX`] in sum cannot be read either.
pub(crate) async fn observe<R: Reader>(
    clusters: &BTreeMap<ClusterId, Result<R, String>>,
    start: Snapshot,
    mut usual: Usual,
    mut wants: impl FnMut(&Snapshot) -> Vec<Read>,
) -> Result<Observed, ObserveError> {
    let (mut snapshot, mut reads, mut rounds) = (start, 0, 0);
    let mut spent: BTreeMap<ClusterId, Duration> = BTreeMap::new();
    loop {
        let mut open: BTreeSet<Read> =
            wants(&snapshot).into_iter().filter(|read| !snapshot.has_answer(read)).collect();
        if open.is_empty() {
            return Ok(Observed { snapshot, reads, rounds });
        }
        if rounds == ROUNDS_MAX {
            return Err(ObserveError::NoEnd(open.len()));
        }
        rounds += 1;
        let asked: BTreeSet<ClusterId> = open.iter().map(|read| read.cluster().clone()).collect();
        let before = asked.iter().flat_map(|cluster| usual.remove(cluster).unwrap_or_default());
        open.extend(before.filter(|read| !snapshot.has_answer(read)));
        let mut by_cluster: BTreeMap<ClusterId, Vec<Read>> = BTreeMap::new();
        for read in open {
            by_cluster.entry(read.cluster().clone()).or_default().push(read);
        }
        let parts = by_cluster.into_iter().map(|(name, reads)| {
            let left = CLUSTER_TIME_MAX.saturating_sub(spent.get(&name).copied().unwrap_or_default());
            read_cluster(clusters.get(&name), name, reads, left)
        });
        for (name, took, answers) in future::join_all(parts).await {
            *spent.entry(name).or_default() += took;
            for (read, result) in answers {
                reads += 1;
                snapshot.insert(&read, result);
            }
        }
    }
}

/// One cluster's part of a round, up to its first failure: its name, the time that it took, the answers.
async fn read_cluster<R: Reader>(
    reader: Option<&Result<R, String>>,
    cluster: ClusterId,
    reads: Vec<Read>,
    left: Duration,
) -> (ClusterId, Duration, Vec<(Read, ReadResult)>) {
    let began = Instant::now();
    let answers = match reader {
        Some(Ok(reader)) => read_in_time(reader, &cluster, reads, began + left).await,
        Some(Err(reason)) => unreadable(reads, reason.clone()),
        None => unreadable(reads, format!("cluster {} is not registered", cluster.name)),
    };
    (cluster, began.elapsed(), answers)
}

async fn read_in_time<R: Reader>(
    reader: &R,
    cluster: &ClusterId,
    reads: Vec<Read>,
    ends: Instant,
) -> Vec<(Read, ReadResult)> {
    let mut answers = Vec::with_capacity(reads.len());
    let mut running =
        stream::iter(reads.clone().into_iter().map(|read| answer(reader, read))).buffered(READS_AT_ONCE_MAX);
    loop {
        match tokio::time::timeout_at(ends, running.next()).await {
            Ok(None) => return answers,
            Ok(Some((read, result))) => {
                let failed = matches!(result, ReadResult::Unreadable(_));
                answers.push((read, result));
                if failed {
                    return answers;
                }
            }
            Err(_) => {
                let seconds = CLUSTER_TIME_MAX.as_secs();
                let why = format!("the reads of cluster {} take longer than {seconds} s", cluster.name);
                reader.is_given_up(&why);
                let open = reads.into_iter().skip(answers.len()).collect();
                answers.extend(unreadable(open, why));
                return answers;
            }
        }
    }
}

async fn answer<R: Reader>(reader: &R, read: Read) -> (Read, ReadResult) {
    let result = reader.read(&read).await;
    (read, result)
}

/// The first read's failure: it speaks for the whole cluster.
fn unreadable(reads: Vec<Read>, reason: String) -> Vec<(Read, ReadResult)> {
    let first = reads.into_iter().next();
    first.map(|read| (read, ReadResult::Unreadable(reason))).into_iter().collect()
}

#[cfg(test)]
mod tests;
