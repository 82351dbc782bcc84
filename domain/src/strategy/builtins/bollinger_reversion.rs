//! Bollinger reversion: long from a close below the lower band back to the middle.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const BOLLINGER_REVERSION: Builtin = Builtin {
    name: "bollinger_reversion",
    slug: "bollinger-reversion",
    class_name: "BollingerReversion",
    title: "Bollinger Reversion",
    description: "Buys while the close is below the lower Bollinger band, sells while it is above the \
                  middle one.",
    source: "E. P. Chan, Algorithmic Trading: Winning Strategies and Their Rationale (2013)",
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
            {"indicator": "close", "comparator": "<", "value": "bbands($period, $deviations).lower"},
        ]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": ">", "value": "bbands($period, $deviations).middle"},
        ]})
    }),
};
