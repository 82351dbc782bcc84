//! Donchian breakout: long from a close above the channel of the candles before to one below a shorter channel.

use serde_json::json;

use super::{Builtin, BuiltinParameter, NumberKind};

pub(super) const DONCHIAN_BREAKOUT: Builtin = Builtin {
    name: "donchian_breakout",
    slug: "donchian-breakout",
    class_name: "DonchianBreakout",
    title: "Donchian Breakout",
    description: "Buys while the close is above the highest high of the candles before it, sells while \
                  it is below the lowest low of fewer: the Turtles' first system, on closes.",
    source: "C. M. Faith, Way of the Turtle (2007)",
    // Donchian's own rule has windows of the same length, so neither must be below the other.
    parameters: &[
        BuiltinParameter {
            name: "entry_window",
            aliases: &["entry", "entry_period", "period", "window", "length"],
            kind: NumberKind::Integer,
            default: 20.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles before this one whose highest high is to be broken.",
        },
        BuiltinParameter {
            name: "exit_window",
            aliases: &["exit", "exit_period"],
            kind: NumberKind::Integer,
            default: 10.0,
            minimum: 1.0,
            maximum: 100_000.0,
            description: "Candles before this one whose lowest low ends the trade.",
        },
    ],
    ascending: &[],
    entry_rules: || {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": ">", "value": "donchian($entry_window).upper[1]"},
        ]})
    },
    exit_rules: Some(|| {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": "<", "value": "donchian($exit_window).lower[1]"},
        ]})
    }),
};
