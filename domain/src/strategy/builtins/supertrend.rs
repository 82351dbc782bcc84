//! SuperTrend: long from the candle at which the line turns up to the one at which it turns down.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const SUPERTREND: Builtin = Builtin {
    name: "supertrend",
    slug: "supertrend",
    class_name: "SuperTrend",
    title: "SuperTrend",
    description: "Buys when the SuperTrend line turns up, below the price, and sells when it turns down, \
                  above it.",
    source: "O. Seban, to whom the SuperTrend indicator is ascribed",
    parameters: &[
        BuiltinParameter {
            name: "period",
            aliases: &["window", "length", "atr_period"],
            kind: NumberKind::Integer,
            default: 10.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of the average true range.",
        },
        BuiltinParameter {
            name: "multiplier",
            aliases: &["factor", "atr_multiplier"],
            kind: NumberKind::Number,
            default: 3.0,
            minimum: 0.0,
            maximum: 100.0,
            description: "Distance of the line from the middle of the candle, in average true ranges.",
        },
    ],
    ascending: &[],
    entry_rules: || {
        json!({"operator": "and", "conditions": [{
            "indicator": "supertrend($period, $multiplier).direction",
            "comparator": "crosses_above",
            "value": 0,
        }]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [{
            "indicator": "supertrend($period, $multiplier).direction",
            "comparator": "crosses_below",
            "value": 0,
        }]})
    }),
};
