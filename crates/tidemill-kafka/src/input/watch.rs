//! The thread that asks the cluster for the driver, so that a batch never waits long for an answer.
//!
//! What is known is kept under one lock, and the thread asks without holding it. A look asks how far the partitions go;
//! a refresh looks for new partitions, expired offsets and topics that were made anew besides.

use super::{
    choice::{StartingOffsets, Topics},
    cluster::{Cluster, Offsets},
    held_up::HeldUp,
    loss::{Extent, Loss, Losses},
    topic_ids::TopicIds,
};
use crate::{lock::lock, offsets::TopicPartition};
use rdkafka::error::RDKafkaErrorCode;
use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use tidemill::{Clock, Error, ErrorKind, Result, SystemClock, Time, base::clock::Stopwatch};

/// For how long an end must lie before what was read already until it is believed: a new leader may be behind for a moment.
const SUSPICION: Duration = Duration::from_secs(5);

/// How long the end of commits is waited for when the stream ends.
const LAST_COMMIT: Duration = Duration::from_secs(5);

/// How many refreshes a transaction may hold up a partition before that is told: a minute, unless they are set otherwise.
const HELD_UP_REFRESHES: u32 = 6;

/// How long the thread rests after the cluster did not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// What is known of the cluster, and how far batches have come.
#[derive(Default)]
pub(super) struct Known {
    /// What the next batch begins at.
    pub(super) positions: Offsets,
    /// Whether it was found out where the stream begins; what is found later is new.
    pub(super) begun: bool,
    pub(super) ends: Offsets,
    pub(super) ids: TopicIds,
    /// Since when the cluster does not answer.
    pub(super) trouble: Option<Trouble>,
    /// Why no batch can be picked any more.
    pub(super) failure: Option<Error>,
    pub(super) held_up: HeldUp,
    suspected: BTreeMap<TopicPartition, Stopwatch>,
    /// The partitions that there were at the last refresh.
    listed: Vec<TopicPartition>,
    asked: u64,
    answered: u64,
    refreshed: bool,
    to_commit: Offsets,
    ending: bool,
}

/// A cluster that does not answer.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) since: Time,
    /// Since it was asked last.
    asked: Stopwatch,
}

/// What the thread works with.
pub(super) struct Watch {
    pub(super) topics: Topics,
    pub(super) starting: StartingOffsets,
    pub(super) losses: Arc<Losses>,
    pub(super) refresh_interval: Duration,
    known: Mutex<Known>,
    changed: Condvar,
}

impl Watch {
    pub(super) fn new(
        topics: Topics,
        starting: StartingOffsets,
        losses: Arc<Losses>,
        refresh_interval: Duration,
    ) -> Arc<Self> {
        let (known, changed) = (Mutex::default(), Condvar::new());
        Arc::new(Self { topics, starting, losses, refresh_interval, known, changed })
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// Starts the thread, and waits until the cluster has told of itself, or does not within `patience`.
    ///
    /// # Errors
    /// If it told that the program cannot run with it.
    pub(super) fn start(self: &Arc<Self>, cluster: Cluster, patience: Duration) -> Result<JoinHandle<()>> {
        let watch = self.clone();
        let name = "tidemill-kafka-watch".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || watch.run(cluster)).map_err(Error::from)?;
        let begun = |known: &mut Known| !known.refreshed && known.failure.is_none() && known.trouble.is_none();
        let known = self.changed.wait_timeout_while(self.known(), patience, begun);
        let (known, _) = known.unwrap_or_else(PoisonError::into_inner);
        match known.failure.clone() {
            None => Ok(thread),
            Some(error) => {
                drop(known);
                self.end();
                let _ = thread.join();
                Err(error)
            }
        }
    }

    /// What is known after the cluster was asked anew; what was known before, if it takes longer than `patience` to answer.
    pub(super) fn look(&self, patience: Duration) -> MutexGuard<'_, Known> {
        let mut known = self.known();
        known.asked += 1;
        let asked = known.asked;
        self.changed.notify_all();
        // A cluster in trouble is not waited for in every batch.
        let waits = |known: &mut Known| known.answered < asked && known.trouble.is_none() && known.failure.is_none();
        self.changed.wait_timeout_while(known, patience, waits).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Commits these offsets to the group, soon.
    pub(super) fn commit(&self, offsets: Offsets) {
        self.known().to_commit.extend(offsets);
        self.changed.notify_all();
    }

    /// Tells the thread to end. It commits what is to be committed first.
    pub(super) fn end(&self) {
        self.known().ending = true;
        self.changed.notify_all();
    }

    fn run(&self, mut cluster: Cluster) {
        let mut since_refresh: Option<Stopwatch> = None;
        while let Some((asks, commit)) = self.next_task(&cluster, since_refresh) {
            if !commit.is_empty() {
                cluster.commit(&commit);
            }
            let asked = self.known().asked;
            let due = since_refresh.is_none_or(|since| since.elapsed() >= self.refresh_interval);
            let outcome = asks.then(|| if due { self.refresh(&mut cluster) } else { self.ask_for_ends(&cluster) });
            // What the client has to say of it comes before what is made of it.
            cluster.serve(Duration::from_millis(1));
            let Some(outcome) = outcome else { continue };
            match &outcome {
                Ok(()) if due => since_refresh = Some(Stopwatch::start()),
                Ok(()) => {}
                // Perhaps the partitions are others now.
                Err(_) => since_refresh = None,
            }
            self.answered(&cluster, asked, outcome);
        }
        self.finish(&cluster);
    }

    /// What to do next: whether to ask the cluster, and what to commit. `None` when the stream ends.
    fn next_task(&self, cluster: &Cluster, since_refresh: Option<Stopwatch>) -> Option<(bool, Offsets)> {
        let mut known = self.known();
        loop {
            if known.ending {
                return None;
            }
            let commit = std::mem::take(&mut known.to_commit);
            let rest = self.rest(&known, since_refresh);
            if rest.is_zero() || !commit.is_empty() {
                return Some((rest.is_zero(), commit));
            }
            let under_way = cluster.log().commits_under_way();
            let pause = if under_way { rest.min(PAUSE) } else { rest };
            let (again, waited) = self.changed.wait_timeout(known, pause).unwrap_or_else(PoisonError::into_inner);
            known = again;
            if waited.timed_out() && under_way {
                return Some((false, Offsets::new()));
            }
        }
    }

    /// How long the cluster is not asked. One in trouble has its pause, however many batches come meanwhile.
    fn rest(&self, known: &Known, since_refresh: Option<Stopwatch>) -> Duration {
        match (&known.trouble, since_refresh) {
            _ if known.failure.is_some() => self.refresh_interval,
            (Some(trouble), _) => PAUSE.saturating_sub(trouble.asked.elapsed()),
            (None, Some(since)) if known.answered == known.asked => {
                self.refresh_interval.saturating_sub(since.elapsed())
            }
            (None, _) => Duration::ZERO,
        }
    }

    fn refresh(&self, cluster: &mut Cluster) -> Result<()> {
        let partitions = cluster.partitions(&self.topics).map_err(|error| self.unless_missing(error))?;
        cluster.serve(Duration::from_millis(5));
        let ids = cluster.log().ids();
        let beginnings = cluster.beginnings(&partitions)?;
        let ends = cluster.ends(&partitions)?;
        let (new, first): (Vec<_>, bool) = {
            let known = self.known();
            let new = partitions.iter().filter(|partition| !known.positions.contains_key(partition));
            (new.cloned().collect(), !known.begun)
        };
        let starting = if first { &self.starting } else { &StartingOffsets::Earliest };
        let starting = cluster.starting(&new, starting)?;
        let written_ends = if first { None } else { cluster.written_ends(&partitions)? };
        let mut known = self.known();
        let anew = known.made_anew(&ids);
        for topic in &anew {
            self.follow(&mut known, topic, &partitions, &beginnings, &ends)?;
        }
        if !first && !new.is_empty() {
            tracing::info!(partitions = ?new.iter().map(ToString::to_string).collect::<Vec<_>>(), "new partitions are read");
        }
        if let Some(written_ends) = &written_ends {
            self.tell_of_held_up(&mut known.held_up, &ends, written_ends);
        }
        known.positions.extend(starting);
        known.ids.extend(ids);
        // What an open transaction holds back is no loss.
        let ends_of_all = written_ends.unwrap_or_else(|| ends.clone());
        known.ends.extend(ends);
        known.listed = partitions;
        for (partition, begin) in &beginnings {
            self.pass_over_expired(&mut known, partition, *begin)?;
        }
        if !first {
            self.check_ends(&mut known, &beginnings, &ends_of_all)?;
        }
        (known.begun, known.refreshed) = (true, true);
        Ok(())
    }

    /// A topic that is not there when the stream is to begin is probably misspelt; one that was there may come back.
    fn unless_missing(&self, error: Error) -> Error {
        match is_missing(&error) && !self.known().begun {
            true => Error::invalid(format!("{error}; make the topic before the program starts, or name another")),
            false => error,
        }
    }

    fn ask_for_ends(&self, cluster: &Cluster) -> Result<()> {
        let partitions = self.known().listed.clone();
        let ends = cluster.ends(&partitions)?;
        if ends.is_empty() && !partitions.is_empty() {
            return Err(Error::unavailable("no partition told how far it goes"));
        }
        self.known().ends.extend(ends);
        Ok(())
    }

    /// A topic is another one under an old name: nothing of the old one can be read any more.
    fn follow(
        &self,
        known: &mut Known,
        topic: &str,
        partitions: &[TopicPartition],
        beginnings: &Offsets,
        ends: &Offsets,
    ) -> Result<()> {
        let of_topic: Vec<_> = known.positions.keys().filter(|partition| &*partition.topic == topic).cloned().collect();
        for partition in of_topic {
            let from = known.positions[&partition];
            let extent = match (beginnings.get(&partition), ends.get(&partition)) {
                (Some(begin), Some(end)) => Extent { begin: *begin, end: *end },
                _ if partitions.contains(&partition) => {
                    return Err(Error::unavailable(format!("\"{partition}\" did not tell how far it goes")));
                }
                // The new topic has fewer.
                _ => Extent { begin: 0, end: 0 },
            };
            let why = "the topic was deleted and made anew";
            let next = self.losses.go_on(&Loss { partition: &partition, from, until: None, why, extent })?;
            if ends.contains_key(&partition) {
                known.positions.insert(partition, next);
            } else {
                known.positions.remove(&partition);
            }
        }
        Ok(())
    }

    fn pass_over_expired(&self, known: &mut Known, partition: &TopicPartition, begin: i64) -> Result<()> {
        let Some(position) = known.positions.get(partition).copied().filter(|position| *position < begin) else {
            return Ok(());
        };
        let end = known.ends.get(partition).copied().unwrap_or(begin);
        let extent = Extent { begin, end };
        let why = "they expired or were deleted";
        let next = self.losses.go_on(&Loss { partition, from: position, until: None, why, extent })?;
        known.positions.insert(partition.clone(), next);
        Ok(())
    }

    /// A partition that ends before what was read of it lost its end, or is another one.
    fn check_ends(&self, known: &mut Known, beginnings: &Offsets, ends: &Offsets) -> Result<()> {
        let Known { positions, suspected, .. } = known;
        let behind = |(partition, position): (&TopicPartition, &i64)| {
            ends.get(partition).is_some_and(|end| end < position).then(|| partition.clone())
        };
        let behind: Vec<_> = positions.iter().filter_map(behind).collect();
        suspected.retain(|partition, _| behind.contains(partition));
        for partition in behind {
            let since = suspected.entry(partition.clone()).or_insert_with(Stopwatch::start);
            if since.elapsed() < SUSPICION {
                continue;
            }
            let begin = beginnings.get(&partition).copied().unwrap_or_default();
            let (from, extent) = (positions[&partition], Extent { begin, end: ends[&partition] });
            let why = "the partition ends before them; it lost its end, or the topic was made anew";
            let next = self.losses.go_on(&Loss { partition: &partition, from, until: None, why, extent })?;
            positions.insert(partition, next);
        }
        Ok(())
    }

    fn tell_of_held_up(&self, held_up: &mut HeldUp, stable_ends: &Offsets, written_ends: &Offsets) {
        let patience = self.refresh_interval * HELD_UP_REFRESHES;
        for (partition, waiting) in held_up.note(stable_ends, written_ends, patience) {
            let offset = stable_ends[&partition];
            tracing::warn!(%partition, offset, waiting, "a transaction that does not end holds up the partition: nothing \
                from this offset on is read until it ends; kafka-transactions.sh find-hanging names its producer");
        }
    }

    /// Takes note of what came of a question.
    fn answered(&self, cluster: &Cluster, asked: u64, outcome: Result<()>) {
        let mut known = self.known();
        // Who is not let in when the program starts has to change something; who was may wait.
        let outcome = if known.refreshed { outcome } else { outcome.map_err(|error| cluster.log().explained(error)) };
        match outcome {
            Ok(()) => {
                known.answered = asked;
                if let Some(trouble) = known.trouble.take() {
                    let now = SystemClock::new().now();
                    tracing::info!(topics = %self.topics, silent_for = ?now.since(trouble.since), "Kafka answers again");
                }
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                known.note_trouble(&self.topics, error, &cluster.log().complaint());
            }
            Err(error) => known.failure = Some(error),
        }
        drop(known);
        self.changed.notify_all();
    }

    /// Sends what is still to be committed, and waits a little until it is.
    fn finish(&self, cluster: &Cluster) {
        let commit = std::mem::take(&mut self.known().to_commit);
        if !commit.is_empty() {
            cluster.commit(&commit);
        }
        let since = Stopwatch::start();
        while cluster.log().commits_under_way() && since.elapsed() < LAST_COMMIT {
            cluster.serve(Duration::from_millis(10));
        }
        if cluster.log().commits_under_way() {
            tracing::warn!(topics = %self.topics, "the group did not confirm the last offsets in time");
        }
    }
}

/// Whether the cluster answered that a topic is not there.
fn is_missing(error: &Error) -> bool {
    let code = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    matches!(code, Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic))
}

impl Known {
    /// The topics that have another id than they had.
    fn made_anew(&self, ids: &TopicIds) -> Vec<String> {
        let changed = |(topic, id): &(&String, &String)| self.ids.get(*topic).is_some_and(|known| known != *id);
        ids.iter().filter(changed).map(|(topic, _)| topic.clone()).collect()
    }

    fn note_trouble(&mut self, topics: &Topics, error: Error, complaint: &str) {
        if let Some(trouble) = &mut self.trouble {
            trouble.asked = Stopwatch::start();
            return;
        }
        let since = SystemClock::new().now();
        let missing = if is_missing(&error) { "a topic is not there any more" } else { "Kafka does not answer" };
        tracing::warn!(%topics, %since, "{error}{complaint}: {missing}; batches bring nothing until that changes");
        self.trouble = Some(Trouble { since, asked: Stopwatch::start() });
    }
}
