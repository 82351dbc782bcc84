//! Old events of backtests become current ones when they are read.

use cqrs_es::persist::SemanticVersionEventUpcaster;
use serde_json::Value;

use crate::upcasting::Upcasters;

/// One step a version, older first; the sample of each old version stays in `testdata/events/backtest`.
#[must_use]
pub fn upcasters() -> Upcasters {
    let both_balances =
        SemanticVersionEventUpcaster::new("BacktestCompleted", "1.1", Box::new(both_balances));
    vec![Box::new(both_balances)]
}

/// 1.0 did not say what the other order of stop and target would have come to: the same where nothing hung on it.
fn both_balances(mut payload: Value) -> Value {
    if payload["ambiguous_trades_count"] == 0 {
        let balance = payload["final_balance"].clone();
        payload["final_balance_stop_first"] = balance.clone();
        payload["final_balance_target_first"] = balance;
    }
    payload
}
