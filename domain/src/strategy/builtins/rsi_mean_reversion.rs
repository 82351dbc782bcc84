//! RSI mean reversion: long from oversold to overbought.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const RSI_MEAN_REVERSION: Builtin = Builtin {
    name: "rsi_mean_reversion",
    slug: "rsi-mean-reversion",
    class_name: "RsiMeanReversion",
    title: "RSI Mean Reversion",
    description: "Buys while the relative strength index is below the oversold level, sells while it \
                  is above the overbought level.",
    source: "J. W. Wilder, New Concepts in Technical Trading Systems (1978)",
    parameters: &[
        BuiltinParameter {
            name: "period",
            aliases: &["rsi_period", "window", "length"],
            kind: NumberKind::Integer,
            default: 14.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of the relative strength index.",
        },
        BuiltinParameter {
            name: "oversold",
            aliases: &["lower", "rsi_oversold", "oversold_threshold"],
            kind: NumberKind::Number,
            default: 30.0,
            minimum: 0.0,
            maximum: 100.0,
            description: "The level below which it buys.",
        },
        BuiltinParameter {
            name: "overbought",
            aliases: &["upper", "rsi_overbought", "overbought_threshold"],
            kind: NumberKind::Number,
            default: 70.0,
            minimum: 0.0,
            maximum: 100.0,
            description: "The level above which it sells.",
        },
    ],
    ascending: &[("oversold", "overbought")],
    entry_rules: || {
        json!({"operator": "and", "conditions": [
            {"indicator": "rsi($period)", "comparator": "<", "value": "$oversold"},
        ]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [
            {"indicator": "rsi($period)", "comparator": ">", "value": "$overbought"},
        ]})
    }),
};
