//! Given events, when a command, then events: every command in every state.

use std::collections::BTreeMap;

use chrono::{TimeZone as _, Utc};
use cqrs_es::test::TestFramework;
use rust_decimal::Decimal;

use super::{Backtest, BacktestCommand, BacktestEvent, Completion, Origin, Request};
use crate::{
    dataset::Dataset,
    decimals::Decimals,
    job::{Claim, JobError, Status},
    run_spec::RunSpec,
    simulation::{OrderKind, Side, UnfilledOrder, metrics::Metrics},
    strategy::{StrategyDefinition, builtins},
};

/// Rows are states, columns commands; a cell is the events that follow (`-` for none) or the refusal.
/// `A1` is executor A in attempt 1. Events are named without `Backtest`.
const TABLE: &str = "
state            request same-request  claim-A1   claim-B1   claim-B2   start-A1   other-data start-new  complete-A1 same-result fail-A1    fail       cancel                confirm-A1  confirm     delete
none             Requested Requested   NotFound   NotFound   NotFound   NotFound   NotFound   NotFound   NotFound    NotFound    NotFound   NotFound   NotFound              NotFound    NotFound    NotFound
pending          Exists  -             Claimed    Claimed    Claimed    Stop       Stop       Stop       Stop        Stop        Stop       Failed     Cancelled             Stop        Stop        Deleted
claimed          Exists  -             -          Claimed    Claimed    Started    Started    Started    Stop        Stop        Failed     Failed     Cancelled             Stop        Stop        Deleted
running          Exists  -             -          Claimed    Claimed    -          OtherData  Started    Completed   Completed   Failed     Failed     CancellationRequested Stop        Stop        Deleted
superseded       Exists  -             Stop       Stop       -          Stop       Stop       Stop       Stop        Stop        Stop       Failed     CancellationRequested Stop        Stop        Deleted
cancelling       Exists  -             -          Claimed    Claimed    -          OtherData  Started    Completed   Completed   Cancelled  Cancelled  -                     Cancelled   Cancelled   Deleted
completed        Exists  -             Stop       Stop       Stop       Stop       Stop       Stop       Stop        -           Stop       Stop       NotCancellable        Stop        Stop        Deleted
failed           Exists  -             Stop       Stop       Stop       Stop       Stop       Stop       Stop        Stop        -          -          NotCancellable        Stop        Stop        Deleted
cancelled        Exists  -             Stop       Stop       Stop       Stop       Stop       Stop       Stop        Stop        Stop       Stop       -                     -           -           Deleted
stopped          Exists  -             Stop       Stop       Stop       Stop       Stop       Stop       Stop        Stop        -          -          -                     -           -           Deleted
deleted-pending  Exists  Exists        Stop       Stop       Stop       Stop       Stop       Stop       Stop        Stop        Stop       Stop       NotFound              Stop        Stop        NotFound
deleted-running  Exists  Exists        Stop       Stop       Stop       Stop       Stop       Stop       Stop        Stop        Stop       Stop       NotFound              Stop        Stop        NotFound
deleted-complete Exists  Exists        Stop       Stop       Stop       Stop       Stop       Stop       Stop        Stop        Stop       Stop       NotFound              Stop        Stop        NotFound
deleted-failed   Exists  Exists        Stop       Stop       Stop       Stop       Stop       Stop       Stop        Stop        Stop       Stop       NotFound              Stop        Stop        NotFound
deleted-stopped  Exists  Exists        Stop       Stop       Stop       Stop       Stop       Stop       Stop        Stop        Stop       Stop       NotFound              Stop        Stop        NotFound
";

#[test]
fn every_command_in_every_state_decides_as_the_table_says() {
    let mut lines = TABLE.trim().lines().map(str::split_whitespace);
    let commands: Vec<_> = lines.next().unwrap().skip(1).collect();
    let mut cells = 0;
    for mut line in lines {
        let state = line.next().unwrap();
        for (command, expected) in commands.iter().zip(line) {
            let given = TestFramework::<Backtest>::with(()).given(history(state));
            let result = given.when(self::command(command)).inspect_result();
            assert_eq!(shown(&result), expected, "{command} when {state}");
            cells += 1;
        }
    }
    assert_eq!(cells, 15 * 16);
}

/// How the table writes a result.
fn shown(result: &Result<Vec<BacktestEvent>, JobError>) -> String {
    match result {
        Ok(events) if events.is_empty() => "-".to_owned(),
        Ok(events) => {
            let names = events.iter().map(cqrs_es::DomainEvent::event_type);
            names.map(|name| name.replacen("Backtest", "", 1)).collect::<Vec<_>>().join("+")
        }
        Err(JobError::AlreadyExists(_)) => "Exists".to_owned(),
        Err(JobError::NotFound(_)) => "NotFound".to_owned(),
        Err(JobError::NotCancellable { .. }) => "NotCancellable".to_owned(),
        Err(JobError::NotRunnable(..)) => "Stop".to_owned(),
        Err(JobError::OtherDataset { .. }) => "OtherData".to_owned(),
    }
}

fn history(state: &str) -> Vec<BacktestEvent> {
    let and = |before: &str, event: BacktestEvent| {
        let mut events = history(before);
        events.push(event);
        events
    };
    match state {
        "none" => Vec::new(),
        "pending" => vec![BacktestEvent::BacktestRequested { request: Box::new(request(1)) }],
        "claimed" => and("pending", claimed("A", 1)),
        "running" => and("claimed", started("1")),
        "superseded" => and("running", claimed("B", 2)),
        "cancelling" => and("running", BacktestEvent::BacktestCancellationRequested {}),
        "completed" => and("running", completed("result")),
        "failed" => {
            let (code, message) = ("no_candles".to_owned(), "none are stored".to_owned());
            and("running", BacktestEvent::BacktestFailed { code, message })
        }
        "cancelled" => and("claimed", BacktestEvent::BacktestCancelled {}),
        "stopped" => and("cancelling", BacktestEvent::BacktestCancelled {}),
        "deleted-pending" => and("pending", BacktestEvent::BacktestDeleted {}),
        "deleted-running" => and("running", BacktestEvent::BacktestDeleted {}),
        "deleted-complete" => and("completed", BacktestEvent::BacktestDeleted {}),
        "deleted-failed" => and("failed", BacktestEvent::BacktestDeleted {}),
        "deleted-stopped" => and("stopped", BacktestEvent::BacktestDeleted {}),
        other => panic!("no state {other}"),
    }
}

fn command(name: &str) -> BacktestCommand {
    let start = |dataset, engine: &str| BacktestCommand::Start {
        claim: claim("A", 1),
        dataset,
        decimals: Decimals { price: 2, volume: 8 },
        engine_version: engine.to_owned(),
    };
    let complete = |result: &str| BacktestCommand::Complete {
        claim: claim("A", 1),
        completion: Box::new(completion(result)),
    };
    let fail = |claim| BacktestCommand::Fail {
        claim,
        code: "no_candles".to_owned(),
        message: "none are stored".to_owned(),
    };
    match name {
        "request" => BacktestCommand::Request(Box::new(request(2))),
        "same-request" => BacktestCommand::Request(Box::new(request(1))),
        "claim-A1" => BacktestCommand::Claim(claim("A", 1)),
        "claim-B1" => BacktestCommand::Claim(claim("B", 1)),
        "claim-B2" => BacktestCommand::Claim(claim("B", 2)),
        "start-A1" => start(dataset(1), "1"),
        "other-data" => start(dataset(2), "1"),
        "start-new" => start(dataset(1), "2"),
        "complete-A1" => complete("other"),
        "same-result" => complete("result"),
        "fail-A1" => fail(Some(claim("A", 1))),
        "fail" => fail(None),
        "cancel" => BacktestCommand::Cancel,
        "confirm-A1" => BacktestCommand::ConfirmCancellation { claim: Some(claim("A", 1)) },
        "confirm" => BacktestCommand::ConfirmCancellation { claim: None },
        "delete" => BacktestCommand::Delete,
        other => panic!("no command {other}"),
    }
}

fn request(strategy_version: u32) -> Request {
    let definition = StrategyDefinition::of_builtin(builtins::find("golden_cross").unwrap());
    Request {
        run: RunSpec { strategy_version, ..RunSpec::example(definition) },
        origin: Origin::User,
        sweep_row: None,
    }
}

fn dataset(revision: i64) -> Dataset {
    Dataset {
        revision,
        rows: 3_028,
        first: Utc.timestamp_millis_opt(1_502_928_000_000).unwrap(),
        last: Utc.timestamp_millis_opt(1_764_460_800_000).unwrap(),
        warmup_rows: 0,
        sha256: format!("{revision:064}"),
        fine: None,
    }
}

fn claim(executor: &str, attempt: u32) -> Claim {
    Claim { executor: executor.to_owned(), attempt }
}

fn claimed(executor: &str, attempt: u32) -> BacktestEvent {
    BacktestEvent::BacktestClaimed { executor: executor.to_owned(), attempt }
}

fn started(engine: &str) -> BacktestEvent {
    BacktestEvent::BacktestStarted {
        dataset: dataset(1),
        price_decimals: Some(2),
        volume_decimals: Some(8),
        engine_version: engine.to_owned(),
    }
}

fn rejection() -> UnfilledOrder {
    UnfilledOrder {
        time: 1_502_928_000_000,
        side: Side::Buy,
        kind: OrderKind::Market,
        price: None,
        reason: "0.5 does not pay for one lot".to_owned(),
    }
}

fn completion(result_hash: &str) -> Completion {
    Completion {
        metrics: Box::new(Metrics { total_trades: 7, ..Metrics::default() }),
        final_balance: Decimal::new(1_234_567, 2),
        final_balance_stop_first: Decimal::new(1_234_567, 2),
        final_balance_target_first: Decimal::new(1_300_000, 2),
        trades_count: 7,
        ambiguous_trades_count: 1,
        ledger_hash: "ledger".to_owned(),
        result_hash: result_hash.to_owned(),
        warnings: Vec::new(),
        rejections: vec![rejection()],
        rejections_count: 101,
        expiries: Vec::new(),
        expiries_count: 0,
    }
}

fn completed(result_hash: &str) -> BacktestEvent {
    let completion = completion(result_hash);
    BacktestEvent::BacktestCompleted {
        metrics: completion.metrics,
        final_balance: completion.final_balance,
        final_balance_stop_first: Some(completion.final_balance_stop_first),
        final_balance_target_first: Some(completion.final_balance_target_first),
        trades_count: completion.trades_count,
        ambiguous_trades_count: completion.ambiguous_trades_count,
        ledger_hash: completion.ledger_hash,
        result_hash: completion.result_hash,
        warnings: completion.warnings,
        rejections: completion.rejections,
        rejections_count: Some(101),
        expiries: Vec::new(),
        expiries_count: Some(0),
    }
}

#[test]
fn a_completion_is_recorded_in_full() {
    let given = TestFramework::<Backtest>::with(()).given(history("running"));
    given.when(command("same-result")).then_expect_events(vec![completed("result")]);
}

#[test]
fn a_request_is_recorded_in_full() {
    let request = Box::new(request(2));
    let given = TestFramework::<Backtest>::with(()).given_no_previous_events();
    let when = given.when(BacktestCommand::Request(request.clone()));
    when.then_expect_events(vec![BacktestEvent::BacktestRequested { request }]);
}

#[test]
fn a_finished_backtest_says_why_it_cannot_be_cancelled() {
    let given = TestFramework::<Backtest>::with(()).given(history("completed"));
    given
        .when(BacktestCommand::Cancel)
        .then_expect_error_message("the backtest is completed and cannot be cancelled");
}

#[test]
fn a_superseded_executor_is_told_who_has_the_run() {
    let given = TestFramework::<Backtest>::with(()).given(history("superseded"));
    given.when(command("complete-A1")).then_expect_error_message(
        "the backtest takes no more work: attempt 2 of another executor has it",
    );
}

#[test]
fn an_attempt_zero_is_no_attempt() {
    let given = TestFramework::<Backtest>::with(()).given(history("pending"));
    let result = given.when(BacktestCommand::Claim(claim("A", 0))).inspect_result();
    assert!(matches!(result, Err(JobError::NotRunnable(..))), "{result:?}");
}

#[test]
fn the_states_follow_from_the_events() {
    use cqrs_es::Aggregate as _;
    let states = [
        ("pending", Status::Pending),
        ("claimed", Status::Pending),
        ("running", Status::Running),
        ("superseded", Status::Running),
        ("cancelling", Status::Running),
        ("completed", Status::Completed),
        ("failed", Status::Failed),
        ("cancelled", Status::Cancelled),
        ("stopped", Status::Cancelled),
    ];
    for (state, expected) in states {
        let mut backtest = Backtest::default();
        history(state).into_iter().for_each(|event| backtest.apply(event));
        let live = backtest.live.unwrap();
        assert_eq!(live.status, expected, "{state}");
        assert!(!live.is_deleted);
        let parameters: BTreeMap<_, _> = live.request.run.parameters;
        assert_eq!(parameters.len(), 2);
    }
}
