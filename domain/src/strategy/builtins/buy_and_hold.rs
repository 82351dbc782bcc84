//! Buy and hold: buys at the first chance and never sells.

use serde_json::json;

use super::Builtin;

pub(super) const BUY_AND_HOLD: Builtin = Builtin {
    name: "buy_and_hold",
    slug: "buy-and-hold",
    class_name: "BuyAndHold",
    title: "Buy and Hold",
    description: "Buys at the first chance and holds to the end: what every other strategy is \
                  measured against.",
    source: "B. G. Malkiel, A Random Walk Down Wall Street (1973)",
    parameters: &[],
    ascending: &[],
    entry_rules: || {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": ">", "value": 0},
        ]})
    },
    exit_rules: None,
};
