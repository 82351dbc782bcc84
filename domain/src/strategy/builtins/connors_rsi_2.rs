//! Connors RSI(2): long from a short, sharp fall within an uptrend to the first strength.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const CONNORS_RSI_2: Builtin = Builtin {
    name: "connors_rsi_2",
    slug: "connors-rsi-2",
    class_name: "ConnorsRsi2",
    title: "Connors RSI(2)",
    description: "Buys while the close is above its long moving average and the relative strength index \
                  of two candles is below the oversold level, sells while the close is above its \
                  short moving average.",
    source: "L. Connors, C. Alvarez, Short Term Trading Strategies That Work (2008)",
    parameters: &[
        BuiltinParameter {
            name: "period",
            aliases: &["rsi_period", "window", "length"],
            kind: NumberKind::Integer,
            default: 2.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of the relative strength index.",
        },
        BuiltinParameter {
            name: "oversold",
            aliases: &["lower", "rsi_oversold", "oversold_threshold"],
            kind: NumberKind::Number,
            default: 5.0,
            minimum: 0.0,
            maximum: 100.0,
            description: "The level below which it buys.",
        },
        BuiltinParameter {
            name: "trend_window",
            aliases: &["trend", "trend_period", "long", "long_window", "long_period"],
            kind: NumberKind::Integer,
            default: 200.0,
            minimum: 2.0,
            maximum: 100_000.0,
            description: "Candles of the moving average above which it buys.",
        },
        BuiltinParameter {
            name: "exit_window",
            aliases: &["exit", "exit_period", "short", "short_window", "short_period"],
            kind: NumberKind::Integer,
            default: 5.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of the moving average above which it sells.",
        },
    ],
    ascending: &[("exit_window", "trend_window")],
    entry_rules: || {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": ">", "value": "sma($trend_window)"},
            {"indicator": "rsi($period)", "comparator": "<", "value": "$oversold"},
        ]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": ">", "value": "sma($exit_window)"},
        ]})
    }),
};
