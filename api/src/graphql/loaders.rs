//! DataLoaders: what the rows of a page need, in one statement each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_graphql::dataloader::Loader;
use domain::ids::{BacktestId, StrategyId};
use infra::postgres::jobs::BACKTEST;
use projections::trades::TradeRow;

use super::{error::refusal, types::strategy::Strategy};
use crate::http::caller::Caller;

/// Strategies by id; those that the caller may not read are left out.
pub(crate) struct StrategyLoader(pub(crate) Arc<Caller>);

impl Loader<StrategyId> for StrategyLoader {
    type Value = Strategy;
    type Error = async_graphql::Error;

    async fn load(
        &self,
        ids: &[StrategyId],
    ) -> Result<HashMap<StrategyId, Strategy>, async_graphql::Error> {
        let found = self.0.strategies(ids).await.map_err(refusal)?;
        Ok(found.into_iter().map(|(id, strategy)| (id, strategy.into())).collect())
    }
}

/// The first trades of a run after a number; one extra row shows whether there is another page.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TradesOf {
    pub(crate) backtest: BacktestId,
    /// Of the run's row: its trades are there from then on.
    pub(crate) position: i64,
    pub(crate) after: u32,
    pub(crate) limit: i64,
}

/// Trades of runs that the caller may read.
pub(crate) struct TradeLoader(pub(crate) Arc<Caller>);

impl Loader<TradesOf> for TradeLoader {
    type Value = Vec<TradeRow>;
    type Error = async_graphql::Error;

    async fn load(
        &self,
        keys: &[TradesOf],
    ) -> Result<HashMap<TradesOf, Vec<TradeRow>>, async_graphql::Error> {
        let mut windows: BTreeMap<(u32, i64), Vec<&TradesOf>> = BTreeMap::new();
        for key in keys {
            windows.entry((key.after, key.limit)).or_default().push(key);
        }
        let mut found = HashMap::new();
        for ((after, limit), keys) in windows {
            let ids: Vec<BacktestId> = keys.iter().map(|key| key.backtest).collect();
            let position = keys.iter().map(|key| key.position).max().unwrap_or(0);
            let reads = &self.0.api.reads;
            let rows = reads.trades_of_backtests(&ids, position, after, limit + 1).await;
            let mut rows_of: HashMap<BacktestId, Vec<TradeRow>> = HashMap::new();
            for row in rows.map_err(refusal)? {
                rows_of.entry(row.backtest_id).or_default().push(row);
            }
            for key in keys {
                let rows = rows_of.get(&key.backtest).cloned().unwrap_or_default();
                found.insert(key.clone(), rows);
            }
        }
        Ok(found)
    }
}

/// How far running backtests are.
pub(crate) struct ProgressLoader(pub(crate) Arc<Caller>);

impl Loader<BacktestId> for ProgressLoader {
    type Value = u8;
    type Error = async_graphql::Error;

    async fn load(
        &self,
        ids: &[BacktestId],
    ) -> Result<HashMap<BacktestId, u8>, async_graphql::Error> {
        let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
        let progress = self.0.api.jobs.progress(&BACKTEST, &ids).await.map_err(refusal)?;
        Ok(progress.into_iter().map(|(id, percent)| (BacktestId::new(id), percent)).collect())
    }
}
