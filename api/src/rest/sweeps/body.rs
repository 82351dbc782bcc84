//! The body of a sweep: a backtest's, and the combinations that are searched.

use commands::{BacktestDraft, SweepDraft};
use domain::{fields::FieldError, simulation::sweep::Spec};

use crate::{
    http::fields::{Field, Fields, Input, Kind, field, joined},
    rest::backtests::body::BacktestBody,
};

/// A sweep as a user asks for it.
pub(crate) struct SweepBody {
    run: BacktestDraft,
    spec: Option<Spec>,
    /// What is wrong already; strategy, market, candles and combinations are checked by the command.
    pub(crate) errors: Vec<FieldError>,
}

const SEARCH: [Field; 6] = [
    field(
        "grid",
        Kind::Object,
        "Every combination of these values: for each parameter, a list of numbers or `{from, to, step}`. Use either this or `combinations`.",
    ),
    field(
        "combinations",
        Kind::List,
        "Exactly these combinations, in this order: a list of parameter objects.",
    ),
    field(
        "random",
        Kind::Object,
        "`{count, seed}`: draws that many distinct combinations from the grid. `seed` defaults to 0.",
    ),
    field(
        "constraints",
        Kind::List,
        "Conditions that every combination must satisfy, such as `short_window < long_window`.",
    ),
    field(
        "objective",
        Kind::Any,
        "A metric, or `{metric, direction}` with `maximize` or `minimize`. Defaults to `sharpe_ratio`.",
    ),
    field(
        "walk_forward",
        Kind::Object,
        "`{mode, windows, in_sample_percentage}` with mode `rolling` or `anchored`. `in_sample_percentage` defaults to 70.",
    ),
];

impl Input for SweepBody {
    const NAME: &'static str = "SweepBody";
    const EXAMPLE: &'static str = r#"{
        "strategy_id": "golden-cross", "symbol": "BTCUSDT", "timeframe": "1d",
        "start_time": "2018-01-01", "end_time": "2024-12-31", "initial_balance": "10000",
        "metadata": {"commission": 0.001},
        "grid": {"short_window": {"from": 5, "to": 50, "step": 5}, "long_window": [60, 100, 150, 200]},
        "constraints": ["short_window < long_window"],
        "objective": "sharpe_ratio",
        "walk_forward": {"mode": "rolling", "windows": 4, "in_sample_percentage": 70}
    }"#;
    const FIELDS: &'static [Field] =
        &joined::<{ BacktestBody::FIELDS.len() + SEARCH.len() }>(BacktestBody::FIELDS, &SEARCH);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let BacktestBody { draft, mut errors } = BacktestBody::read(fields)?;
        let spec = Spec::parse(fields.map(), &mut errors);
        Some(Self { run: draft, spec, errors })
    }
}

impl SweepBody {
    /// The sweep with the quota of combinations.
    pub(crate) fn draft(&self, combinations_max: usize) -> SweepDraft {
        SweepDraft { run: self.run.clone(), spec: self.spec.clone(), combinations_max }
    }
}
