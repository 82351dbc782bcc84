//! Momentum: long while the close is above the one of some candles ago.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const MOMENTUM: Builtin = Builtin {
    name: "momentum",
    slug: "momentum",
    class_name: "Momentum",
    title: "Momentum",
    description: "Buys while the rate of change of the close is above the threshold, sells while it is \
                  below the exit threshold.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999)",
    parameters: &[
        BuiltinParameter {
            name: "period",
            aliases: &["roc_period", "momentum_period", "lookback", "window", "length"],
            kind: NumberKind::Integer,
            default: 10.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles over which the rate of change is taken.",
        },
        BuiltinParameter {
            name: "threshold",
            aliases: &["entry_threshold", "roc_threshold", "momentum_threshold"],
            kind: NumberKind::Number,
            default: 0.0,
            minimum: -100.0,
            maximum: 1_000.0,
            description: "The rate of change above which it buys, in percent.",
        },
        BuiltinParameter {
            name: "exit_threshold",
            aliases: &["exit"],
            kind: NumberKind::Number,
            default: 0.0,
            minimum: -100.0,
            maximum: 1_000.0,
            description: "The rate of change below which it sells, in percent.",
        },
    ],
    ascending: &[],
    entry_rules: || {
        json!({"operator": "and", "conditions": [
            {"indicator": "roc($period)", "comparator": ">", "value": "$threshold"},
        ]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [
            {"indicator": "roc($period)", "comparator": "<", "value": "$exit_threshold"},
        ]})
    }),
};
