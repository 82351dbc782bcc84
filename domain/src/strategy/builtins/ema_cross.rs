//! EMA cross: long while a short exponential average is above a long one, entered and left on the crossings.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const EMA_CROSS: Builtin = Builtin {
    name: "ema_cross",
    slug: "ema-cross",
    class_name: "EmaCross",
    title: "EMA Cross",
    description: "Buys when the short exponential moving average of the close crosses above the long \
                  one, sells when it crosses below.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999)",
    parameters: &[
        BuiltinParameter {
            name: "short_window",
            aliases: &["short", "short_period", "fast", "fast_window", "fast_period"],
            kind: NumberKind::Integer,
            default: 12.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of the short exponential moving average.",
        },
        BuiltinParameter {
            name: "long_window",
            aliases: &["long", "long_period", "slow", "slow_window", "slow_period"],
            kind: NumberKind::Integer,
            default: 26.0,
            minimum: 2.0,
            maximum: 100_000.0,
            description: "Candles of the long exponential moving average.",
        },
    ],
    ascending: &[("short_window", "long_window")],
    entry_rules: || {
        json!({"operator": "and", "conditions": [{
            "indicator": "ema($short_window)",
            "comparator": "crosses_above",
            "value": "ema($long_window)",
        }]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [{
            "indicator": "ema($short_window)",
            "comparator": "crosses_below",
            "value": "ema($long_window)",
        }]})
    }),
};
