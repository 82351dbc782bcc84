//! Every accepted command is in the log exactly once, and nothing is there that nobody asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::log::{Happened, Log, positions};
use crate::{
    clients::{Accepted, What},
    journal::Journal,
};

/// What was asked for, by aggregate id.
type Asked<'a> = BTreeMap<&'a str, Vec<&'a Accepted>>;

pub(crate) fn check(journal: &Journal, log: &Log, accepted: &[Accepted]) {
    let of = |whats: &[What]| {
        let mut asked = Asked::new();
        for command in accepted.iter().filter(|command| whats.contains(&command.what)) {
            asked.entry(&command.id).or_default().push(command);
        }
        asked
    };
    made_once(journal, log, ("strategy", "StrategyCreated"), &of(&[What::CreateStrategy]));
    made_once(journal, log, ("backtest", "BacktestRequested"), &of(&[What::Request]));
    let (cancelled, deleted) = (of(&[What::Cancel]), of(&[What::Delete]));
    for (id, story) in log.stories("backtest") {
        check_cancellation(journal, id, story, cancelled.get(id));
        check_deletion(journal, id, story, deleted.get(id));
    }
}

/// One event for one command, at the position that its client was told.
fn made_once(journal: &Journal, log: &Log, (kind, event_type): (&str, &str), asked: &Asked<'_>) {
    let mut missing: BTreeSet<&str> = asked.keys().copied().collect();
    for (id, story) in log.stories(kind) {
        missing.remove(id);
        let found = positions(story, event_type);
        let told = asked.get(id).map(Vec::as_slice).unwrap_or_default();
        match (told, found.as_slice()) {
            ([command], [position]) if command.position == Some(*position) => {}
            _ => journal.wrong(&format!("{event_type} of {id} at {found:?}, and told: {told:?}")),
        }
    }
    for id in missing {
        journal.wrong(&format!("{kind} {id} was accepted, and is not in the log"));
    }
}

/// Cancelled at once, or asked for and then cancelled unless the run's end came first.
fn check_cancellation(
    journal: &Journal,
    id: &str,
    story: &[Happened],
    asked: Option<&Vec<&Accepted>>,
) {
    let requested = positions(story, "BacktestCancellationRequested");
    let cancelled = positions(story, "BacktestCancelled");
    let first = requested.first().or(cancelled.first());
    let is_well = match (asked.map(Vec::as_slice), first) {
        (None, first) => first.is_none(),
        (Some([command]), Some(first)) => {
            command.position.is_some_and(|told| told >= *first)
                && requested.len() <= 1
                && cancelled.len() <= 1
        }
        (Some(_), _) => false,
    };
    if !is_well {
        let text = format!(
            "cancellation of {id}: requested at {requested:?}, cancelled at {cancelled:?}, asked: {asked:?}"
        );
        journal.wrong(&text);
    }
}

fn check_deletion(journal: &Journal, id: &str, story: &[Happened], asked: Option<&Vec<&Accepted>>) {
    let found = positions(story, "BacktestDeleted");
    let is_well = match (asked.map(Vec::as_slice), found.as_slice()) {
        (None, []) => true,
        (Some([command]), [position]) => command.position.is_none_or(|told| told == *position),
        (None | Some(_), _) => false,
    };
    if !is_well {
        journal.wrong(&format!("deletion of {id} at {found:?}, and asked: {asked:?}"));
    }
}
