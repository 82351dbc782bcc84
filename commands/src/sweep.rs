//! Use cases of sweeps.

use domain::{
    access::{Access, Actor},
    backtest::{Origin, Request, SweepRow, check_balance},
    error_code::ErrorCode,
    fields::FieldError,
    ids::{BacktestId, SweepId},
    job::Status,
    run_spec::RunSpec,
    simulation::sweep::{ParametricStrategy, Spec, combinations},
    sweep::{Sweep, SweepCommand, SweepRequest},
};

use crate::{
    backtest::BacktestDraft,
    check::{MarketRange, PinnedStrategy, kept, kept_all, reversed_range, run_spec},
    context::{Accepted, CommandContext},
    dataset::range,
    error::CommandError,
    execute::replayed,
    handle::Commands,
    job::{owned, parse_id},
    sweep_search::SweepSearch,
};

/// A sweep as a user asks for it.
#[derive(Debug, Clone)]
pub struct SweepDraft {
    /// What every run has in common: its parameters are those that do not vary.
    pub run: BacktestDraft,
    /// `None` if it is missing or cannot be read.
    pub spec: Option<Spec>,
    /// Runs that one sweep may have, each window of a walk-forward included.
    pub combinations_max: usize,
}

impl Commands {
    /// Checks the draft against strategy and candles, pins everything and requests the sweep.
    ///
    /// # Errors
    /// All field errors at once, and see [`CommandError`].
    pub async fn request_sweep(
        &self,
        context: &CommandContext,
        draft: &SweepDraft,
    ) -> Result<Accepted<SweepId>, CommandError> {
        if let Some(earlier) = replayed(&self.store, context).await? {
            return parse_id(earlier);
        }
        let request = self.check_sweep(&context.actor, draft).await?;
        let request = SweepCommand::Request(Box::new(request));
        self.request_job::<Sweep, _>(context, request).await
    }

    /// Checks the draft against strategy, market and candles: the sweep with everything pinned.
    ///
    /// # Errors
    /// [`CommandError::Invalid`] with every field error at once, [`CommandError::Forbidden`] for another's
    /// private strategy, the database.
    pub async fn check_sweep(
        &self,
        actor: &Actor,
        draft: &SweepDraft,
    ) -> Result<SweepRequest, CommandError> {
        let owner_id = actor.user_id().ok_or(CommandError::Forbidden)?;
        let run = &draft.run;
        let mut errors = Vec::new();
        let balance = kept(&mut errors, check_balance(run.initial_balance));
        errors.extend(reversed_range(run));
        let strategy = kept(&mut errors, self.strategy_of(actor, owner_id, run).await?);
        let search = match &strategy {
            Some(strategy) => kept_all(&mut errors, search(strategy, draft).await?),
            None => None,
        };
        let needed = search.as_ref().map(|search| search.least_first_defined);
        let found = self.market_and_range(run, needed, &mut errors).await?;
        if let (Some(search), Some(found)) = (&search, &found) {
            errors.extend(self.too_many_windows(search, found, run).await?);
        }
        let (Some(balance), Some(strategy), Some(search), Some(found), true) =
            (balance, strategy, search, found, errors.is_empty())
        else {
            return Err(CommandError::Invalid(errors));
        };
        Ok(SweepRequest {
            run: run_spec(owner_id, run, strategy, found, balance, search.parameters),
            spec: search.spec,
            combinations_count: u32::try_from(search.combinations_count).unwrap_or(u32::MAX),
        })
    }

    /// Returns the error of a walk-forward with windows without candles.
    async fn too_many_windows(
        &self,
        search: &SweepSearch,
        found: &MarketRange,
        run: &BacktestDraft,
    ) -> Result<Option<FieldError>, CommandError> {
        let Some(walk_forward) = search.spec.walk_forward else { return Ok(None) };
        let series = self.candles.series(&found.market.symbol, run.timeframe, None).await?;
        let Some(series) = series else { return Ok(None) };
        let len = range(&series.candles, Some(found.start_time), Some(found.end_time)).len();
        let error = walk_forward.windows(len).err();
        Ok(error.map(|error| {
            FieldError::new("walk_forward.windows", ErrorCode::TooManyWindows, error.to_string())
        }))
    }

    /// Cancels a sweep; waits up to a second for its executor, and returns its status.
    ///
    /// # Errors
    /// `not_cancellable` for a completed or failed one, and see [`CommandError`].
    pub async fn cancel_sweep(
        &self,
        context: &CommandContext,
        id: SweepId,
    ) -> Result<Accepted<Status>, CommandError> {
        self.cancel_job::<Sweep>(context, &id.to_string()).await
    }

    /// Deletes a sweep in any state, stopping it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn delete_sweep(
        &self,
        context: &CommandContext,
        id: SweepId,
    ) -> Result<Accepted<()>, CommandError> {
        self.delete_job::<Sweep>(context, &id.to_string()).await
    }

    /// Requests a full backtest of a row: the same rules, parameters, settings and candles.
    ///
    /// # Errors
    /// `not_completed` while there are no rows, no such row, and see [`CommandError`].
    pub async fn promote_sweep_row(
        &self,
        context: &CommandContext,
        id: SweepId,
        number: u32,
    ) -> Result<Accepted<BacktestId>, CommandError> {
        if let Some(earlier) = replayed(&self.store, context).await? {
            return parse_id(earlier);
        }
        let loaded = self.store.load::<Sweep>(&id.to_string()).await?;
        let live = owned(&context.actor, &loaded, Access::Read)?;
        let (Status::Completed, Some(dataset)) = (live.status, &live.dataset) else {
            let message =
                format!("the sweep is {}; only a completed one has rows", live.status.as_str());
            return Err(CommandError::Rejected { code: ErrorCode::NotCompleted, message });
        };
        let row = SweepRow {
            sweep_id: id,
            number,
            revision: dataset.revision,
            warmup_rows: dataset.warmup_rows,
        };
        let request = live.request.clone();
        let request = tokio::task::spawn_blocking(move || promoted(request, row));
        let request =
            request.await.map_err(|error| CommandError::Internal(error.to_string()))??;
        self.request_checked(context, request).await
    }
}

/// Which combinations the draft has; every error at once.
async fn search(
    strategy: &PinnedStrategy,
    draft: &SweepDraft,
) -> Result<Result<SweepSearch, Vec<FieldError>>, CommandError> {
    let Some(spec) = draft.spec.clone() else { return Ok(Err(Vec::new())) };
    let (definition, draft) = (strategy.definition.clone(), draft.clone());
    let searched = tokio::task::spawn_blocking(move || {
        let SweepDraft { run, combinations_max, .. } = &draft;
        SweepSearch::try_new(&definition, &run.parameters, &run.settings, spec, *combinations_max)
    });
    searched.await.map_err(|error| CommandError::Internal(error.to_string()))
}

/// The backtest of a row, given the candles of its sweep.
pub(crate) fn promoted(sweep: SweepRequest, row: SweepRow) -> Result<Request, CommandError> {
    let wrong = |errors: Vec<FieldError>| CommandError::Internal(format!("{errors:?}"));
    let SweepRequest { run, spec, .. } = sweep;
    let strategy = ParametricStrategy::try_new(&run.definition, &run.parameters).map_err(wrong)?;
    let all = combinations(&spec, &strategy, usize::MAX - 1).map_err(wrong)?;
    let index = usize::try_from(row.number).ok().and_then(|number| number.checked_sub(1));
    let combination = index.and_then(|index| all.get(index));
    let combination = combination.ok_or(CommandError::NotFound("row"))?;
    let parameters = strategy.parameters(combination);
    let first_defined = strategy.bind("parameters", combination).map_err(wrong)?.first_defined();
    let available = usize::try_from(row.warmup_rows).unwrap_or(usize::MAX);
    let warmup_rows = run.settings.warmup.rows(first_defined, available);
    let row = SweepRow { warmup_rows: u64::try_from(warmup_rows).unwrap_or(u64::MAX), ..row };
    Ok(Request { run: RunSpec { parameters, ..run }, origin: Origin::Sweep, sweep_row: Some(row) })
}
