//! Sweeps from request to end: computed, cancelled, taken over after a crash, beside backtests.

use std::time::Duration;

use commands::{CommandError, SweepDraft};
use domain::{
    ids::{SweepId, UserId},
    job::Status,
    number::Number,
    simulation::{
        self, ENGINE_VERSION, Input,
        sweep::{Axis, Goal, Objective, Search, Spec, rows_hash},
    },
    sweep::{LiveSweep, Sweep, SweepEvent},
};
use infra::postgres::jobs::{JobLease, SWEEP, SWEEPS};
use projections::{ReadModels, runner};
use serde_json::json;

use super::{
    Desk,
    desk::{append, backtest, context, draft, minutes, stream, user},
};

const LONG: Duration = Duration::from_secs(60);

fn number(value: u32) -> Number {
    Number::try_new(f64::from(value)).unwrap()
}

/// Crosses of a short average of the first windows over a long one of as many as asked for.
async fn sweep_draft(desk: &Desk, owner: UserId, longs: u32) -> SweepDraft {
    let rule = |comparator: &str| {
        json!({"operator": "and", "conditions": [
            {"indicator": "sma($short)", "comparator": comparator, "value": "sma($long)"}]})
    };
    let body = json!({
        "entry_rules": rule("crosses_above"), "exit_rules": rule("crosses_below"),
        "default_parameters": {"short": 5, "long": 50},
    });
    let strategy = draft("Crosses", &body);
    let strategy = desk.commands.create_strategy(&context(owner), strategy).await.unwrap().value;
    let range = |from, to| Axis::Range { from: number(from), to: number(to), step: number(1) };
    let axes = [("short", range(2, 5)), ("long", range(20, 19 + longs))];
    let axes = axes.map(|(name, axis)| (name.to_owned(), axis)).into_iter().collect();
    SweepDraft {
        run: backtest(&strategy.to_string()),
        spec: Some(Spec {
            search: Search::Grid { axes },
            constraints: vec!["short < long".to_owned()],
            objective: Objective { metric: "total_return".into(), direction: Goal::Maximize },
            walk_forward: None,
        }),
        combinations_max: 100_000,
    }
}

pub(super) async fn requested(desk: &Desk, owner: UserId, longs: u32) -> SweepId {
    let draft = sweep_draft(desk, owner, longs).await;
    desk.commands.request_sweep(&context(owner), &draft).await.unwrap().value
}

async fn live(desk: &Desk, id: SweepId) -> LiveSweep {
    desk.store.load::<Sweep>(&id.to_string()).await.unwrap().aggregate.live.unwrap()
}

async fn types(desk: &Desk, id: SweepId) -> Vec<String> {
    let events = desk.store.read_stream("sweep", &id.to_string(), 0, 100).await.unwrap();
    events.into_iter().map(|event| event.event_type).collect()
}

async fn until_status(desk: &Desk, id: SweepId, status: Status) {
    desk.until(async || live(desk, id).await.status == status).await;
}

pub(super) async fn until_dequeued(desk: &Desk, id: SweepId) {
    let ids = [id.uuid()];
    desk.until(async || desk.queue.progress(&SWEEP, &ids).await.unwrap().is_empty()).await;
}

async fn stored_rows(desk: &Desk) -> i64 {
    let sql = "SELECT count(*) FROM read_models.sweep_results";
    desk.database().get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

/// The read models, with every sweep in them.
async fn reads(desk: &Desk) -> ReadModels {
    let reads = ReadModels::new(desk.database().clone());
    reads.prepare().await.unwrap();
    runner::catch_up(&reads, &desk.store, "sweeps").await.unwrap();
    reads
}

#[tokio::test]
async fn a_sweep_completes_and_its_rows_have_the_hash_that_its_event_names() {
    let desk = Desk::with_minutes(3_000).await;
    let owner = user();
    let executor = desk.patient_executor("one");
    let id = requested(&desk, owner, 10).await;
    until_status(&desk, id, Status::Completed).await;
    until_dequeued(&desk, id).await;
    executor.stop().await;
    assert_eq!(types(&desk, id).await, ["SweepRequested", "SweepStarted", "SweepCompleted"]);
    let reads = reads(&desk).await;
    let row = reads.sweep(id).await.unwrap().unwrap();
    assert_eq!((row.combinations_count, row.rows_count, row.failed_rows_count), (40, 40, 0));
    let rows = reads.sweep_rows(&row).await.unwrap();
    assert_eq!(rows.len(), 40);
    assert_eq!(Some(rows_hash(&rows).unwrap().to_string()), row.result_hash);
    assert_eq!(row.winners.len(), 10);
    let best = rows.iter().filter_map(|row| row.result.figures()?.metrics.total_return);
    let best = best.fold(f64::MIN, f64::max);
    assert_eq!(row.winners[0].result.figures().unwrap().metrics.total_return, Some(best));
    reads.rebuild(&desk.store, "sweeps", |_| {}).await.unwrap();
    assert_eq!(reads.sweep(id).await.unwrap().unwrap(), row, "a rebuild gives the same");
    assert_eq!(stored_rows(&desk).await, 40);
    let LiveSweep { request, dataset, .. } = live(&desk, id).await;
    let dataset = dataset.unwrap();
    assert_eq!((dataset.rows, dataset.warmup_rows), (3_000, 0));

    // One row against the engine itself.
    let candles = minutes(3_000);
    let parameters = &rows[17].parameters;
    let strategy = request.run.definition.bind(parameters).unwrap();
    let input = Input {
        strategy: &strategy,
        candles: &candles,
        range_start: 0,
        fine: None,
        initial_balance: request.run.initial_balance,
        lot: request.run.settings.lot.unwrap(),
        timeframe: request.run.timeframe,
        market_kind: None,
        settings: &request.run.settings,
    };
    let full = simulation::run(&input, &mut ()).unwrap();
    let figures = rows[17].result.figures().unwrap();
    assert_eq!(figures.final_balance, full.final_balance.normalize());
    assert_eq!(figures.metrics.sharpe_ratio, full.metrics.sharpe_ratio);
    assert!(figures.trades_count > 10);
}

#[tokio::test]
async fn a_row_becomes_a_backtest_with_the_same_numbers_on_the_same_candles() {
    let desk = Desk::with_minutes(2_000).await;
    let owner = user();
    let executor = desk.patient_executor("one");
    let mut draft = sweep_draft(&desk, owner, 5).await;
    let start = minutes(2_000).open_time[500];
    draft.run.start_time = chrono::DateTime::from_timestamp_millis(start);
    let id = desk.commands.request_sweep(&context(owner), &draft).await.unwrap().value;
    until_status(&desk, id, Status::Completed).await;
    // A correction afterwards: the row stays what it was.
    let mut corrected = minutes(2_000);
    corrected.close.iter_mut().for_each(|close| *close += 0.25);
    corrected.high.iter_mut().for_each(|high| *high += 0.25);
    desk.import(&corrected).await;
    let promoted = desk.commands.promote_sweep_row(&context(owner), id, 7).await.unwrap();
    desk.until_status(promoted.value, Status::Completed).await;
    executor.stop().await;
    let reads = reads(&desk).await;
    let sweep = reads.sweep(id).await.unwrap().unwrap();
    let row = reads.sweep_rows(&sweep).await.unwrap().swap_remove(6);
    let history = desk.history(promoted.value).await;
    let domain::backtest::BacktestEvent::BacktestCompleted {
        metrics,
        final_balance,
        trades_count,
        ..
    } = history.last().unwrap().decode().unwrap()
    else {
        panic!("not completed");
    };
    let figures = row.result.figures().unwrap();
    assert_eq!((figures.final_balance, figures.trades_count), (final_balance, trades_count));
    for name in domain::simulation::metrics::Metrics::all_names() {
        if domain::simulation::metrics::is_key(name) {
            assert_eq!(figures.metrics.get(name), metrics.get(name), "{name}");
        }
    }
    let run = desk.backtest(promoted.value).await;
    assert_eq!(run.request.origin, domain::backtest::Origin::Sweep);
    assert_eq!(run.request.run.parameters, row.parameters);
    let (dataset, of_sweep) = (run.dataset.unwrap(), sweep.dataset.unwrap());
    assert_eq!(dataset, of_sweep);
    assert_eq!(dataset.warmup_rows, 256, "of every window");
    let missing = desk.commands.promote_sweep_row(&context(owner), id, 21).await.unwrap_err();
    assert!(matches!(missing, CommandError::NotFound("row")), "{missing}");
}

#[tokio::test]
async fn a_running_sweep_is_cancelled_and_leaves_no_rows() {
    let desk = Desk::with_minutes(60_000).await;
    let owner = user();
    let executor = desk.patient_executor("one");
    let id = requested(&desk, owner, 2_000).await;
    until_status(&desk, id, Status::Running).await;
    desk.commands.cancel_sweep(&context(owner), id).await.unwrap();
    until_status(&desk, id, Status::Cancelled).await;
    until_dequeued(&desk, id).await;
    executor.stop().await;
    let expected =
        ["SweepRequested", "SweepStarted", "SweepCancellationRequested", "SweepCancelled"];
    assert_eq!(types(&desk, id).await, expected);
    assert_eq!(stored_rows(&desk).await, 0);
    let again = desk.commands.cancel_sweep(&context(owner), id).await.unwrap();
    assert_eq!(again.value, Status::Cancelled);
}

#[tokio::test]
async fn a_pending_sweep_is_cancelled_at_once_and_a_finished_one_not_at_all() {
    let desk = Desk::with_minutes(500).await;
    let owner = user();
    let pending = requested(&desk, owner, 3).await;
    let cancelled = desk.commands.cancel_sweep(&context(owner), pending).await.unwrap();
    assert_eq!(cancelled.value, Status::Cancelled);
    let executor = desk.patient_executor("one");
    let done = requested(&desk, owner, 3).await;
    until_status(&desk, done, Status::Completed).await;
    until_dequeued(&desk, pending).await;
    executor.stop().await;
    assert_eq!(types(&desk, pending).await, ["SweepRequested", "SweepCancelled"]);
    let refused = desk.commands.cancel_sweep(&context(owner), done).await.unwrap_err();
    assert!(matches!(
        refused,
        CommandError::Rejected { code: domain::error_code::ErrorCode::NotCancellable, .. }
    ));
}

/// A sweep whose executor has to wait for `table` longer than its lease of a second.
async fn keeps_its_lease_while_locked(table: &str) {
    let desk = Desk::with_minutes(500).await;
    let id = requested(&desk, user(), 3).await;
    let mut client = desk.superuser().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    let executor = desk.executor("waiting");
    let leased_until = async || {
        let sql = "SELECT extract(epoch FROM lease_until)::float8 FROM jobs WHERE id = $1";
        let row = desk.database().get().await.unwrap().query_opt(sql, &[&id.uuid()]).await.unwrap();
        row.and_then(|row| row.get::<_, Option<f64>>(0))
    };
    desk.until(async || leased_until().await.is_some()).await;
    let first = leased_until().await.unwrap();
    desk.until(async || leased_until().await.is_some_and(|until| until > first + 2.0)).await;
    lock.rollback().await.unwrap();
    until_status(&desk, id, Status::Completed).await;
    executor.stop().await;
    assert_eq!(live(&desk, id).await.attempt(), 1);
}

#[tokio::test]
async fn the_lease_is_kept_while_candles_are_loaded() {
    keeps_its_lease_while_locked("candles").await;
}

#[tokio::test]
async fn the_lease_is_kept_while_rows_are_written() {
    keeps_its_lease_while_locked("read_models.sweep_results").await;
}

#[tokio::test]
async fn rows_stay_where_another_executor_has_taken_the_sweep_and_may_name_them() {
    let desk = Desk::with_minutes(8_000).await;
    let executor = desk.patient_executor("slow");
    let id = requested(&desk, user(), 60).await;
    until_status(&desk, id, Status::Running).await;
    let started = SweepEvent::SweepStarted {
        executor: "other".to_owned(),
        attempt: 2,
        dataset: live(&desk, id).await.dataset.unwrap(),
        engine_version: ENGINE_VERSION.to_owned(),
    };
    append(&desk, vec![stream("sweep", id, 2, &[started])]).await;
    desk.until(async || stored_rows(&desk).await == 240).await;
    executor.stop().await;
    assert_eq!(stored_rows(&desk).await, 240);
    assert_eq!(live(&desk, id).await.status, Status::Running);
}

#[tokio::test]
async fn a_sweep_whose_executor_died_is_done_by_another_with_the_same_result() {
    let desk = Desk::with_minutes(8_000).await;
    let owner = user();
    let first = desk.executor("first");
    let id = requested(&desk, owner, 60).await;
    until_status(&desk, id, Status::Running).await;
    first.kill().await;
    let second = desk.patient_executor("second");
    until_status(&desk, id, Status::Completed).await;
    until_dequeued(&desk, id).await;
    second.stop().await;
    let types = types(&desk, id).await;
    assert!(types.iter().filter(|name| *name == "SweepStarted").count() >= 2, "{types:?}");
    assert_eq!(types.iter().filter(|name| *name == "SweepCompleted").count(), 1, "{types:?}");
    let sweep = live(&desk, id).await;
    assert_eq!(sweep.claim.unwrap().executor, "second");
    let reads = reads(&desk).await;
    let row = reads.sweep(id).await.unwrap().unwrap();
    let rows = reads.sweep_rows(&row).await.unwrap();
    assert_eq!(rows.len(), 240);
    assert_eq!(Some(rows_hash(&rows).unwrap().to_string()), row.result_hash);
    assert_eq!(stored_rows(&desk).await, 240);
}

#[tokio::test]
async fn an_executor_that_stops_gives_its_sweep_back_without_an_attempt() {
    let desk = Desk::with_minutes(60_000).await;
    let owner = user();
    let executor = desk.patient_executor("one");
    let id = requested(&desk, owner, 2_000).await;
    until_status(&desk, id, Status::Running).await;
    executor.stop().await;
    let lease = desk.queue.pick(SWEEPS, "two", LONG, 8).await.unwrap().unwrap();
    assert_eq!((lease.id, lease.attempt), (id.uuid(), 1));
    assert_eq!(live(&desk, id).await.status, Status::Running);
}

#[tokio::test]
async fn a_long_sweep_does_not_keep_the_backtests_of_others_waiting() {
    let desk = Desk::with_minutes(60_000).await;
    let (anna, ben) = (user(), user());
    let executor = desk.patient_executor("one");
    let sweep = requested(&desk, anna, 4_000).await;
    until_status(&desk, sweep, Status::Running).await;
    let strategy = desk.strategy(ben).await;
    let mut draft = backtest(&strategy.to_string());
    draft.end_time = chrono::DateTime::from_timestamp_millis(minutes(300).open_time[299]);
    let run = desk.commands.request_backtest(&context(ben), &draft).await.unwrap().value;
    desk.until_status(run, Status::Completed).await;
    assert_eq!(live(&desk, sweep).await.status, Status::Running, "it is still at work");
    desk.commands.delete_sweep(&context(anna), sweep).await.unwrap();
    until_dequeued(&desk, sweep).await;
    executor.stop().await;
    assert_eq!(types(&desk, sweep).await.last().unwrap(), "SweepDeleted");
    assert_eq!(stored_rows(&desk).await, 0);
}

#[tokio::test]
async fn after_three_attempts_a_sweep_fails() {
    let desk = Desk::with_minutes(500).await;
    let owner = user();
    let id = requested(&desk, owner, 3).await;
    let queue = &desk.queue;
    assert_eq!(queue.follow().await.unwrap().waiting, [SWEEPS]);
    for attempt in 1..=3 {
        let short = Duration::from_millis(1);
        let lease = queue.pick(SWEEPS, "crashing", short, 8).await.unwrap().unwrap();
        assert_eq!(lease.attempt, attempt);
        desk.until(async || queue.waiting().await.unwrap() == [SWEEPS]).await;
        assert!(!queue.finish(&of_another_term(&lease)).await.unwrap());
    }
    let executor = desk.patient_executor("one");
    until_status(&desk, id, Status::Failed).await;
    until_dequeued(&desk, id).await;
    executor.stop().await;
    let events = desk.store.read_stream("sweep", &id.to_string(), 0, 100).await.unwrap();
    let SweepEvent::SweepFailed { code, .. } = events.last().unwrap().decode().unwrap() else {
        panic!("not failed");
    };
    assert_eq!(code, "attempts_exhausted");
}

/// A lease of another term: it may change nothing.
fn of_another_term(lease: &JobLease) -> JobLease {
    JobLease { term: lease.term + 1, ..lease.clone() }
}

#[tokio::test]
async fn what_cannot_be_swept_is_refused_with_all_that_is_wrong() {
    let desk = Desk::with_minutes(500).await;
    let owner = user();
    let fields = async |draft: &SweepDraft| {
        let refused = desk.commands.request_sweep(&context(owner), draft).await;
        let Err(CommandError::Invalid(errors)) = refused else { panic!("{refused:?}") };
        errors.into_iter().map(|error| (error.field, error.code.to_string())).collect::<Vec<_>>()
    };
    let good = sweep_draft(&desk, owner, 5).await;
    let with = |change: &dyn Fn(&mut SweepDraft)| {
        let mut draft = good.clone();
        change(&mut draft);
        draft
    };
    let unknown = with(&|draft| {
        draft.run.symbol = Some("NOPE".into());
        draft.spec.as_mut().unwrap().constraints = vec!["shirt < long".into()];
    });
    let expected = [("constraints[0]", "unknown_parameter"), ("symbol", "not_found")];
    assert_eq!(fields(&unknown).await, expected.map(|(f, c)| (f.into(), c.into())));
    let many = with(&|draft| draft.combinations_max = 19);
    assert_eq!(fields(&many).await, [("grid".into(), "too_many_combinations".into())]);
    let walk = |windows| simulation::sweep::WalkForward {
        mode: simulation::sweep::Mode::Rolling,
        windows,
        in_sample_percentage: 50,
    };
    let windows = with(&|draft| draft.spec.as_mut().unwrap().walk_forward = Some(walk(600)));
    let expected = [("walk_forward.windows".into(), "too_many_windows".into())];
    assert_eq!(fields(&windows).await, expected);
    let runs = with(&|draft| {
        draft.spec.as_mut().unwrap().walk_forward = Some(walk(4));
        draft.combinations_max = 99;
    });
    let expected = [("walk_forward.windows".into(), "too_many_combinations".into())];
    assert_eq!(fields(&runs).await, expected);
    let short = with(&|draft| {
        let axis = Axis::Values(vec![number(600)]);
        let axes = [("short".to_owned(), Axis::Values(vec![number(5)])), ("long".to_owned(), axis)];
        draft.spec.as_mut().unwrap().search = Search::Grid { axes: axes.into_iter().collect() };
    });
    assert_eq!(fields(&short).await, [("start_time".into(), "not_enough_candles".into())]);
}
