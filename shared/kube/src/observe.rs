use futures::{StreamExt, future, stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use trellis_gateway::{Read, ReadResult, Snapshot};
use trellis_hint::ClusterId;

/// How many reads of one cluster run at once. An API server gives a client of no special priority a few dozen places;
/// 8 keep a round at two or three round trips and leave room for other units of the batch.
pub const READS_AT_ONCE_MAX: usize = 8;

/// How often the core may ask for more. A route refers to services over at most five steps (route, gateways, services and
/// imports, exports, their services); more would be a core that goes round in a circle.
pub const ROUNDS_MAX: usize = 8;

/// Answers reads of one cluster.
pub trait Reader: Sync {
    /// Answers a read; a failure is an answer too.
    fn read(&self, read: &Read) -> impl Future<Output = ReadResult> + Send;
}

impl<R: Reader + Send> Reader for Arc<R> {
    fn read(&self, read: &Read) -> impl Future<Output = ReadResult> + Send {
        R::read(self, read)
    }
}

/// What was read, and what it took.
#[derive(Debug, Clone)]
pub struct Observed {
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
/// not registered. `start` is what is known before (facts, the hint's object). Clusters are read side by side, at most
/// [`READS_AT_ONCE_MAX`] reads of each at once. The first failure of a cluster ends its round: a cluster that cannot be
/// read is known as such by one read.
pub async fn observe<R: Reader>(
    clusters: &BTreeMap<ClusterId, Result<R, String>>,
    start: Snapshot,
    wants: impl Fn(&Snapshot) -> Vec<Read>,
) -> Result<Observed, ObserveError> {
    let (mut snapshot, mut reads, mut rounds) = (start, 0, 0);
    loop {
        let open: BTreeSet<Read> =
            wants(&snapshot).into_iter().filter(|read| !snapshot.has_answer(read)).collect();
        if open.is_empty() {
            return Ok(Observed { snapshot, reads, rounds });
        }
        if rounds == ROUNDS_MAX {
            return Err(ObserveError::NoEnd(open.len()));
        }
        rounds += 1;
        let mut by_cluster: BTreeMap<ClusterId, Vec<Read>> = BTreeMap::new();
        for read in open {
            by_cluster.entry(read.cluster().clone()).or_default().push(read);
        }
        let parts =
            by_cluster.into_iter().map(|(name, reads)| read_cluster(clusters.get(&name), name, reads));
        for (read, result) in future::join_all(parts).await.into_iter().flatten() {
            reads += 1;
            snapshot.insert(read, result);
        }
    }
}

/// One cluster's part of a round, up to its first failure.
async fn read_cluster<R: Reader>(
    reader: Option<&Result<R, String>>,
    cluster: ClusterId,
    reads: Vec<Read>,
) -> Vec<(Read, ReadResult)> {
    let reader = match reader {
        Some(Ok(reader)) => reader,
        Some(Err(reason)) => return unreadable(reads, reason.clone()),
        None => return unreadable(reads, format!("cluster {} is not registered", cluster.name)),
    };
    let mut answers = Vec::with_capacity(reads.len());
    let mut running =
        stream::iter(reads.into_iter().map(|read| answer(reader, read))).buffered(READS_AT_ONCE_MAX);
    while let Some((read, result)) = running.next().await {
        let failed = matches!(result, ReadResult::Unreadable(_));
        answers.push((read, result));
        if failed {
            break;
        }
    }
    answers
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
