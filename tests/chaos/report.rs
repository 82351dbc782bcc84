//! What is printed at the end.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use infra::telemetry::{CLAIM_CONFLICTS, DUPLICATES_DROPPED, LEASE_EXPIRIES};

use crate::{
    checks::{log::Log, runs::Ends, topics::Counts},
    clients::{Accepted, Seen, What},
    faults::Recoveries,
    figures::Figures,
    plan::Target,
    world::World,
};

/// Everything that was counted.
pub(crate) struct Report<'a> {
    pub(crate) world: &'a World,
    pub(crate) recoveries: &'a Recoveries,
    pub(crate) accepted: &'a [Accepted],
    pub(crate) seen: &'a Seen,
    pub(crate) figures: &'a Figures,
    pub(crate) log: &'a Log,
    pub(crate) ends: &'a Ends,
    pub(crate) topics: Option<Counts>,
    pub(crate) ledger_entries: usize,
    pub(crate) read_model_rows: i64,
}

impl Report<'_> {
    pub(crate) fn print(&self) {
        self.print_faults();
        self.print_commands();
        let Ends { completed, cancelled, deleted, attempts, repeated } = self.ends;
        let failures = self.figures.sum(LEASE_EXPIRIES);
        let conflicts = self.figures.sum(CLAIM_CONFLICTS);
        eprintln!(
            "runs: {} completed, {cancelled} cancelled, {deleted} deleted before their end; {attempts} attempts, {repeated} runs \
             with more than one; at least {failures} leases ran out, {conflicts} claims conflicted",
            completed.len(),
        );
        let dropped = self.figures.sum(DUPLICATES_DROPPED);
        let replayed = self.seen.replayed.load(Ordering::Relaxed);
        eprintln!(
            "duplicates dropped: at least {dropped} requests for runs by the executors, {replayed} repeated commands by the API"
        );
        if let Some(Counts { messages, duplicates }) = self.topics {
            eprintln!("topics: {messages} messages, {duplicates} of them duplicates");
        }
        eprintln!(
            "compared: {} events of the log, {} ledger entries with undisturbed runs, {} rows with rebuilt read models",
            self.log.entries.len(),
            self.ledger_entries,
            self.read_model_rows
        );
    }

    fn print_faults(&self) {
        let count: usize = self.recoveries.values().map(Vec::len).sum();
        eprintln!("\nfaults: {count}; recovery in seconds from the end of the fault, p50 and max:");
        let mut targets: BTreeMap<Target, Vec<Duration>> = BTreeMap::new();
        for ((target, kind), times) in self.recoveries {
            let (p50, max) = p50_and_max(times.clone());
            let name = self.name(*target);
            eprintln!(
                "  {name:<12} {:<20} {:>4} {p50:>8.3} {max:>8.3}",
                kind.to_string(),
                times.len()
            );
            targets.entry(*target).or_default().extend(times);
        }
        let all = targets.into_values().flatten().collect();
        let (p50, max) = p50_and_max(all);
        eprintln!("  {:<12} {:<20} {count:>4} {p50:>8.3} {max:>8.3}", "all", "");
        let starts = self.world.ships.iter().map(|ship| ship.starts());
        let (starts, failed) =
            starts.fold((0, 0), |sum, (starts, failed)| (sum.0 + starts, sum.1 + failed));
        eprintln!("  {starts} starts of processes, {failed} more that found no database");
    }

    fn print_commands(&self) {
        let count = |what: What| self.accepted.iter().filter(|done| done.what == what).count();
        let took = self.accepted.iter().map(|done| done.took).collect();
        let (p50, max) = p50_and_max(took);
        let seen = |count: &AtomicI64| count.load(Ordering::Relaxed);
        eprintln!(
            "commands: {} accepted ({} strategies, {} backtests, {} cancellations, {} deletions), {} refused; known after \
             p50 {p50:.3} s, max {max:.3} s",
            self.accepted.len(),
            count(What::CreateStrategy),
            count(What::Request),
            count(What::Cancel),
            count(What::Delete),
            seen(&self.seen.refused),
        );
        eprintln!(
            "requests: {}, of which clients hung up on {}, {} broke, {} were told to try again",
            seen(&self.seen.tries),
            seen(&self.seen.hung_up),
            seen(&self.seen.broken),
            seen(&self.seen.unavailable),
        );
    }

    fn name(&self, target: Target) -> &'static str {
        match target {
            Target::Ship(index) => self.world.ships[index].name,
            Target::Postgres => "PostgreSQL",
            Target::Kafka => "Kafka",
        }
    }
}

/// In seconds.
fn p50_and_max(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default().as_secs_f64();
    (at(times.len() / 2), at(times.len().saturating_sub(1)))
}
