//! A look at one cluster, as the worker takes it up by the hint for the cluster.
//!
//! | tier | at | with | finds |
//! |---|---|---|---|
//! | first | every unit of the cluster, and all that bears the tags of one | the index of tags, 100 resources a call | what is missing, what nobody asks for, a change that no status tells of yet |
//! | second | what the first found, and what has fallen due since the pass before ([`super::rotation`]) | the full assessment with Get calls | everything else |
//!
//! The index of tags follows changes late: what it tells is a reason to look in depth, never to change anything.
//!
//! It goes through the units in parts, each of which reads the Services and slices that its own units name and forgets them
//! again: nobody lists slices. What a part finds is sent at once. A look that has no time left, or has sent many hints, ends,
//! and a message brings its rest.

use super::asked::{Asked, MESSAGES_MAX, looks_of};
use super::candidates::{Candidate, beside, candidates};
use super::index::Index;
use super::{LookReport, UNITS_TOLD_MAX, look_hint, object_of, read_all_units};
use crate::fleet::{Member, Members};
use crate::objects::{self, Memory};
use crate::observe::{Reader, Usual, observe};
use crate::outbox::{Outbox, outgoing};
use crate::{Engine, Task, UnitError, Verdict, moment};
use futures::{StreamExt, stream};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use trellis_gateway::{
    ObjectKey, Read, ReadResult, Report, Settings, Snapshot, is_told, statuses, to_inspect, translate,
    units_of_cluster, untold_since, wants, wants_objects,
};
use trellis_hint::{ClusterId, Hint, Kind, Look, Operation, UnitKey};
use trellis_lattice::{Actual, Outcome};
use trellis_ports::{Budget, Cluster, Clusters, ErrorClass, Lattice, OutgoingHint, Queue};
use trellis_telemetry::Metric;

/// Units of one part. With five backends each, and a thousand addresses each, its slices are about 30 MB.
const PART_UNITS: usize = 32;

/// Units inspected at once; the client bounds its reads in flight by itself.
const UNITS_AT_ONCE: usize = 8;

/// How long the look at one unit may take. A healthy one takes half a second.
const UNIT_LOOK_MAX: Duration = Duration::from_secs(8);

/// Looks of one process that are at work at once. The others of the batch wait, so that ten clusters' routes are never held
/// together.
pub(crate) const LOOKS_AT_ONCE: usize = 2;

/// No further part is begun with less time left: a part takes seconds.
const PART_RESERVE: Duration = Duration::from_secs(12);

/// A look that others keep waiting until less time is left comes by its next message: it would read the whole cluster's index, a call
/// for each hundred resources, for a part or two.
const TURN_RESERVE: Duration = Duration::from_secs(25);

/// Kept at the end for sending on what is left.
const END_RESERVE: Duration = Duration::from_secs(3);

/// Hints of one part of a look, after which it pauses: the queue's other messages must not stand behind a thousand repairs.
const HINTS_MAX: usize = 300;

/// How long it then pauses.
const PAUSE: Duration = Duration::from_mins(1);

/// Units that could not be looked at and are handed to the reconciler, which tries again: one that fails now and then must not
/// wait for its next turn, and a throttled account must not get its thousand units as hints.
const FAILED_HINTS_MAX: usize = 20;

/// A change that no status tells of after so long was not told by its hint: a unit is taken up within seconds, and ten minutes'
/// waits have told that they wait.
const UNTOLD_AFTER: Duration = Duration::from_mins(2);

/// When a cluster that could not be read is looked at again: soon enough that nobody asks why, and one message a minute is nothing.
const UNREAD_AGAIN: Duration = Duration::from_mins(1);

/// What a part is done with.
struct Scene<'a, C> {
    members: &'a Members<C>,
    index: &'a Index,
    asked: &'a Asked,
    settings: &'a Settings,
}

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// Looks at a cluster: at all of it by telling every unit, if any hint asks for that, or by a drift pass's two tiers.
    pub(crate) async fn look_at_cluster(
        &self,
        members: &Members<C::Cluster>,
        task: &Task,
        cluster: &ClusterId,
        budget: Budget,
        outbox: &Outbox,
    ) -> Result<Verdict, UnitError> {
        let Some(looks) = looks_of(task) else { return self.tell_all_units(members, cluster, outbox).await };
        let (is_alone, mut waiting, mut begun) = (looks.len() == 1, vec![], vec![]);
        for asked in looks {
            if budget.leaving(END_RESERVE).leaving(TURN_RESERVE).is_over() {
                waiting.push((asked, false));
                continue;
            }
            match self.look_in_parts(members, cluster, asked, budget).await {
                Ok(rest) => begun.extend(rest),
                Err(error) if is_alone => return Err(error),
                Err(error) => {
                    tracing::warn!(%cluster, error = %trellis_telemetry::chain(&error), "one of several looks failed: it comes alone");
                    waiting.push((asked, false));
                }
            }
        }
        // Who had no turn comes before who had, so that each gets one.
        for (rest, pauses) in waiting.into_iter().chain(begun) {
            self.go_on(cluster, rest, pauses).await?;
        }
        Ok(Verdict::Done)
    }

    /// Has a cluster that cannot be read looked at in a while, all of it in depth: what was told of it until then may have gone
    /// unheard. While it still cannot be read, that look has the next one follow. `before`: how many have followed for nothing.
    /// `catch_ups`: how many have found it readable, and then this one.
    pub(crate) async fn look_when_it_answers(
        &self,
        cluster: &ClusterId,
        before: u32,
        catch_ups: u32,
    ) -> Result<(), UnitError> {
        let look = look_hint(cluster, Look::in_depth(self.now_ms()));
        Ok(self.send_later(Hint { waits: before, catch_ups, ..look }, UNREAD_AGAIN).await?)
    }

    /// Tells all units of a cluster to look, those too that own something and whose object is gone: changes of it may have
    /// gone unnoticed. A unit that is as it should be costs its reads and changes nothing.
    async fn tell_all_units(
        &self,
        members: &Members<C::Cluster>,
        cluster: &ClusterId,
        outbox: &Outbox,
    ) -> Result<Verdict, UnitError> {
        let snapshot = read_all_units(members, cluster).await?;
        if let Some(why) = snapshot.unknown(cluster) {
            self.look_when_it_answers(cluster, 0, 1).await?;
            return Ok(Verdict::Held(why));
        }
        let index = self.index(snapshot.facts.get(cluster)).await?;
        outbox.put(units_of_cluster(cluster, &snapshot));
        outbox.put(index.of_cluster(cluster).map(|holding| (holding.unit.clone(), object_of(&holding.unit))));
        Ok(Verdict::Done)
    }

    /// Goes through the cluster's units from where the look has come to. Gives back its rest, which is to be gone through, and
    /// whether that pauses first.
    async fn look_in_parts(
        &self,
        members: &Members<C::Cluster>,
        cluster: &ClusterId,
        asked: Asked,
        budget: Budget,
    ) -> Result<Option<(Asked, bool)>, UnitError> {
        let started = Instant::now();
        let mut report = LookReport { cluster: cluster.to_string(), ..LookReport::default() };
        let budget = budget.leaving(END_RESERVE);
        let Ok(_turn) = budget.leaving(TURN_RESERVE).spend(self.looks.acquire()).await else {
            return Ok(Some((asked, false)));
        };
        let mut rest = self.look_at_units(members, cluster, &asked, budget, &mut report).await?;
        if rest.is_some() && asked.before >= MESSAGES_MAX {
            report.left_out = std::mem::take(&mut report.goes_on_with);
            rest = None;
        }
        let pauses = report.hints >= HINTS_MAX;
        report.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.note(report);
        Ok(rest.map(|look| (Asked { look, before: asked.before + 1, ..asked }, pauses)))
    }

    /// Sends the message that brings a look, or the rest of one.
    async fn go_on(&self, cluster: &ClusterId, asked: Asked, pauses: bool) -> Result<(), UnitError> {
        let Asked { look, before, catch_ups, .. } = asked;
        let hint = Hint { waits: before, catch_ups, ..look_hint(cluster, look) };
        if pauses {
            return Ok(self.send_later(hint, PAUSE).await?);
        }
        self.send_in_time(&[outgoing(hint, "rest of the look", &moment())]).await
    }

    /// The rest of the look, if there is one.
    async fn look_at_units(
        &self,
        members: &Members<C::Cluster>,
        cluster: &ClusterId,
        asked: &Asked,
        budget: Budget,
        report: &mut LookReport,
    ) -> Result<Option<Look>, UnitError> {
        let look = &asked.look;
        let mut snapshot = members.snapshot();
        if !snapshot.is_leaving(cluster) {
            snapshot = read_all_units(members, cluster).await?;
        }
        report.unknown = snapshot.unknown(cluster);
        if report.unknown.is_some() {
            // What is unknown stays as it is.
            self.look_when_it_answers(cluster, 0, asked.catch_ups.max(1)).await?;
            return Ok(None);
        }
        let index = self.index(snapshot.facts.get(cluster)).await?;
        if asked.catches_up && look.after.is_none() {
            let others = beside(cluster, &snapshot, &index).into_iter().map(|(unit, object)| {
                let hint = Hint::new(unit, object, Operation::Resync);
                outgoing(Hint { catch_ups: asked.catch_ups, ..hint }, "catch up", &look.began.to_string())
            });
            self.send_in_time(&others.collect::<Vec<_>>()).await?;
        }
        let todo = candidates(cluster, &snapshot, &index, look);
        let settings = self.settings().await;
        let scene = Scene { members, index: &index, asked, settings: &settings };
        let (mut done, mut rest) = (0, *look);
        for part in todo.chunks(PART_UNITS) {
            if budget.leaving(PART_RESERVE).is_over() || report.hints >= HINTS_MAX {
                break;
            }
            match budget.spend(self.look_at_part(&scene, part, snapshot, report)).await {
                Ok(read) => snapshot = read?,
                // It is gone through again, unless a whole message was not enough for it.
                Err(_) if done > 0 => break,
                Err(over) => {
                    let why = trellis_telemetry::chain(&over).to_string();
                    report.failed.extend(part.iter().map(|one| (one.unit.to_string(), why.clone())));
                    done += part.len();
                    rest.after = part.last().map(|last| last.place);
                    break;
                }
            }
            done += part.len();
            rest.after = part.last().map(|last| last.place);
        }
        report.units = done;
        report.goes_on_with = todo.len() - done;
        Ok((report.goes_on_with > 0).then_some(rest))
    }

    /// Looks at some units: at all of them by the index, at some in depth. Gives back the snapshot without what only they
    /// needed.
    async fn look_at_part(
        &self,
        scene: &Scene<'_, C::Cluster>,
        part: &[Candidate],
        snapshot: Snapshot,
        report: &mut LookReport,
    ) -> Result<Snapshot, UnitError> {
        let readers = scene.members.clusters.iter();
        let without_slices: BTreeMap<ClusterId, _> = readers
            .map(|(id, member)| (id.clone(), member.as_ref().map(WithoutSlices).map_err(Clone::clone)))
            .collect();
        let mut snapshot = observe(&without_slices, snapshot, Usual::new(), wants_of(part)).await?.snapshot;
        self.ask_aws(&mut snapshot).await;
        let deep: Vec<&Candidate> =
            part.iter().filter(|one| self.is_to_be_looked_at(scene, &one.unit, &snapshot)).collect();
        report.untold += deep.iter().filter(|one| is_overdue(&one.unit, &snapshot, scene.settings)).count();
        snapshot.forget(Kind::EndpointSlice);
        snapshot.forget(Kind::Pod);
        if !deep.is_empty() {
            let wants = wants_of(deep.iter().copied());
            snapshot = observe(&scene.members.clusters, snapshot, Usual::new(), wants).await?.snapshot;
            let reads = deep.iter().flat_map(|one| wants_objects(&one.unit, &snapshot)).collect();
            // What others read is compared where it can be read.
            let _: Result<(), String> = objects::read(
                scene.members,
                reads,
                &mut snapshot,
                Budget::lasting(UNIT_LOOK_MAX),
                Memory::Used,
            )
            .await;
            self.look_in_depth(scene, &deep, &snapshot, report).await?;
            snapshot.forget(Kind::DNSEndpoint);
            snapshot.forget(Kind::EndpointSlice);
            snapshot.forget(Kind::Pod);
        }
        snapshot.forget(Kind::Service);
        Ok(snapshot)
    }

    /// The first tier: whether a unit is due, or is not there as it should be.
    fn is_to_be_looked_at(&self, scene: &Scene<'_, C::Cluster>, unit: &UnitKey, snapshot: &Snapshot) -> bool {
        // It has nothing in VPC Lattice: its statuses cost no call.
        if matches!(unit, UnitKey::Dependents { .. }) {
            return true;
        }
        let translation = translate(unit, snapshot, &Actual::default(), scene.settings);
        let wanted = translation.desired.as_ref().filter(|desired| !desired.resources().is_empty());
        let is_held = scene.index.of(unit).is_some();
        let Some(desired) = wanted else {
            // What is said of an object that gets nothing depends on nothing in VPC Lattice. One that must not be changed is
            // looked at for that alone.
            let takes_away = is_held && translation.desired.is_some();
            return takes_away || !statuses(snapshot, &translation, &Outcome::default(), "").is_empty();
        };
        let is_told = translation.reports.iter().map(Report::subject).all(|subject| {
            let objects = snapshot.objects.get(&subject.cluster);
            objects.and_then(|objects| objects.get(&subject.object)).is_none_or(|object| is_told(object))
        });
        let is_partly_unknown = !translation.held.is_empty();
        !is_told
            || self.rotation.is_due(unit, &scene.asked.look)
            || scene.index.differs(unit, desired, is_partly_unknown)
    }

    /// The second tier.
    async fn look_in_depth(
        &self,
        scene: &Scene<'_, C::Cluster>,
        deep: &[&Candidate],
        snapshot: &Snapshot,
        report: &mut LookReport,
    ) -> Result<(), UnitError> {
        let hint = |one: &&Candidate| {
            let names = scene.index.of(&one.unit).map(|holding| holding.names.clone()).unwrap_or_default();
            let hint = Hint::new(one.unit.clone(), one.object.clone(), Operation::Resync);
            Hint { catch_ups: scene.asked.catch_ups, ..hint.with_service_names(names) }
        };
        let looks = deep.iter().map(hint).map(|hint| async move {
            let inspection = to_inspect(&hint.unit, snapshot, scene.settings);
            let found = self.look_at_unit(&hint, (snapshot, inspection), scene.settings);
            let found = Budget::lasting(UNIT_LOOK_MAX).spend(found).await;
            (hint, found.unwrap_or_else(|over| Err(over.into())))
        });
        let looks: Vec<_> = stream::iter(looks).buffered(UNITS_AT_ONCE).collect().await;
        report.in_depth += looks.len();
        let mut hints: Vec<OutgoingHint> = vec![];
        let moment = scene.asked.look.began.to_string();
        for (hint, found) in looks {
            match found {
                Ok(None) => continue,
                Ok(Some(drifted)) => {
                    let can_be_repaired = drifted.can_be_repaired();
                    report.drifted_count += 1;
                    if report.drifted.len() < UNITS_TOLD_MAX {
                        report.drifted.push(drifted);
                    }
                    if !can_be_repaired {
                        continue;
                    }
                }
                Err(error) => {
                    let tries_again =
                        matches!(&error, UnitError::Call(error) if error.class() != ErrorClass::Terminal);
                    let is_among_few = report.failed.len() < FAILED_HINTS_MAX;
                    report.failed.insert(hint.unit.to_string(), trellis_telemetry::chain(&error).to_string());
                    if !(tries_again && is_among_few) {
                        continue;
                    }
                }
            }
            hints.push(outgoing(hint, "drift", &moment));
        }
        if !hints.is_empty() {
            self.send_in_time(&hints).await?;
        }
        report.hints += hints.len();
        Ok(())
    }

    /// Logs and counts a part of a look.
    fn note(&self, report: LookReport) {
        let LookReport { in_depth, drifted_count, failed, untold, hints, left_out, .. } = &report;
        self.figures.add(Metric::UnitsLookedAt, *in_depth);
        self.figures.add(Metric::UnitsDrifted, *drifted_count);
        self.figures.add(Metric::UnitsFailed, failed.len());
        self.figures.add(Metric::ChangesMissed, *untold);
        self.figures.add(Metric::HintsSent, *hints);
        self.figures.add(Metric::UnitsLeftOut, *left_out);
        tracing::info!(look = %serde_json::to_string(&report).unwrap_or_default(), "look at a cluster");
        self.keep_look(report);
    }
}

/// Whether a route or an export was changed a while ago, and no status tells of that although we have a word to say.
fn is_overdue(unit: &UnitKey, snapshot: &Snapshot, settings: &Settings) -> bool {
    let (cluster, kind, namespace, name) = match unit {
        UnitKey::Route { kind, cluster, namespace, name }
        | UnitKey::Resource { kind, cluster, namespace, name } => (cluster, *kind, namespace, name),
        UnitKey::Export { cluster, namespace, name } => (cluster, Kind::ServiceExport, namespace, name),
        UnitKey::Gateway { .. }
        | UnitKey::Merged { .. }
        | UnitKey::Dependents { .. }
        | UnitKey::Cluster { .. } => return false,
    };
    let key = ObjectKey { kind, namespace: namespace.clone(), name: name.clone() };
    let object = snapshot.objects.get(cluster).and_then(|objects| objects.get(&key));
    let since =
        object.and_then(|object| untold_since(object)).and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let is_long_ago = since.is_some_and(|since| {
        let ago = jiff::Timestamp::now().duration_since(since);
        Duration::try_from(ago).is_ok_and(|ago| ago >= UNTOLD_AFTER)
    });
    // Of another controller's we say nothing.
    is_long_ago
        && translate(unit, snapshot, &Actual::default(), settings)
            .reports
            .iter()
            .map(Report::subject)
            .any(|subject| (&subject.cluster, &subject.object) == (cluster, &key))
}

/// What these units want: each is asked until it wants nothing more.
fn wants_of<'a>(part: impl IntoIterator<Item = &'a Candidate>) -> impl FnMut(&Snapshot) -> Vec<Read> {
    let mut open: Vec<&Candidate> = part.into_iter().collect();
    move |snapshot| {
        let mut all = vec![];
        open.retain(|one| {
            let reads = wants(&one.unit, snapshot);
            let is_open = !reads.is_empty();
            all.extend(reads);
            is_open
        });
        all
    }
}

/// A cluster that is not asked for EndpointSlices. How many resources a unit wants depends on no endpoint.
struct WithoutSlices<'a, C>(&'a Member<C>);

impl<C: Cluster> Reader for WithoutSlices<'_, C> {
    async fn read(&self, read: &Read) -> ReadResult {
        match read {
            Read::List { kind: Kind::EndpointSlice, .. } => ReadResult::Objects(vec![]),
            Read::List { .. } | Read::Get { .. } => self.0.read(read).await,
        }
    }

    fn is_given_up(&self, why: &str) {
        self.0.is_given_up(why);
    }
}
