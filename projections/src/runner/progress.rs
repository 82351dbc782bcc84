//! How far each read model is and whether its follower lives, as far as this process knows.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use infra::process::Pulse;
use tokio::sync::{Mutex, watch};

use crate::read_model::ReadModel;

/// How far each read model is, as far as this process knows.
#[derive(Clone)]
pub(crate) struct Progress {
    known: Arc<BTreeMap<&'static str, KnownProgress>>,
    runners: Arc<AtomicUsize>,
}

/// What is known of one read model.
pub(crate) struct KnownProgress {
    /// The table with its version.
    pub(crate) table: &'static str,
    pub(crate) position: watch::Sender<i64>,
    /// Held by the waiter that reads the checkpoint on behalf of all.
    pub(crate) turn: Mutex<()>,
    /// The pulse of the follower in this process.
    pulse: Pulse,
}

/// Counts as a runner of this process until it is dropped.
pub(crate) struct RunnerPresence(Arc<AtomicUsize>);

impl Drop for RunnerPresence {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Progress {
    pub(crate) fn new(read_models: &[&'static ReadModel]) -> Self {
        let known = read_models.iter().map(|model| {
            let (position, turn) = (watch::Sender::new(0), Mutex::new(()));
            let pulse = Pulse::default();
            (model.name, KnownProgress { table: model.table, position, turn, pulse })
        });
        Self { known: Arc::new(known.collect()), runners: Arc::default() }
    }

    /// Notes that a runner of this process reports its progress here.
    pub(crate) fn runner_started(&self) -> RunnerPresence {
        self.runners.fetch_add(1, Ordering::Relaxed);
        RunnerPresence(Arc::clone(&self.runners))
    }

    /// Whether a runner of this process reports its progress.
    pub(crate) fn has_runner(&self) -> bool {
        self.runners.load(Ordering::Relaxed) > 0
    }

    /// What is known of the read model; `None` if there is no such read model.
    pub(crate) fn of(&self, read_model: &str) -> Option<&KnownProgress> {
        self.known.get(read_model)
    }

    /// The pulse of this process's follower.
    pub(crate) fn pulse(&self, read_model: &str) -> Option<&Pulse> {
        self.known.get(read_model).map(|known| &known.pulse)
    }

    /// Tells the waiters how far these tables are; those of other versions are nobody's.
    pub(crate) fn advance_tables(&self, positions: &[(String, i64)]) {
        for (table, position) in positions {
            let name = self.known.iter().find(|(_, known)| known.table == table);
            if let Some((name, _)) = name {
                self.advance(name, *position);
            }
        }
    }

    /// Tells the waiters that the read model has all events up to `position`.
    pub(crate) fn advance(&self, read_model: &str, position: i64) {
        if let Some(known) = self.known.get(read_model) {
            known.position.send_if_modified(|known| {
                let is_news = position > *known;
                *known = position.max(*known);
                is_news
            });
        }
    }
}
