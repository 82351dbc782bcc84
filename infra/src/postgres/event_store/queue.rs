//! The append queue of this process: batches waiting appends into one call, interactive commands before ledgers.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::{Id, JoinSet},
    time::Instant,
};

use super::{
    append::{Outcome, Priority},
    call::{Prepared, append_events},
    wakeups::Wakeups,
};
use crate::postgres::{
    database::{APPEND_CONNECTIONS, Database, DatabaseError},
    jobs::KINDS,
};

/// A group is closed once it has this many events; a longer append forms its own group.
const GROUP_EVENTS_MAX: usize = 250;
/// See [`Completed`]; of the time that the last group took.
const GATHER_SHARE: u32 = 4;
const GATHER_MAX: Duration = Duration::from_micros(500);
/// How long a group is retried while the database is unreachable.
const RESEND_BOUND: Duration = Duration::from_secs(15);
const RESEND_PAUSE: Duration = Duration::from_millis(100);

/// An append and where its outcome goes.
pub(super) struct Job {
    pub prepared: Prepared,
    pub outcome: oneshot::Sender<Result<Outcome, DatabaseError>>,
}

type Stream = (&'static str, String);

/// Runs until all senders of `jobs` are gone and every append has its outcome.
pub(super) async fn run(mut jobs: mpsc::Receiver<Job>, database: Database, wakeups: Wakeups) {
    let mut waiting = Waiting::default();
    let mut in_flight = JoinSet::new();
    let mut sent: HashMap<Id, Sent> = HashMap::new();
    let mut last = Completed { jobs_count: 0, gather_until: Instant::now() };
    let mut is_open = true;
    while is_open || !in_flight.is_empty() {
        tokio::select! {
            job = jobs.recv(), if is_open => match job {
                Some(job) => waiting.push(job),
                None => is_open = false,
            },
            Some(done) = in_flight.join_next_with_id() => {
                let id = match done {
                    Ok((id, ())) => id,
                    Err(error) => {
                        // Its callers see that no outcome will come.
                        tracing::error!(%error, "a group of appends was aborted");
                        error.id()
                    }
                };
                if let Some(sent) = sent.remove(&id) {
                    last = sent.completed();
                    waiting.free(sent.streams);
                }
            }
        }
        waiting.take_from(&mut jobs);
        if in_flight.is_empty() {
            waiting.gather(&mut jobs, &last).await;
        }
        while in_flight.len() < APPEND_CONNECTIONS && (in_flight.is_empty() || waiting.is_full()) {
            let group = waiting.next_group();
            if group.is_empty() {
                break;
            }
            let group_sent = Sent::now(&group);
            let task = in_flight.spawn(send(group, database.clone(), wakeups.clone()));
            sent.insert(task.id(), group_sent);
        }
    }
}

/// A group in flight.
struct Sent {
    at: Instant,
    jobs_count: usize,
    streams: Vec<Stream>,
}

impl Sent {
    fn now(group: &[Job]) -> Self {
        let streams = group.iter().flat_map(streams).collect();
        Self { at: Instant::now(), jobs_count: group.len(), streams }
    }

    fn completed(&self) -> Completed {
        let now = Instant::now();
        let gather = ((now - self.at) / GATHER_SHARE).min(GATHER_MAX);
        Completed { jobs_count: self.jobs_count, gather_until: now + gather }
    }
}

/// The last group to get its outcomes: its callers may come back with their next command in a moment, and one commit for all of
/// them is cheaper than two.
struct Completed {
    jobs_count: usize,
    gather_until: Instant,
}

/// Appends that are not in flight yet.
#[derive(Default)]
struct Waiting {
    interactive: VecDeque<Job>,
    ledger: VecDeque<Job>,
    /// Streams of the groups in flight. The unique index does not see an expected sequence above the real one, so a stream has
    /// at most one append on its way.
    busy: HashSet<Stream>,
}

impl Waiting {
    fn push(&mut self, job: Job) {
        match job.prepared.append.priority {
            Priority::Interactive => self.interactive.push_back(job),
            Priority::Ledger => self.ledger.push_back(job),
        }
    }

    fn take_from(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        while let Ok(job) = jobs.try_recv() {
            self.push(job);
        }
    }

    /// Lets the callers of the last group come back, for a small part of the time that the group took. No timer is as fine.
    async fn gather(&mut self, jobs: &mut mpsc::Receiver<Job>, last: &Completed) {
        while self.jobs_count() < last.jobs_count
            && !self.is_full()
            && Instant::now() < last.gather_until
        {
            tokio::task::yield_now().await;
            self.take_from(jobs);
        }
    }

    fn jobs_count(&self) -> usize {
        self.interactive.len() + self.ledger.len()
    }

    /// Whether a second group is worth a commit while the first is in flight.
    fn is_full(&self) -> bool {
        let events = |job: &Job| job.prepared.append.events_count();
        let mut events_count = 0;
        self.interactive.iter().chain(&self.ledger).any(|job| {
            events_count += events(job);
            events_count >= GROUP_EVENTS_MAX
        })
    }

    fn free(&mut self, streams: Vec<Stream>) {
        for stream in streams {
            self.busy.remove(&stream);
        }
    }

    /// Takes the appends that may go now and marks their streams as busy; empty if there are none.
    fn next_group(&mut self) -> Vec<Job> {
        let mut group = Vec::new();
        let mut events_count = 0;
        for queue in [&mut self.interactive, &mut self.ledger] {
            let mut index = 0;
            while index < queue.len() && events_count < GROUP_EVENTS_MAX {
                let job = &queue[index];
                let job_events = job.prepared.append.events_count();
                let is_alone = job_events > GROUP_EVENTS_MAX && !group.is_empty();
                if is_alone || streams(job).any(|stream| self.busy.contains(&stream)) {
                    index += 1;
                    continue;
                }
                self.busy.extend(streams(job));
                events_count += job_events;
                group.extend(queue.remove(index));
            }
        }
        group
    }
}

fn streams(job: &Job) -> impl Iterator<Item = Stream> {
    let streams = &job.prepared.append.streams;
    streams.iter().map(|stream| (stream.aggregate_type, stream.aggregate_id.clone()))
}

/// Appends a group and sends each command its outcome.
async fn send(group: Vec<Job>, database: Database, wakeups: Wakeups) {
    let (prepared, senders): (Vec<_>, Vec<_>) =
        group.into_iter().map(|job| (job.prepared, job.outcome)).unzip();
    let all: Vec<&Prepared> = prepared.iter().collect();
    let results = match resend(&all, &database).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(DatabaseError::Unavailable(message)) => {
            all.iter().map(|_| Err(DatabaseError::Unavailable(message.clone()))).collect()
        }
        Err(error) if all.len() == 1 => vec![Err(error)],
        // One of them is refused by the server, which must not hurt the others.
        Err(_) => {
            let mut results = Vec::with_capacity(all.len());
            for one in all {
                let result = resend(&[one], &database).await;
                results.push(result.and_then(|outcomes| {
                    let missing = || DatabaseError::Corrupt("no outcome".to_owned());
                    outcomes.into_iter().next().ok_or_else(missing)
                }));
            }
            results
        }
    };
    let last_position = results.iter().filter_map(|result| match result {
        Ok(Outcome::Appended { last_position, .. }) => Some(*last_position),
        Ok(Outcome::Duplicate { .. } | Outcome::Conflict | Outcome::Taken { .. }) | Err(_) => None,
    });
    if let Some(last_position) = last_position.max() {
        if prepared.iter().any(asks_for_a_job) {
            wakeups.asked();
        }
        wakeups.appended(last_position);
    }
    for (sender, result) in senders.into_iter().zip(results) {
        // A caller that no longer waits does not need it.
        drop(sender.send(result));
    }
}

/// Whether executors have something to look for.
fn asks_for_a_job(prepared: &Prepared) -> bool {
    let events = prepared.append.streams.iter().flat_map(|stream| &stream.events);
    let requests = KINDS.map(|kind| kind.requested);
    events.into_iter().any(|event| requests.contains(&Some(event.event_type.as_str())))
}

/// Retries until the database responds: a call whose response was lost is recognised by its command id.
async fn resend(group: &[&Prepared], database: &Database) -> Result<Vec<Outcome>, DatabaseError> {
    let deadline = Instant::now() + RESEND_BOUND;
    let mut is_resent = false;
    loop {
        let result = async {
            let client = database.get().await?;
            append_events(&client, group, is_resent).await
        };
        match result.await {
            Err(error) if error.is_connection_lost() => {
                if Instant::now() >= deadline {
                    return Err(DatabaseError::Unavailable(error.to_string()));
                }
                tracing::warn!(%error, appends = group.len(), "retrying appends");
                is_resent = true;
                tokio::time::sleep(RESEND_PAUSE).await;
            }
            result => return result,
        }
    }
}
