//! ADX trend: long while upward movement prevails, entered only where the trend is strong.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const ADX_TREND: Builtin = Builtin {
    name: "adx_trend",
    slug: "adx-trend",
    class_name: "AdxTrend",
    title: "ADX Trend",
    description: "Buys while +DI is above −DI and the average directional movement index is above the \
                  threshold, sells while +DI is below −DI.",
    source: "J. W. Wilder, New Concepts in Technical Trading Systems (1978)",
    parameters: &[
        BuiltinParameter {
            name: "period",
            aliases: &["adx_period", "window", "length"],
            kind: NumberKind::Integer,
            default: 14.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of +DI, −DI and the average directional movement index.",
        },
        BuiltinParameter {
            name: "threshold",
            aliases: &["adx_threshold", "min_adx", "strength"],
            kind: NumberKind::Number,
            default: 25.0,
            minimum: 0.0,
            maximum: 100.0,
            description: "The strength of trend above which it buys.",
        },
    ],
    ascending: &[],
    entry_rules: || {
        json!({"operator": "and", "conditions": [
            {"indicator": "plus_di($period)", "comparator": ">", "value": "minus_di($period)"},
            {"indicator": "adx($period)", "comparator": ">", "value": "$threshold"},
        ]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [
            {"indicator": "plus_di($period)", "comparator": "<", "value": "minus_di($period)"},
        ]})
    }),
};
