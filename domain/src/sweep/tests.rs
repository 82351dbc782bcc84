//! Given events, when a command, then events: every command in every state.

use std::collections::BTreeMap;

use chrono::{TimeZone as _, Utc};
use cqrs_es::test::TestFramework;
use rust_decimal::Decimal;

use super::{Sweep, SweepCommand, SweepCompletion, SweepEvent, SweepRequest};
use crate::{
    dataset::Dataset,
    job::{Claim, JobError},
    number::Number,
    run_spec::RunSpec,
    simulation::sweep::{Axis, Goal, Objective, Search, Spec},
    strategy::{StrategyDefinition, builtins},
};

/// Rows are states, columns commands; a cell is the events that follow (`-` for none) or the refusal.
/// `A1` is executor A in attempt 1. Events are named without `Sweep`.
const TABLE: &str = "
state      request   same      start-A1  start-B1  start-B2  other-data other-engine complete-A1 same-result fail-A1   fail      cancel                confirm-A1 confirm   delete
none       Requested Requested NotFound  NotFound  NotFound  NotFound   NotFound     NotFound    NotFound    NotFound  NotFound  NotFound              NotFound   NotFound  NotFound
pending    Exists    -         Started   Started   Started   Started    Started      Stop        Stop        Stop      Failed    Cancelled             Stop       Stop      Deleted
running    Exists    -         -         Started   Started   OtherData  Started      Completed   Completed   Failed    Failed    CancellationRequested Stop       Stop      Deleted
superseded Exists    -         Stop      Stop      -         Stop       Stop         Stop        Stop        Stop      Failed    CancellationRequested Stop       Stop      Deleted
cancelling Exists    -         -         Started   Started   OtherData  Started      Completed   Completed   Cancelled Cancelled -                     Cancelled  Cancelled Deleted
completed  Exists    -         Stop      Stop      Stop      Stop       Stop         Stop        -           Stop      Stop      NotCancellable        Stop       Stop      Deleted
failed     Exists    -         Stop      Stop      Stop      Stop       Stop         Stop        Stop        -         -         NotCancellable        Stop       Stop      Deleted
cancelled  Exists    -         Stop      Stop      Stop      Stop       Stop         Stop        Stop        Stop      Stop      -                     -          -         Deleted
stopped    Exists    -         Stop      Stop      Stop      Stop       Stop         Stop        Stop        -         -         -                     -          -         Deleted
deleted    Exists    Exists    Stop      Stop      Stop      Stop       Stop         Stop        Stop        Stop      Stop      NotFound              Stop       Stop      NotFound
";

#[test]
fn every_command_in_every_state_decides_as_the_table_says() {
    let mut lines = TABLE.trim().lines().map(str::split_whitespace);
    let commands: Vec<_> = lines.next().unwrap().skip(1).collect();
    let mut cells = 0;
    for mut line in lines {
        let state = line.next().unwrap();
        for (command, expected) in commands.iter().zip(line) {
            let given = TestFramework::<Sweep>::with(()).given(history(state));
            let result = given.when(self::command(command)).inspect_result();
            assert_eq!(shown(&result), expected, "{command} when {state}");
            cells += 1;
        }
    }
    assert_eq!(cells, 10 * 15);
}

/// How the table writes a result.
fn shown(result: &Result<Vec<SweepEvent>, JobError>) -> String {
    match result {
        Ok(events) if events.is_empty() => "-".to_owned(),
        Ok(events) => {
            let names = events.iter().map(cqrs_es::DomainEvent::event_type);
            names.map(|name| name.replacen("Sweep", "", 1)).collect::<Vec<_>>().join("+")
        }
        Err(JobError::AlreadyExists(_)) => "Exists".to_owned(),
        Err(JobError::NotFound(_)) => "NotFound".to_owned(),
        Err(JobError::NotCancellable { .. }) => "NotCancellable".to_owned(),
        Err(JobError::NotRunnable(..)) => "Stop".to_owned(),
        Err(JobError::OtherDataset { .. }) => "OtherData".to_owned(),
    }
}

fn history(state: &str) -> Vec<SweepEvent> {
    let and = |before: &str, event: SweepEvent| {
        let mut events = history(before);
        events.push(event);
        events
    };
    match state {
        "none" => Vec::new(),
        "pending" => vec![SweepEvent::SweepRequested { request: Box::new(request(1)) }],
        "running" => and("pending", started("A", 1)),
        "superseded" => and("running", started("B", 2)),
        "cancelling" => and("running", SweepEvent::SweepCancellationRequested {}),
        "completed" => and("running", SweepEvent::SweepCompleted { completion: completion("00") }),
        "failed" => and(
            "running",
            SweepEvent::SweepFailed { code: "no_candles".into(), message: String::new() },
        ),
        "cancelled" => and("pending", SweepEvent::SweepCancelled {}),
        "stopped" => and("cancelling", SweepEvent::SweepCancelled {}),
        "deleted" => and("running", SweepEvent::SweepDeleted {}),
        other => panic!("no state {other}"),
    }
}

fn command(name: &str) -> SweepCommand {
    let start = |executor: &str, attempt, dataset, engine: &str| SweepCommand::Start {
        claim: claim(executor, attempt),
        dataset,
        engine_version: engine.to_owned(),
    };
    let fail = |claim| SweepCommand::Fail { claim, code: "c".into(), message: "m".into() };
    let other = Dataset { sha256: "other".into(), ..dataset() };
    match name {
        "request" => SweepCommand::Request(Box::new(request(2))),
        "same" => SweepCommand::Request(Box::new(request(1))),
        "start-A1" => start("A", 1, dataset(), "1"),
        "start-B1" => start("B", 1, dataset(), "1"),
        "start-B2" => start("B", 2, dataset(), "1"),
        "other-data" => start("A", 1, other, "1"),
        "other-engine" => start("A", 1, dataset(), "2"),
        "complete-A1" => {
            SweepCommand::Complete { claim: claim("A", 1), completion: completion("ff") }
        }
        "same-result" => {
            SweepCommand::Complete { claim: claim("A", 1), completion: completion("00") }
        }
        "fail-A1" => fail(Some(claim("A", 1))),
        "fail" => fail(None),
        "cancel" => SweepCommand::Cancel,
        "confirm-A1" => SweepCommand::ConfirmCancellation { claim: Some(claim("A", 1)) },
        "confirm" => SweepCommand::ConfirmCancellation { claim: None },
        "delete" => SweepCommand::Delete,
        other => panic!("no command {other}"),
    }
}

fn claim(executor: &str, attempt: u32) -> Claim {
    Claim { executor: executor.to_owned(), attempt }
}

fn started(executor: &str, attempt: u32) -> SweepEvent {
    SweepEvent::SweepStarted {
        executor: executor.to_owned(),
        attempt,
        dataset: dataset(),
        engine_version: "1".into(),
    }
}

fn dataset() -> Dataset {
    let day = |day| Utc.with_ymd_and_hms(2024, 1, day, 0, 0, 0).unwrap();
    Dataset {
        revision: 1,
        rows: 9,
        first: day(1),
        last: day(9),
        warmup_rows: 0,
        sha256: "s".into(),
        fine: None,
    }
}

fn completion(hash: &str) -> Box<SweepCompletion> {
    Box::new(SweepCompletion {
        rows_count: 2,
        failed_rows_count: 0,
        winners: Vec::new(),
        walk_forward: None,
        warnings: Vec::new(),
        result_hash: hash.to_owned(),
    })
}

fn request(seed: u8) -> SweepRequest {
    let golden_cross = builtins::find("golden_cross").unwrap();
    let windows = [5.0, 10.0].map(|window| Number::try_new(window).unwrap());
    let axes = BTreeMap::from([("short_window".to_owned(), Axis::Values(windows.to_vec()))]);
    SweepRequest {
        run: RunSpec {
            initial_balance: Decimal::from(10_000 + u32::from(seed)),
            parameters: BTreeMap::new(),
            ..RunSpec::example(StrategyDefinition::of_builtin(golden_cross))
        },
        spec: Spec {
            search: Search::Grid { axes },
            constraints: Vec::new(),
            objective: Objective { metric: "sharpe_ratio".into(), direction: Goal::Maximize },
            walk_forward: None,
        },
        combinations_count: 2,
    }
}
