//! Stochastic reversal: long from a turn up among oversold closes to a turn down among overbought ones.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const STOCHASTIC_REVERSAL: Builtin = Builtin {
    name: "stochastic_reversal",
    slug: "stochastic-reversal",
    class_name: "StochasticReversal",
    title: "Stochastic Reversal",
    description: "Buys when %K of the slow stochastic crosses above %D with both below the oversold \
                  level, sells when it crosses below with both above the overbought level.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), after G. C. Lane",
    parameters: &[
        BuiltinParameter {
            name: "k",
            aliases: &["k_period", "fastk_period", "period", "window", "length"],
            kind: NumberKind::Integer,
            default: 14.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles whose range the close is placed in.",
        },
        BuiltinParameter {
            name: "smooth",
            aliases: &["smooth_k", "slowing", "slowk_period"],
            kind: NumberKind::Integer,
            default: 3.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles that %K is averaged over.",
        },
        BuiltinParameter {
            name: "d",
            aliases: &["d_period", "signal", "slowd_period"],
            kind: NumberKind::Integer,
            default: 3.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles of %K that %D is the average of.",
        },
        BuiltinParameter {
            name: "oversold",
            aliases: &["lower", "oversold_threshold"],
            kind: NumberKind::Number,
            default: 20.0,
            minimum: 0.0,
            maximum: 100.0,
            description: "The level below which it buys.",
        },
        BuiltinParameter {
            name: "overbought",
            aliases: &["upper", "overbought_threshold"],
            kind: NumberKind::Number,
            default: 80.0,
            minimum: 0.0,
            maximum: 100.0,
            description: "The level above which it sells.",
        },
    ],
    ascending: &[("oversold", "overbought")],
    // The line that crosses is beyond the other one, so that where it is beyond the level, both are.
    entry_rules: || {
        json!({"operator": "and", "conditions": [
            {
                "indicator": "stoch($k, $smooth, $d).k",
                "comparator": "crosses_above",
                "value": "stoch($k, $smooth, $d).d",
            },
            {"indicator": "stoch($k, $smooth, $d).k", "comparator": "<", "value": "$oversold"},
        ]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [
            {
                "indicator": "stoch($k, $smooth, $d).k",
                "comparator": "crosses_below",
                "value": "stoch($k, $smooth, $d).d",
            },
            {"indicator": "stoch($k, $smooth, $d).k", "comparator": ">", "value": "$overbought"},
        ]})
    }),
};
