//! The candles and rules of a run: pinned by the first attempt, rebuilt and verified by later ones.

use std::sync::Arc;

use chrono::DateTime;
use domain::{
    backtest::Request,
    dataset::{Dataset, FineDataset},
    simulation::{
        Candles,
        hash::{Digest, dataset_sha256},
        rules::BoundStrategy,
        settings::Intrabar,
    },
};
use rust_decimal::Decimal;

use super::super::failure::Failure;
use crate::{
    CommandError, Commands,
    dataset::{Selection, finer_within},
};

/// All that a simulation needs.
pub(super) struct Prepared {
    pub(super) strategy: BoundStrategy,
    pub(super) candles: Arc<Candles>,
    pub(super) selection: Selection,
    pub(super) sha256: Digest,
    pub(super) lot: Decimal,
    pub(super) dataset: Dataset,
    /// The finer candles that the settings ask for, with their hash.
    pub(super) fine: Option<(Candles, Digest)>,
}

/// Loads the candles of the pinned revision, or of the published one where none is pinned yet.
pub(super) async fn prepare(
    commands: &Commands,
    request: &Request,
    pinned: Option<&Dataset>,
) -> Result<Prepared, Failure> {
    let strategy = request.run.definition.bind(&request.run.parameters).map_err(|errors| {
        let messages: Vec<_> =
            errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
        failed("invalid_strategy", messages.join("; "))
    })?;
    let lot = lot(commands, request).await?;
    // A row of a sweep is run on the sweep's own candles.
    let row = request.sweep_row;
    let revision = pinned.map(|dataset| dataset.revision).or(row.map(|row| row.revision));
    let series =
        commands.candles.series(&request.run.symbol, request.run.timeframe, revision).await?;
    let no_candles = || failed("no_candles", "there are no candles in the range".to_owned());
    let series = series.ok_or_else(no_candles)?;
    let selection = Selection::new(
        &series.candles,
        request.run.start_time,
        request.run.end_time,
        warmed_up_by(&strategy, request),
        request.run.settings.warmup,
    )
    .ok_or_else(no_candles)?;
    let digest = tokio::task::spawn_blocking(move || {
        let candles = selection.candles(&series.candles);
        let sha256 = dataset_sha256(&candles);
        (candles, selection, sha256)
    });
    let (candles, selection, sha256) =
        digest.await.map_err(|error| CommandError::Internal(error.to_string()))?;
    let (Some(first), Some(last)) = (candles.open_time.first(), candles.open_time.last()) else {
        return Err(no_candles());
    };
    let fine = fine(commands, request, pinned, &candles).await?;
    let time = |ms: i64| {
        DateTime::from_timestamp_millis(ms).ok_or_else(|| {
            failed("no_candles", format!("a candle opens at {ms}, which is no time"))
        })
    };
    let dataset = Dataset {
        revision: series.revision,
        rows: count(candles.len()),
        first: time(*first)?,
        last: time(*last)?,
        warmup_rows: count(selection.warmup_rows),
        sha256: sha256.to_string(),
        fine: fine.as_ref().map(|(dataset, ..)| dataset.clone()),
    };
    let fine = fine.map(|(_, candles, digest)| (candles, digest));
    match pinned {
        Some(pinned) if *pinned != dataset => Err(failed(
            "other_dataset",
            format!(
                "the candles of revision {} are not those of the first attempt: {} where {} was pinned",
                pinned.revision, dataset.sha256, pinned.sha256
            ),
        )),
        Some(_) | None => Ok(Prepared { strategy, candles, selection, sha256, lot, dataset, fine }),
    }
}

/// The finest stored candles beside `candles`, where the settings ask for them: at the pinned revision, if there is one.
async fn fine(
    commands: &Commands,
    request: &Request,
    pinned: Option<&Dataset>,
    candles: &Arc<Candles>,
) -> Result<Option<(FineDataset, Candles, Digest)>, Failure> {
    if request.run.settings.intrabar != Intrabar::LowerTimeframe {
        return Ok(None);
    }
    let (symbol, coarse) = (&request.run.symbol, request.run.timeframe);
    let found = match pinned {
        Some(dataset) => dataset.fine.as_ref().map(|fine| (fine.timeframe, fine.revision)),
        None => commands.candles.finest(symbol, coarse).await?,
    };
    let Some((timeframe, revision)) = found else { return Ok(None) };
    let series = commands.candles.series(symbol, timeframe, Some(revision)).await?;
    let Some(series) = series else { return Ok(None) };
    let candles = Arc::clone(candles);
    let digest = tokio::task::spawn_blocking(move || {
        let fine = finer_within(&series.candles, &candles, coarse);
        let sha256 = dataset_sha256(&fine);
        (fine, sha256)
    });
    let (fine, sha256) = digest.await.map_err(|error| CommandError::Internal(error.to_string()))?;
    let rows = count(fine.len());
    let dataset = FineDataset { timeframe, revision, rows, sha256: sha256.to_string() };
    Ok(Some((dataset, fine, sha256)))
}

/// The index at which all is defined that the run, or the sweep that it comes from, needs.
fn warmed_up_by(strategy: &BoundStrategy, request: &Request) -> usize {
    let of_sweep = request.sweep_row.map_or(0, |row| row.warmup_rows.saturating_sub(1));
    strategy.first_defined().max(usize::try_from(of_sweep).unwrap_or(usize::MAX))
}

/// The run's own, else the market's.
async fn lot(commands: &Commands, request: &Request) -> Result<Decimal, Failure> {
    if let Some(lot) = request.run.settings.lot {
        return Ok(lot);
    }
    let market = commands.markets.get(&request.run.symbol).await?;
    let market = market
        .ok_or_else(|| failed("no_market", format!("there is no market {}", request.run.symbol)))?;
    Ok(market.lot)
}

pub(super) fn failed(code: &'static str, message: String) -> Failure {
    Failure::Rejected { code, message }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
