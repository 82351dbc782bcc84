//! Resources by id together with the check of who may see them: REST, GraphQL and channels look them up here and nowhere else.

use std::{
    collections::{BTreeSet, HashMap},
    str::FromStr,
};

use domain::{
    access::{self, Access, Forbidden, Ownership},
    error_code::ErrorCode,
    ids::{BacktestId, StrategyId, SweepId, UserId},
    market::Symbol,
    strategy::{Builtin, LiveStrategy, Strategy, builtins},
};
use poem::http::StatusCode;
use projections::{backtests::BacktestRow, strategies::StrategyRow, sweeps::SweepRow};

use crate::http::{caller::Caller, error::ApiError};

/// A strategy that the caller may read.
#[derive(Debug, Clone)]
pub(crate) enum FoundStrategy {
    Stored(Box<StrategyRow>),
    Builtin(&'static Builtin),
}

impl FoundStrategy {
    /// Its id.
    pub(crate) fn id(&self) -> StrategyId {
        match self {
            Self::Stored(row) => row.id,
            Self::Builtin(builtin) => builtin.id(),
        }
    }
}

/// What runs are filtered by where a market or an asset can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MarketOrAsset {
    Market(Symbol),
    /// All markets with that base.
    Asset(String),
}

/// 404, with the built-in that is probably meant.
fn no_strategy(text: &str) -> ApiError {
    match builtins::nearest_slug(text) {
        Some(near) => {
            let message = format!("There is no such strategy. Did you mean `{near}`?");
            ApiError::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
        }
        None => ApiError::not_found("strategy"),
    }
}

impl Caller {
    /// Returns the backtest with that id.
    ///
    /// # Errors
    /// 404, 403.
    pub(crate) async fn backtest(&self, id: &str) -> Result<BacktestRow, ApiError> {
        let row = self.api.reads.backtest(backtest_id(id)?).await?;
        let row = row.ok_or_else(|| ApiError::not_found("backtest"))?;
        self.may(Access::Read, row.run.owner_id, false)?;
        Ok(row)
    }

    /// Returns the sweep with that id.
    ///
    /// # Errors
    /// 404, 403.
    pub(crate) async fn sweep(&self, id: &str) -> Result<SweepRow, ApiError> {
        let row = self.api.reads.sweep(sweep_id(id)?).await?;
        let row = row.ok_or_else(|| ApiError::not_found("sweep"))?;
        self.may(Access::Read, row.run.owner_id, false)?;
        Ok(row)
    }

    /// Returns the market of that symbol or pair, otherwise the asset of that name, whether or not it is known.
    ///
    /// # Errors
    /// 422 for what cannot be a name.
    pub(crate) async fn market_or_asset(
        &self,
        field: &str,
        text: &str,
    ) -> Result<MarketOrAsset, ApiError> {
        if let Ok(market) = self.api.markets.resolve(text, None).await?
            && !text.trim().eq_ignore_ascii_case(&market.base)
        {
            return Ok(MarketOrAsset::Market(market.symbol));
        }
        let symbol: Symbol =
            text.parse().map_err(|error| ApiError::invalid_field(field, format!("{error}.")))?;
        match self.api.markets.get(&symbol).await? {
            Some(market) => Ok(MarketOrAsset::Market(market.symbol)),
            None => Ok(MarketOrAsset::Asset(symbol.into())),
        }
    }

    /// Returns the strategy with that id, with that slug among the caller's own, or the built-in with that slug.
    ///
    /// # Errors
    /// 404, 403.
    pub(crate) async fn strategy(&self, text: &str) -> Result<FoundStrategy, ApiError> {
        let reads = &self.api.reads;
        let id = text.parse::<StrategyId>().ok();
        let stored = match id {
            Some(id) => reads.strategy(id).await?,
            None => match reads.strategy_by_slug(self.user.id, text).await? {
                Some(row) => Some(row),
                // By id, a miss waits for the read model.
                None => match self.api.commands.strategy_with_slug(self.user.id, text).await? {
                    Some(id) => reads.strategy(id).await?,
                    None => None,
                },
            },
        };
        if let Some(row) = stored {
            self.may(Access::Read, row.owner_id, row.is_public)?;
            return Ok(FoundStrategy::Stored(Box::new(row)));
        }
        let builtin = id.map_or_else(|| builtins::find_by_slug(text), builtins::find_by_id);
        builtin.map(FoundStrategy::Builtin).ok_or_else(|| no_strategy(text))
    }

    /// Returns those of the strategies that the caller may read.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn strategies(
        &self,
        ids: &[StrategyId],
    ) -> Result<HashMap<StrategyId, FoundStrategy>, ApiError> {
        let stored = self.api.reads.strategies_by_ids(ids).await?.into_iter();
        let readable =
            stored.filter(|row| self.may(Access::Read, row.owner_id, row.is_public).is_ok());
        let readable = readable.map(|row| FoundStrategy::Stored(Box::new(row)));
        let builtins = ids.iter().filter_map(|id| builtins::find_by_id(*id));
        let found = readable.chain(builtins.map(FoundStrategy::Builtin));
        Ok(found.map(|strategy| (strategy.id(), strategy)).collect())
    }

    /// Parses `text` as an id, or returns the id of the strategy with that slug.
    ///
    /// # Errors
    /// 404, 403.
    pub(crate) async fn strategy_id(&self, text: &str) -> Result<StrategyId, ApiError> {
        match text.parse() {
            Ok(id) => Ok(id),
            Err(_) => Ok(self.strategy(text).await?.id()),
        }
    }

    /// Returns the id of a strategy that is to be changed. The command checks its owner.
    ///
    /// # Errors
    /// 404; 403 for a built-in.
    pub(crate) async fn writable_strategy_id(&self, text: &str) -> Result<StrategyId, ApiError> {
        match text.parse::<StrategyId>() {
            // The command also knows what no read model has yet.
            Ok(id) if builtins::find_by_id(id).is_none() => Ok(id),
            _ => match self.strategy(text).await? {
                FoundStrategy::Stored(row) => Ok(row.id),
                FoundStrategy::Builtin(_) => Err(ApiError::forbidden()),
            },
        }
    }

    /// Returns a strategy that the caller may change, from its events, with its sequence.
    ///
    /// # Errors
    /// 404, 403.
    pub(crate) async fn writable_strategy(
        &self,
        id: StrategyId,
    ) -> Result<(LiveStrategy, i64), ApiError> {
        let loaded = self.api.store.load::<Strategy>(&id.to_string()).await?;
        let live = loaded.aggregate.live.ok_or_else(|| ApiError::not_found("strategy"))?;
        self.may(Access::Write, live.owner_id, live.is_public)?;
        Ok((live, loaded.sequence))
    }

    /// Returns the versions of another's strategy that the caller may see; `None` if it is the caller's own.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn published_versions(
        &self,
        row: &StrategyRow,
    ) -> Result<Option<BTreeSet<u32>>, ApiError> {
        if row.owner_id == self.user.id {
            return Ok(None);
        }
        let loaded = self.api.store.load::<Strategy>(&row.id.to_string()).await?;
        Ok(Some(loaded.aggregate.published_versions))
    }

    fn may(&self, access: Access, owner_id: UserId, is_public: bool) -> Result<(), Forbidden> {
        let ownership = Ownership { owner_id: Some(owner_id), is_public };
        access::check(&self.actor(), access, ownership)
    }
}

/// Returns the id, or 404. For commands, which check the owner themselves.
pub(crate) fn backtest_id(text: &str) -> Result<BacktestId, ApiError> {
    parse(text, "backtest")
}

/// Returns the id, or 404. For commands, which check the owner themselves.
pub(crate) fn sweep_id(text: &str) -> Result<SweepId, ApiError> {
    parse(text, "sweep")
}

fn parse<T: FromStr>(text: &str, what: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::not_found(what))
}
