//! MACD cross: long while the MACD line is above its signal line, entered and left on the crossings.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const MACD_CROSS: Builtin = Builtin {
    name: "macd_cross",
    slug: "macd-cross",
    class_name: "MacdCross",
    title: "MACD Cross",
    description: "Buys when the MACD line crosses above its signal line, sells when it crosses below.",
    source: "G. Appel, Technical Analysis: Power Tools for Active Investors (2005)",
    parameters: &[
        BuiltinParameter {
            name: "fast",
            aliases: &["fast_period", "fast_window", "short", "short_window"],
            kind: NumberKind::Integer,
            default: 12.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of the fast exponential moving average.",
        },
        BuiltinParameter {
            name: "slow",
            aliases: &["slow_period", "slow_window", "long", "long_window"],
            kind: NumberKind::Integer,
            default: 26.0,
            minimum: 2.0,
            maximum: 100_000.0,
            description: "Candles of the slow exponential moving average.",
        },
        BuiltinParameter {
            name: "signal",
            aliases: &["signal_period", "signal_window"],
            kind: NumberKind::Integer,
            default: 9.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of the exponential moving average of the MACD line.",
        },
    ],
    ascending: &[("fast", "slow")],
    entry_rules: || {
        json!({"operator": "and", "conditions": [{
            "indicator": "macd($fast, $slow, $signal).macd",
            "comparator": "crosses_above",
            "value": "macd($fast, $slow, $signal).signal",
        }]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [{
            "indicator": "macd($fast, $slow, $signal).macd",
            "comparator": "crosses_below",
            "value": "macd($fast, $slow, $signal).signal",
        }]})
    }),
};
