//! Old events of backtests become current ones when they are read.

use serde_json::Value;

use crate::{
    simulation::metrics,
    upcasting::{Upcasters, step},
};

/// One step a version, older first; the sample of each old version stays in `testdata/events/backtest`.
#[must_use]
pub fn upcasters() -> Upcasters {
    vec![
        step("BacktestCompleted", "1.1", both_balances),
        step("BacktestCompleted", "2.0", fractions),
        // Its only change are decimals, which nothing in it tells.
        step("BacktestStarted", "2.0", |payload| payload),
    ]
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

/// 1.1 called fractions percentages.
fn fractions(mut payload: Value) -> Value {
    if let Some(metrics) = payload.get_mut("metrics") {
        metrics::upcast(metrics);
    }
    payload
}
