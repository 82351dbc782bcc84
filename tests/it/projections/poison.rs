//! Events that cannot be taken in: dead letters, stopping or going on, retrying and discarding.

use domain::{backtest::BacktestEvent, event::Metadata, ids::BacktestId};
use infra::postgres::event_store::{Append, NewEvent, Priority, StreamAppend};
use projections::{
    OnPoison,
    dead_letters::DeadLetterError,
    page::PageRequest,
    runner::{self, CatchUpError},
    status::State,
    trades,
};
use uuid::Uuid;

use super::{Bench, history::*};

const RUN: Uuid = Uuid::from_u128(11);

/// Two runs with an event between them that no projection of ledgers understands; returns its position.
async fn two_runs_around_a_poison_event(bench: &Bench) -> i64 {
    let before = run(&bench.store, RUN, user(7), 3, None).await;
    let event = NewEvent {
        event_type: "TradeOpened".to_owned(),
        event_version: "1.0".to_owned(),
        payload: r#"{"type": "TradeOpened", "number": "many"}"#.to_owned(),
    };
    let append = Append {
        streams: vec![StreamAppend {
            aggregate_type: "ledger",
            aggregate_id: Uuid::from_u128(99).to_string(),
            expected_sequence: 0,
            events: vec![event],
        }],
        metadata: Metadata::default(),
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    };
    bench.store.append(append).await.expect("an append");
    run(&bench.store, Uuid::from_u128(12), user(7), 4, None).await;
    before + 1
}

#[tokio::test]
async fn a_poison_event_stops_its_projection_before_it() {
    let bench = Bench::new().await;
    let poison = two_runs_around_a_poison_event(&bench).await;
    let stopped = runner::catch_up(&bench.reads, &bench.store, trades::NAME).await.unwrap_err();
    assert!(matches!(stopped, CatchUpError::Stopped { position } if position == poison - 1));
    assert_eq!(bench.rows("trades_v4").await.len(), 3);

    let letters = bench.reads.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].position, letters[0].table_name.as_str()), (poison, "trades_v4"));
    assert!(letters[0].error.contains("not an event of its type"), "{}", letters[0].error);
    let all = bench.reads.status().await.unwrap();
    let status = all.iter().find(|status| status.name == trades::NAME).unwrap();
    assert_eq!((status.state, status.dead_letters_count), (State::Stopped, 1));
    assert_eq!(status.position, poison - 1);
    // It stays where it is.
    let again = runner::catch_up(&bench.reads, &bench.store, trades::NAME).await.unwrap_err();
    assert!(matches!(again, CatchUpError::Stopped { .. }));
}

#[tokio::test]
async fn a_projection_that_was_told_so_goes_on_without_the_event() {
    let mut bench = Bench::new().await;
    bench.reads = bench.reads.with_on_poison(trades::NAME, OnPoison::GoOn).unwrap();
    two_runs_around_a_poison_event(&bench).await;
    runner::catch_up(&bench.reads, &bench.store, trades::NAME).await.unwrap();
    assert_eq!(bench.rows("trades_v4").await.len(), 7);
    assert_eq!(bench.reads.dead_letters().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_discarded_event_is_left_out_for_good_in_rebuilds_too() {
    let bench = Bench::new().await;
    two_runs_around_a_poison_event(&bench).await;
    runner::catch_up(&bench.reads, &bench.store, trades::NAME).await.unwrap_err();
    let letter = bench.reads.dead_letters().await.unwrap().remove(0);
    bench.reads.discard(letter.id).await.unwrap();
    runner::catch_up(&bench.reads, &bench.store, trades::NAME).await.unwrap();
    let rows = bench.rows("trades_v4").await;
    assert_eq!(rows.len(), 7);
    assert_eq!(bench.reads.dead_letters().await.unwrap(), []);

    bench.reads.rebuild(&bench.store, trades::NAME, |_| {}).await.unwrap();
    assert_eq!(bench.rows("trades_v4").await, rows);
    let second = bench.reads.discard(letter.id).await.unwrap_err();
    assert!(matches!(second, DeadLetterError::NotFound));
}

#[tokio::test]
async fn an_event_that_is_retried_is_taken_in_once_nothing_is_in_its_way() {
    let bench = Bench::new().await;
    let admin = bench.database.superuser().await;
    run(&bench.store, RUN, user(7), 3, None).await;
    // A row that should not be there makes the events of its trade fail, as a fault of our own would.
    let row = "INSERT INTO read_models.ledger_v3 VALUES ($1, 3, $1, 'buy', 1, 1, 1, 1, NULL, NULL, NULL, now(), '')";
    admin.execute(row, &[&RUN]).await.unwrap();
    let name = projections::ledger::NAME;
    runner::catch_up(&bench.reads, &bench.store, name).await.unwrap_err();
    let letter = bench.reads.dead_letters().await.unwrap().remove(0);
    let still = bench.reads.retry(&bench.store, letter.id).await.unwrap_err();
    assert!(matches!(still, DeadLetterError::StillPoison(_)), "{still}");

    admin.execute("DELETE FROM read_models.ledger_v3 WHERE sequence = 3", &[]).await.unwrap();
    bench.reads.retry(&bench.store, letter.id).await.unwrap();
    bench.catch_up().await;
    let backtest = bench.reads.backtest(BacktestId::new(RUN)).await.unwrap().unwrap();
    let page = PageRequest::Number { page: 1, limit: 100 };
    let entries = bench.reads.ledger(&backtest, &page).await.unwrap().rows;
    let sequences: Vec<u32> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    assert_eq!(bench.reads.dead_letters().await.unwrap(), []);
}

#[tokio::test]
async fn the_other_projections_do_not_mind_what_one_cannot_take_in() {
    let bench = Bench::new().await;
    two_runs_around_a_poison_event(&bench).await;
    append(&bench.store, "backtest", RUN, 4, &[BacktestEvent::BacktestDeleted {}]).await;
    let taken = runner::catch_up(&bench.reads, &bench.store, "strategies").await.unwrap();
    assert_eq!(taken, 0);
    let all = bench.reads.status().await.unwrap();
    let strategies = all.iter().find(|status| status.name == "strategies").unwrap();
    assert_eq!((strategies.state, strategies.lag), (State::Live, 0));
}
