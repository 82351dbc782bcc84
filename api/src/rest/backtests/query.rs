//! Which backtests a list shows, and in which order.

use chrono::{DateTime, Utc};
use domain::{error_code::ErrorCode, job::Status, market::Timeframe};
use projections::{
    backtests::{BacktestSort, TimeRange},
    metric::{Comparison, Metric, MetricFilter},
};
use serde_json::Value;

use crate::{
    http::{
        fields::{Field, Fields, Input, Kind, field, nearest},
        paging::{self, Paging},
        values::{self, DayEnd},
    },
    rest::job,
};

const TIMES: [&str; 4] = ["created_at", "completed_at", "start_time", "end_time"];

/// Which backtests a list shows.
pub(crate) struct BacktestQuery {
    pub(crate) strategy: Option<String>,
    pub(crate) status: Option<Status>,
    /// A market or an asset.
    pub(crate) symbol: Option<String>,
    /// An asset.
    pub(crate) asset: Option<String>,
    pub(crate) timeframe: Option<Timeframe>,
    pub(crate) metrics: Vec<MetricFilter>,
    /// In the order of [`TIMES`].
    pub(crate) times: [TimeRange; 4],
    pub(crate) sort: BacktestSort,
    pub(crate) descending: bool,
    pub(crate) include: Include,
    pub(crate) paging: Paging,
}

/// What else is shown with each backtest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) metrics: bool,
    pub(crate) strategy: bool,
}

pub(crate) const INCLUDE: Field =
    field("include", Kind::Text, "`metrics`, `strategy`, or both separated by a comma.");

impl Input for BacktestQuery {
    const NAME: &'static str = "BacktestQuery";
    const FIELDS: &'static [Field] = &[
        job::STRATEGY_ID,
        job::STATUS,
        field("symbol", Kind::Text, "Filters by market, or by asset: all markets with that base."),
        field("asset_symbol", Kind::Text, "Filters by asset: all markets with that base."),
        field("timeframe", Kind::Text, "Filters by timeframe."),
        field("interval", Kind::Text, "Alias of `timeframe`."),
        field(
            "sort",
            Kind::Text,
            "`created_at` or the name of a metric; prefix it with `-` for descending order (`-sharpe_ratio`). Metrics and `created_at`, `completed_at`, `start_time` and `end_time` can also be used as filters: `sharpe_ratio[gte]=2` (`gt`, `gte`, `lt`, `lte`, `eq`; times only `gte` and `lte`).",
        ),
        INCLUDE,
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn is_extra(name: &str) -> bool {
        bracketed(name).is_some()
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let status = job::read_status(fields);
        let (sort, descending) = read_sort(fields);
        let mut query = Self {
            strategy: fields.text(&["strategy_id"], 200),
            status,
            symbol: fields.text(&["symbol"], 60),
            asset: fields.text(&["asset_symbol"], 60),
            timeframe: fields.timeframe(&["timeframe", "interval"]),
            metrics: Vec::new(),
            times: [TimeRange::default(); 4],
            sort,
            descending,
            include: Include::read(fields),
            paging: Paging::read(fields),
        };
        for (name, value) in fields.map().clone() {
            if let Some((filtered, comparison)) = bracketed(&name) {
                query.read_filter(fields, &name, filtered, comparison, &value);
            }
        }
        Some(query)
    }
}

impl Include {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let mut include = Self::default();
        let names = fields.text(&["include"], 100).unwrap_or_default();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "metrics" => include.metrics = true,
                "strategy" => include.strategy = true,
                other => {
                    let message =
                        format!("`{other}` cannot be included; use `metrics` or `strategy`.");
                    fields.error("include", ErrorCode::Invalid, message);
                }
            }
        }
        include
    }

    /// Whether what is shown depends on the backtest alone.
    pub(crate) fn is_own(self) -> bool {
        !self.strategy
    }
}

/// Only `include`.
impl Input for Include {
    const NAME: &'static str = "Include";
    const FIELDS: &'static [Field] = &[INCLUDE];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self::read(fields))
    }
}

impl BacktestQuery {
    fn read_filter(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
        filtered: &str,
        comparison: &str,
        value: &Value,
    ) {
        if let Some(index) = TIMES.iter().position(|time| *time == filtered) {
            let range = &mut self.times[index];
            let read = |day| values::time(value, day);
            let (end, time) = match comparison {
                "gte" => (&mut range.from, read(DayEnd::Start)),
                "lte" => (&mut range.to, read(DayEnd::End)),
                _ => {
                    return fields.error(
                        name,
                        ErrorCode::Invalid,
                        format!("`{name}`: use gte and lte."),
                    );
                }
            };
            match time {
                Ok(time) => set(end, time),
                Err(message) => {
                    fields.error(name, ErrorCode::Invalid, format!("`{name}` {message}."))
                }
            }
            return;
        }
        let Some(metric) = Metric::parse(filtered) else {
            let known: Vec<&str> = Metric::names().collect();
            let hint = nearest(filtered, &known).map(|near| format!(" Did you mean `{near}`?"));
            let message = format!("There is no metric `{filtered}`.{}", hint.unwrap_or_default());
            return fields.error(name, ErrorCode::UnknownField, message);
        };
        let comparison = match comparison {
            "gt" => Comparison::Gt,
            "gte" => Comparison::Gte,
            "lt" => Comparison::Lt,
            "lte" => Comparison::Lte,
            "eq" => Comparison::Eq,
            _ => {
                let message = format!("`{name}`: use gt, gte, lt, lte or eq.");
                return fields.error(name, ErrorCode::Invalid, message);
            }
        };
        let number = value.as_str().and_then(|text| text.trim().parse::<f64>().ok());
        match number.filter(|number| number.is_finite()) {
            Some(number) => {
                let value = number / values::metric_scale(filtered);
                self.metrics.push(MetricFilter { metric, comparison, value });
            }
            None => {
                fields.error(name, ErrorCode::Invalid, format!("`{name}` must be a finite number."))
            }
        }
    }
}

fn set(end: &mut Option<DateTime<Utc>>, time: DateTime<Utc>) {
    *end = Some(time);
}

/// `sharpe_ratio[gte]` as its two parts.
fn bracketed(name: &str) -> Option<(&str, &str)> {
    name.strip_suffix(']')?.split_once('[')
}

fn read_sort(fields: &mut Fields<'_>) -> (BacktestSort, bool) {
    let text = fields.text(&["sort"], 60).unwrap_or_else(|| "-created_at".to_owned());
    let name = text.strip_prefix('-').unwrap_or(&text);
    let descending = text.starts_with('-');
    if name == "created_at" {
        return (BacktestSort::CreatedAt, descending);
    }
    if let Some(metric) = Metric::parse(name) {
        return (BacktestSort::Metric(metric), descending);
    }
    let known: Vec<&str> = Metric::names().chain(["created_at"]).collect();
    let hint = nearest(name, &known).map(|near| format!(" Did you mean `{near}`?"));
    let message = format!("Lists cannot be sorted by `{name}`.{}", hint.unwrap_or_default());
    fields.error("sort", ErrorCode::Invalid, message);
    (BacktestSort::CreatedAt, descending)
}
