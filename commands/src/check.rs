//! What a backtest is checked against before it is requested: strategy, parameters, market, candles, settings.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{
    access::{self, Access, Actor, Ownership},
    backtest::{Request, check_balance},
    error_code::ErrorCode,
    fields::FieldError,
    ids::{StrategyId, UserId},
    market::Market,
    market_names::NoMarket,
    run_spec::RunSpec,
    simulation::{Candles, Settings, rules::BoundStrategy},
    strategy::{Strategy, StrategyDefinition, builtins, parameters::Parameters},
};
use rust_decimal::Decimal;

use crate::{
    backtest::BacktestDraft,
    candles::{CandleRange, get_candles},
    dataset::Selection,
    error::CommandError,
    handle::Commands,
};

/// A strategy at the version that a run is pinned to.
pub(crate) struct PinnedStrategy {
    pub(crate) id: StrategyId,
    pub(crate) version: u32,
    pub(crate) name: String,
    pub(crate) definition: StrategyDefinition,
}

/// A market, and the ends of a range in which it has candles.
pub(crate) struct MarketRange {
    pub(crate) market: Market,
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) end_time: DateTime<Utc>,
}

impl Commands {
    /// Checks the draft against strategy, market and candles: the run with everything pinned.
    ///
    /// # Errors
    /// [`CommandError::Invalid`] with every field error at once, [`CommandError::Forbidden`] for another's
    /// private strategy, the database.
    pub async fn check_backtest(
        &self,
        actor: &Actor,
        draft: &BacktestDraft,
    ) -> Result<Request, CommandError> {
        let owner_id = actor.user_id().ok_or(CommandError::Forbidden)?;
        let mut errors = Vec::new();
        let balance = kept(&mut errors, check_balance(draft.initial_balance));
        errors.extend(reversed_range(draft));
        let strategy = kept(&mut errors, self.strategy_of(actor, owner_id, draft).await?);
        let parameters = strategy.as_ref().and_then(|strategy| {
            let merged = strategy.definition.merge_parameters(&draft.parameters);
            kept_all(&mut errors, merged)
        });
        let bound =
            strategy.as_ref().zip(parameters.as_ref()).and_then(|(strategy, parameters)| {
                kept_all(&mut errors, strategy.definition.bind(parameters))
            });
        if let Some(bound) = &bound {
            errors.extend(draft.settings.conflicts(&bound.config));
        }
        let needed = bound.as_ref().map(BoundStrategy::first_defined);
        let found = self.market_and_range(draft, needed, &mut errors).await?;
        let (Some(balance), Some(strategy), Some(parameters), Some(found), true) =
            (balance, strategy, parameters, found, errors.is_empty())
        else {
            return Err(CommandError::Invalid(errors));
        };
        let run = run_spec(owner_id, draft, strategy, found, balance, parameters);
        Ok(Request { run, origin: draft.origin, sweep_row: None })
    }

    /// Finds a strategy by id, by the slug of one of the user's own, or by a built-in's slug.
    pub(crate) async fn strategy_of(
        &self,
        actor: &Actor,
        owner_id: UserId,
        draft: &BacktestDraft,
    ) -> Result<Result<PinnedStrategy, FieldError>, CommandError> {
        let Some(text) = &draft.strategy else {
            return Ok(Err(required("strategy_id")));
        };
        let unknown = || {
            let near = builtins::nearest_slug(text);
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let message = format!("there is no strategy `{}`{near}", shortened(text));
            FieldError::new("strategy_id", ErrorCode::NotFound, message)
        };
        let id = match text.parse::<StrategyId>() {
            Ok(id) => Some(id),
            Err(_) => self.strategy_with_slug(owner_id, text).await?,
        };
        if let Some(id) = id {
            let loaded = self.store.load::<Strategy>(&id.to_string()).await?;
            if let Some(live) = loaded.aggregate.live {
                let ownership =
                    Ownership { owner_id: Some(live.owner_id), is_public: live.is_public };
                access::check(actor, Access::Read, ownership)?;
                return Ok(Ok(PinnedStrategy {
                    id,
                    version: live.version,
                    name: live.content.name,
                    definition: live.content.definition,
                }));
            }
        }
        Ok(builtin(text).ok_or_else(unknown))
    }

    /// The draft's market and the ends of its range, if both are good; rules whose first defined index is `needed` can be
    /// evaluated there.
    pub(crate) async fn market_and_range(
        &self,
        draft: &BacktestDraft,
        needed: Option<usize>,
        errors: &mut Vec<FieldError>,
    ) -> Result<Option<MarketRange>, CommandError> {
        let Some(market) = kept_all(errors, self.market_of(draft).await?) else { return Ok(None) };
        if reversed_range(draft).is_some() {
            return Ok(None);
        }
        let ends = kept(errors, self.range_of(&market, draft, needed).await?);
        Ok(ends.map(|(start_time, end_time)| MarketRange { market, start_time, end_time }))
    }

    async fn market_of(
        &self,
        draft: &BacktestDraft,
    ) -> Result<Result<Market, Vec<FieldError>>, CommandError> {
        let Some(text) = &draft.symbol else { return Ok(Err(vec![required("symbol")])) };
        let market = self.markets.resolve(text, draft.quote.as_deref()).await?;
        let market = match market {
            Ok(market) => market,
            Err(NoMarket::Unknown(message)) => {
                return Ok(Err(vec![FieldError::new("symbol", ErrorCode::NotFound, message)]));
            }
            Err(NoMarket::OtherQuote(message)) => {
                let code = ErrorCode::ConflictingSynonyms;
                let error = |field| FieldError::new(field, code, message.as_str());
                return Ok(Err(vec![error("symbol"), error("quote")]));
            }
        };
        let is_of = |asset: &&String| {
            asset.eq_ignore_ascii_case(&market.base)
                || asset.eq_ignore_ascii_case(market.symbol.as_str())
        };
        Ok(match draft.asset.as_ref().filter(|asset| !is_of(asset)) {
            None => Ok(market),
            Some(asset) => {
                let (symbol, base) = (&market.symbol, &market.base);
                let message = format!(
                    "the base asset of {symbol} is {base}, and `asset_symbol` is `{}`",
                    shortened(asset)
                );
                let code = ErrorCode::ConflictingSynonyms;
                let error = |field| FieldError::new(field, code, message.as_str());
                Err(vec![error("symbol"), error("asset_symbol")])
            }
        })
    }

    /// Start and end, when candles lie between them and one of them can be evaluated by rules whose first defined index is
    /// `needed`.
    async fn range_of(
        &self,
        market: &Market,
        draft: &BacktestDraft,
        needed: Option<usize>,
    ) -> Result<Result<(DateTime<Utc>, DateTime<Utc>), FieldError>, CommandError> {
        let (timeframe, start, end) = (draft.timeframe, draft.start_time, draft.end_time);
        let found = get_candles(&self.candles, &market.symbol, timeframe, start, end).await?;
        let Some(found) = found else { return Ok(Err(self.no_candles(market, draft).await?)) };
        let Some((first, last)) = found.ends() else {
            return Ok(Err(empty_range(market, draft, found)));
        };
        let start = draft.start_time.unwrap_or(first);
        let end = draft.end_time.unwrap_or(last);
        let short = needed.and_then(|first_defined| {
            too_short(&found.series.candles, draft, (start, end), first_defined)
        });
        Ok(short.map_or(Ok((start, end)), Err))
    }

    async fn no_candles(
        &self,
        market: &Market,
        draft: &BacktestDraft,
    ) -> Result<FieldError, CommandError> {
        let coverage = self.candles.coverage().await?;
        let stored = coverage.iter().filter(|series| series.symbol == market.symbol);
        let stored: Vec<_> = stored.map(|series| series.timeframe.as_str()).collect();
        let message = match stored.as_slice() {
            [] => format!("no candles of {} are stored", market.symbol),
            stored => format!(
                "no {} candles of {} are stored; there are {}",
                draft.timeframe,
                market.symbol,
                stored.join(", ")
            ),
        };
        let field = if stored.is_empty() { "symbol" } else { "timeframe" };
        Ok(FieldError::new(field, ErrorCode::NoCandles, message))
    }
}

/// The draft with everything pinned that was found for it.
pub(crate) fn run_spec(
    owner_id: UserId,
    draft: &BacktestDraft,
    strategy: PinnedStrategy,
    found: MarketRange,
    initial_balance: Decimal,
    parameters: Parameters,
) -> RunSpec {
    let MarketRange { market, start_time, end_time } = found;
    // The lot is pinned too: a market may change its own between two attempts.
    let lot = Some(draft.settings.lot.unwrap_or(market.lot));
    RunSpec {
        owner_id,
        strategy_id: strategy.id,
        strategy_version: strategy.version,
        strategy_name: strategy.name,
        definition: strategy.definition,
        symbol: market.symbol,
        asset_symbol: market.base,
        timeframe: draft.timeframe,
        start_time,
        end_time,
        initial_balance,
        parameters,
        settings: Settings { lot, ..draft.settings.clone() },
    }
}

/// By id, or by any spelling of its name.
fn builtin(text: &str) -> Option<PinnedStrategy> {
    let builtin = match text.parse() {
        Ok(id) => builtins::find_by_id(id)?,
        Err(_) => builtins::find(text)?,
    };
    Some(PinnedStrategy {
        id: builtin.id(),
        version: 1,
        name: builtin.title.to_owned(),
        definition: StrategyDefinition::of_builtin(builtin),
    })
}

/// The error of an end before the start.
pub(crate) fn reversed_range(draft: &BacktestDraft) -> Option<FieldError> {
    let (start, end) = draft.start_time.zip(draft.end_time)?;
    (end < start).then(|| {
        let message = format!("must not be before start_time, {}", shown(start));
        FieldError::new("end_time", ErrorCode::OutOfRange, message)
    })
}

fn empty_range(market: &Market, draft: &BacktestDraft, found: CandleRange) -> FieldError {
    let all = CandleRange { rows: 0..found.series.candles.len(), ..found };
    let stored = all.ends().map_or(String::new(), |(first, last)| {
        format!("; {} are stored, from {} to {}", all.rows.len(), shown(first), shown(last))
    });
    let message = format!(
        "there are no {} candles of {} in the range{stored}",
        draft.timeframe, market.symbol
    );
    let field = if draft.start_time.is_some() { "start_time" } else { "end_time" };
    FieldError::new(field, ErrorCode::NoCandles, message)
}

/// The error of a range in which no candle can be evaluated.
fn too_short(
    candles: &Candles,
    draft: &BacktestDraft,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    first_defined: usize,
) -> Option<FieldError> {
    let warmup = draft.settings.warmup;
    let available = Selection::new(candles, (start, end), first_defined, warmup, None)?.rows.len();
    let needed = first_defined.saturating_add(2);
    (available < needed).then(|| {
        let message = format!(
            "no candle of the range can be evaluated: the indicators need {needed} candles, there are \
             {available}, warm-up included"
        );
        FieldError::new("start_time", ErrorCode::NotEnoughCandles, message)
    })
}

fn required(field: &str) -> FieldError {
    FieldError::new(field, ErrorCode::Required, "is required")
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

pub(crate) fn kept<T>(errors: &mut Vec<FieldError>, result: Result<T, FieldError>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

pub(crate) fn kept_all<T>(
    errors: &mut Vec<FieldError>,
    result: Result<T, Vec<FieldError>>,
) -> Option<T> {
    result.map_err(|found| errors.extend(found)).ok()
}
