//! Old events of ledgers become current ones when they are read.

use serde_json::{Value, json};

use crate::upcasting::{Upcasters, rfc3339, step};

/// One step a version, older first; the sample of each old version stays in `testdata/events/ledger`.
#[must_use]
pub fn upcasters() -> Upcasters {
    vec![
        step("LedgerOpened", "2.0", subject),
        step("TradeOpened", "2.0", |payload| with_times(payload, &["fill"])),
        step("TradeClosed", "2.0", |payload| {
            with_times(without_shortfall(payload), &["entry", "fill"])
        }),
        step("TradeReduced", "2.0", |payload| {
            let mut payload = with_times(payload, &["entry", "fill", "rest"]);
            payload["shortfall"] = json!("0");
            payload
        }),
        // Its only change is `total_shortfall`, which nothing in it tells.
        step("LedgerClosed", "2.0", |payload| payload),
    ]
}

/// 1.0 knew ledgers of backtests alone, which begin with cash.
fn subject(mut payload: Value) -> Value {
    if let Some(fields) = payload.as_object_mut() {
        let id = fields.remove("backtest_id");
        fields.insert("subject".to_owned(), json!({"type": "backtest", "id": id}));
        let cash = fields.remove("initial_balance");
        fields.insert("opening_cash".to_owned(), cash.unwrap_or_default());
    }
    payload
}

/// 1.0 did not say what an exit lost beyond all cash: nothing if it left some.
fn without_shortfall(mut payload: Value) -> Value {
    if payload["fill"]["cash_after"] != "0" {
        payload["shortfall"] = json!("0");
    }
    payload
}

/// 1.0 wrote epoch milliseconds.
fn with_times(mut payload: Value, fills: &[&str]) -> Value {
    for fill in fills {
        if let Some(time) = payload.pointer_mut(&format!("/{fill}/time")) {
            rfc3339(time);
        }
    }
    payload
}
