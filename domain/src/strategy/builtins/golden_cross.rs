//! Golden cross: long while a short moving average is above a long one, entered and left on the crossings.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const GOLDEN_CROSS: Builtin = Builtin {
    name: "golden_cross",
    slug: "golden-cross",
    class_name: "GoldenCross",
    title: "Golden Cross",
    description: "Buys when the short simple moving average of the close crosses above the long one, \
                  sells when it crosses below (the death cross).",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999)",
    parameters: &[
        BuiltinParameter {
            name: "short_window",
            aliases: &["short", "short_period", "fast", "fast_window", "fast_period"],
            kind: NumberKind::Integer,
            default: 50.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of the short moving average.",
        },
        BuiltinParameter {
            name: "long_window",
            aliases: &["long", "long_period", "slow", "slow_window", "slow_period"],
            kind: NumberKind::Integer,
            default: 200.0,
            minimum: 2.0,
            maximum: 100_000.0,
            description: "Candles of the long moving average.",
        },
    ],
    ascending: &[("short_window", "long_window")],
    entry_rules: || {
        json!({"operator": "and", "conditions": [{
            "indicator": "sma($short_window)",
            "comparator": "crosses_above",
            "value": "sma($long_window)",
        }]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [{
            "indicator": "sma($short_window)",
            "comparator": "crosses_below",
            "value": "sma($long_window)",
        }]})
    }),
};
