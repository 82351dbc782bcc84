//! Bollinger breakout: long from a close above the upper band to a close below the middle.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const BOLLINGER_BREAKOUT: Builtin = Builtin {
    name: "bollinger_breakout",
    slug: "bollinger-breakout",
    class_name: "BollingerBreakout",
    title: "Bollinger Breakout",
    description: "Buys while the close is above the upper Bollinger band, sells while it is below the \
                  middle one.",
    source: "J. Bollinger, Bollinger on Bollinger Bands (2001)",
    parameters: &[
        BuiltinParameter {
            name: "period",
            aliases: &["window", "length", "bb_period"],
            kind: NumberKind::Integer,
            default: 20.0,
            minimum: 2.0,
            maximum: 100_000.0,
            description: "Candles of the moving average and the standard deviation.",
        },
        BuiltinParameter {
            name: "deviations",
            aliases: &["dev", "std_dev", "num_std", "multiplier"],
            kind: NumberKind::Number,
            default: 2.0,
            minimum: 0.0,
            maximum: 100.0,
            description: "Distance of the bands from the middle, in standard deviations.",
        },
    ],
    ascending: &[],
    entry_rules: || {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": ">", "value": "bbands($period, $deviations).upper"},
        ]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": "<", "value": "bbands($period, $deviations).middle"},
        ]})
    }),
};
