//! The read side on a real server: given events, then rows.

mod ahead;
mod concurrency;
mod history;
mod lists;
mod over_http;
mod paging;
mod poison;
mod rebuilding;
mod rows;
mod streams;
mod waiting;

use infra::postgres::{EventStore, market_data::CandleStore};
use projections::{
    ReadModels,
    backtests::BacktestRow,
    equity::{EquityCurves, EquityDay},
    runner, status,
};
use tests::TestDatabase;

/// A database with an event store and the read models over it; nothing runs.
struct Bench {
    database: TestDatabase,
    store: EventStore,
    reads: ReadModels,
}

impl Bench {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let store = database.store();
        let reads = ReadModels::new(database.database.clone());
        reads.prepare().await.expect("the tables");
        Self { database, store, reads }
    }

    /// Projects every read model to the end of the log; returns how many events each took in.
    async fn catch_up(&self) -> Vec<u64> {
        let mut counts = Vec::new();
        for model in status::list() {
            let caught_up = runner::catch_up(&self.reads, &self.store, model.name).await;
            counts.push(caught_up.expect(model.name));
        }
        counts
    }

    /// The equity of a run.
    async fn equity(&self, backtest: &BacktestRow) -> Vec<EquityDay> {
        let candles = CandleStore::new(self.database.database.clone());
        let curves = EquityCurves::new(self.store.clone(), candles);
        curves.of(backtest).await.expect("its equity")
    }

    /// Every row of a table and of those beside it, as text in a fixed order.
    async fn family_rows(&self, table: &str) -> Vec<String> {
        self.database.family_rows(table).await
    }

    /// Every row of a table, as text in a fixed order.
    async fn rows(&self, table: &str) -> Vec<String> {
        self.database.read_model_rows(table).await
    }
}
