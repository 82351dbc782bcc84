//! What a sweep searches: the one check of its combinations and settings, for the service and the command line alike.

use domain::{
    error_code::ErrorCode,
    fields::FieldError,
    simulation::{
        Settings,
        settings::{Finalize, Intrabar},
        sweep::{self, ParametricStrategy, PreparedSweep, Spec, combinations},
    },
    strategy::{StrategyDefinition, parameters::Parameters},
};

/// A valid search.
#[derive(Debug)]
pub struct SweepSearch {
    /// With every parameter under its canonical name.
    pub spec: Spec,
    /// Those that do not vary, under their canonical names.
    pub parameters: Parameters,
    pub combinations_count: usize,
    /// The smallest first defined index of all rows.
    pub least_first_defined: usize,
}

impl SweepSearch {
    /// Checks a search over a strategy with these fixed parameters and settings: at most `combinations_max` runs, those of
    /// the windows of a walk-forward included.
    ///
    /// # Errors
    /// Every field error at once.
    pub fn try_new(
        definition: &StrategyDefinition,
        parameters: &Parameters,
        settings: &Settings,
        spec: Spec,
        combinations_max: usize,
    ) -> Result<Self, Vec<FieldError>> {
        let mut errors = unsuited(settings, &spec);
        match find(definition, parameters, settings, spec, combinations_max) {
            Ok(search) if errors.is_empty() => Ok(search),
            Ok(_) => Err(errors),
            Err(others) => {
                errors.extend(others);
                Err(errors)
            }
        }
    }
}

/// Settings that backtests have and sweeps do not.
fn unsuited(settings: &Settings, spec: &Spec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if spec.walk_forward.is_some() && settings.finalize == Finalize::LeaveOpen {
        let message =
            "a walk-forward closes what is open at the end of each window: not leave_open";
        errors.push(FieldError::new("metadata.finalize", ErrorCode::Invalid, message));
    }
    if settings.intrabar == Intrabar::LowerTimeframe {
        let message = "a sweep looks at no finer candles: not lower_timeframe";
        errors.push(FieldError::new("metadata.intrabar", ErrorCode::UnsupportedSetting, message));
    }
    errors
}

fn find(
    definition: &StrategyDefinition,
    parameters: &Parameters,
    settings: &Settings,
    spec: Spec,
    combinations_max: usize,
) -> Result<SweepSearch, Vec<FieldError>> {
    let strategy = ParametricStrategy::try_new(definition, parameters)?;
    let spec = strategy.canonical_spec(spec)?;
    let all = combinations(&spec, &strategy, combinations_max)?;
    let combinations_count = all.len();
    if let Some(walk_forward) = &spec.walk_forward {
        let windows = usize::try_from(walk_forward.windows).unwrap_or(usize::MAX);
        if combinations_count.saturating_mul(windows.saturating_add(1)) > combinations_max {
            let message = format!(
                "{combinations_count} combinations in the range and in {windows} windows are more than {combinations_max} runs",
            );
            let field = "walk_forward.windows";
            return Err(vec![FieldError::new(field, ErrorCode::TooManyCombinations, message)]);
        }
    }
    let parameters = strategy.fixed().clone();
    let prepared = PreparedSweep::try_new(strategy, all, field_of(&spec))?;
    let first = prepared.strategy(1);
    let conflicts = first.map(|first| settings.conflicts(&first.config));
    if let Some(conflicts) = conflicts.filter(|conflicts| !conflicts.is_empty()) {
        return Err(conflicts);
    }
    let least_first_defined = prepared.least_first_defined;
    Ok(SweepSearch { spec, parameters, combinations_count, least_first_defined })
}

/// The field that combinations come from.
fn field_of(spec: &Spec) -> &'static str {
    match spec.search {
        sweep::Search::Grid { .. } | sweep::Search::Random { .. } => "grid",
        sweep::Search::List { .. } => "combinations",
    }
}
