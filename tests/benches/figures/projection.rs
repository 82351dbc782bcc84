//! How fast read models take in a log of ledger events, from reading it to rows and checkpoint.

use std::time::Instant;

use domain::{
    ids::{BacktestId, TradeId},
    ledger::{ClosedTrade, LedgerEvent},
    simulation::{Direction, Fill, Side},
};
use infra::postgres::{
    EventStore,
    event_store::{Append, Outcome, Priority, StreamAppend, new_event},
};
use projections::{ReadModels, runner};
use rust_decimal::Decimal;
use tests::TestCluster;
use uuid::Uuid;

use crate::{Figure, median};

pub(crate) const NAMES: [&str; 3] =
    ["projection_ledger", "projection_trades", "projection_backtests"];
const READ_MODELS: [&str; 3] = ["ledger", "trades", "backtests"];
/// Runs of this many round trips each, two events a trip.
pub(crate) const RUNS: u32 = 20;
const TRIPS: u32 = 2_500;
const CHUNK: u32 = 125;
const ROUNDS: usize = 3;

pub(crate) async fn measure(cluster: &TestCluster) -> Vec<Figure> {
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        // Every round fills its own tables from its own log.
        let test = cluster.database().await;
        let store = test.store();
        let reads = ReadModels::new(test.database.clone());
        reads.prepare().await.expect("the tables");
        for number in 0..RUNS {
            append_ledger(&store, Uuid::from_u128(u128::from(number) + 1)).await;
        }
        for (name, rates) in READ_MODELS.into_iter().zip(&mut rates) {
            let started = Instant::now();
            let events = runner::catch_up(&reads, &store, name).await.expect(name);
            assert_eq!(events, u64::from(RUNS * TRIPS * 2));
            rates.push(f64::from(RUNS * TRIPS * 2) / started.elapsed().as_secs_f64());
        }
    }
    let figures = NAMES.into_iter().zip(rates);
    figures
        .map(|(name, rates)| Figure::alone(name, median(rates), "events/s", "value >= 100000"))
        .collect()
}

pub(crate) async fn append_ledger(store: &EventStore, id: Uuid) {
    for first in (1..=TRIPS).step_by(usize::try_from(CHUNK).unwrap_or_default()) {
        let events = (first..first + CHUNK).flat_map(|number| round_trip(id, number));
        let append = Append {
            streams: vec![StreamAppend {
                aggregate_type: "ledger",
                aggregate_id: id.to_string(),
                expected_sequence: i64::from((first - 1) * 2),
                events: events.map(|event| new_event(&event).expect("JSON")).collect(),
            }],
            metadata: domain::event::Metadata::default(),
            command: None,
            reservations: Vec::new(),
            priority: Priority::Ledger,
        };
        let outcome = store.append(append).await.expect("the append");
        assert!(matches!(outcome, Outcome::Appended { .. }));
    }
}

fn round_trip(id: Uuid, number: u32) -> [LedgerEvent; 2] {
    let trade_id = TradeId::of(BacktestId::new(id), number);
    let fill = |side| Fill {
        time: 1_502_928_000_000 + i64::from(number) * 86_400_000,
        side,
        price: Decimal::new(4_234_567_891, 5),
        quantity: Decimal::new(23_614_777, 8),
        fee: Decimal::new(1_000_012_345, 8),
        cash_after: Decimal::new(999_987_654_321, 8),
        reason: "sma(50) crosses_above sma(200)".into(),
    };
    let (direction, pnl) = (Direction::Long, Decimal::new(-2_000_024_690, 8));
    let entry = fill(Side::Buy);
    [
        LedgerEvent::TradeOpened {
            trade_id,
            number,
            direction,
            fill: entry.clone(),
            stop_price: None,
            target_price: None,
        },
        LedgerEvent::TradeClosed(ClosedTrade {
            trade_id,
            number,
            direction,
            entry,
            fill: fill(Side::Sell),
            pnl,
            funding: Decimal::ZERO,
            shortfall: Some(Decimal::ZERO),
            is_ambiguous: false,
            candles_count: Some(2),
            stop_price: None,
            target_price: None,
            max_adverse: Some(0.012_345_678_9),
            max_favorable: Some(0.023_456_789_1),
        }),
    ]
}
