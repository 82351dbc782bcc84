//! What each metric is measured in on the wire, and how it is described there.

use std::{collections::BTreeMap, sync::LazyLock};

use schemars::generate::SchemaSettings;

use super::{Metrics, recorded_name};

/// What a metric is measured in, as the API writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    /// Of the market's quote asset.
    Money,
    Fraction,
    Percent,
    Seconds,
    /// Without a unit.
    Ratio,
}

impl Unit {
    /// The unit of the metric of that name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "total_trades"
            | "winning_trades"
            | "losing_trades"
            | "longest_winning_streak"
            | "longest_losing_streak" => Self::Count,
            "total_pnl" | "total_fees" | "max_drawdown" | "average_win" | "average_loss" => {
                Self::Money
            }
            "volatility"
            | "annual_return"
            | "cagr"
            | "win_rate"
            | "average_trade"
            | "best_trade"
            | "worst_trade"
            | "expectancy"
            | "exposure"
            | "kelly"
            | "total_return"
            | "buy_and_hold_return"
            | "alpha"
            | "value_at_risk"
            | "conditional_value_at_risk"
            | "ulcer_index"
            | "p_value" => Self::Fraction,
            "luck_percentile" => Self::Percent,
            name if name.ends_with("_percentage") => Self::Percent,
            name if name.ends_with("_seconds") => Self::Seconds,
            _ => Self::Ratio,
        }
    }

    /// Says it in one sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Count => "A count.",
            Self::Money => "Quote money.",
            Self::Fraction => "A fraction: 0.05 is 5 %.",
            Self::Percent => "Percent: 5 is 5 %.",
            Self::Seconds => "Seconds.",
            Self::Ratio => "A ratio without a unit.",
        }
    }
}

/// Returns the unit and the formula of a metric, for documentation.
#[must_use]
pub fn description(name: &'static str) -> String {
    let formula = FORMULAS.get(recorded_name(name)).map_or("", String::as_str);
    format!("{} {formula}", Unit::of(name).sentence())
}

/// The documentation of the fields of [`Metrics`], by recorded name.
static FORMULAS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = generator.into_root_schema_for::<Metrics>().to_value();
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let described = fields.into_iter().filter_map(|(name, field)| {
        let text = field["description"].as_str()?;
        // Links of Rust's documentation.
        let text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
        Some((name, text))
    });
    described.collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_unit_and_a_formula() {
        for name in Metrics::all_names() {
            let description = description(name);
            let sentence = Unit::of(name).sentence();
            assert!(description.len() > sentence.len() + 10, "{name}: {description}");
            assert!(!description.contains(['[', ']']) || description.contains("%]"), "{name}");
        }
        assert!(description("sharpe_ratio").starts_with("A ratio without a unit. mean(r)"));
        assert!(description("max_drawdown_percentage").starts_with("Percent: 5 is 5 %. max(1"));
    }
}
