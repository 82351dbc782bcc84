//! The run with its candles: pinned by the first attempt, rebuilt and verified by later ones.

use std::sync::Arc;

use domain::{
    backtest::Request,
    dataset::Dataset,
    decimals::Decimals,
    market::{Market, Timeframe},
    run_spec::RunSpec,
    simulation::{Candles, SimulationError, settings::Intrabar},
};
use rust_decimal::Decimal;

use super::super::failure::Failure;
use crate::{
    error::CommandError,
    handle::Commands,
    prepared_run::{PreparedRun, RunError},
};

/// Finer candles, with their timeframe and revision.
type Finer = (Arc<Candles>, (Timeframe, i64));

/// Loads the candles of the pinned revision, or of the published one if none is pinned yet; the dataset is what the run is
/// pinned to, and the decimals are those of its candles.
pub(super) async fn prepare(
    commands: &Commands,
    request: &Request,
    pinned: Option<&Dataset>,
) -> Result<(PreparedRun, Dataset, Decimals), Failure> {
    let run = request.run.clone();
    // A row of a sweep is run on its own candles there.
    let row = request.sweep_row.map(|row| (row.revision, row.warmup_rows));
    let pinned_rows = pinned.map(|dataset| (dataset.revision, dataset.warmup_rows)).or(row);
    let (revision, warmup_rows) = pinned_rows.unzip();
    let market = commands.markets.get(&run.symbol);
    let series = commands.candles.series(&run.symbol, run.timeframe, revision);
    let (market, series) = tokio::try_join!(market, series)?;
    let lot = lot(market.as_ref(), &run)?;
    let series = series.ok_or(RunError::from(SimulationError::NoCandles))?;
    let decimals = series.decimals;
    let finer = finer(commands, &run, pinned).await?;
    let kind = market.map(|market| market.kind);
    let prepared = tokio::task::spawn_blocking(move || {
        let mut run = PreparedRun::try_new(run, lot, &series.candles, warmup_rows)?
            .warn(series.warnings.to_vec());
        if let Some(kind) = kind {
            run = run.on(kind);
        }
        if let Some((candles, _)) = &finer {
            run = run.with_finer(candles);
        }
        let dataset = run.dataset(series.revision, finer.map(|(_, pinned)| pinned))?;
        Ok::<_, RunError>((run, dataset))
    });
    let prepared = prepared.await.map_err(|error| CommandError::Internal(error.to_string()))??;
    let (run, dataset) = prepared;
    Failure::unless_same(pinned, &dataset)?;
    Ok((run, dataset, decimals))
}

/// The finest stored candles of the market, if the settings ask for them: at the pinned revision, if there is one.
async fn finer(
    commands: &Commands,
    run: &RunSpec,
    pinned: Option<&Dataset>,
) -> Result<Option<Finer>, Failure> {
    if run.settings.intrabar != Intrabar::LowerTimeframe {
        return Ok(None);
    }
    let found = match pinned {
        Some(dataset) => dataset.fine.as_ref().map(|fine| (fine.timeframe, fine.revision)),
        None => commands.candles.finest(&run.symbol, run.timeframe).await?,
    };
    let Some((timeframe, revision)) = found else { return Ok(None) };
    let series = commands.candles.series(&run.symbol, timeframe, Some(revision)).await?;
    Ok(series.map(|series| (series.candles, (timeframe, revision))))
}

/// The run's own, else the market's.
fn lot(market: Option<&Market>, run: &RunSpec) -> Result<Decimal, Failure> {
    let lot = run.settings.lot.or(market.map(|market| market.lot));
    lot.ok_or_else(|| Failure::Rejected {
        code: "no_market",
        message: format!("there is no market {}", run.symbol),
    })
}
