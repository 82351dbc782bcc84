//! Old events of ledgers become current ones when they are read.

use chrono::{DateTime, NaiveDate};
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
        step("EquityRecorded", "2.0", |payload| in_columns(&payload).unwrap_or(payload)),
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

/// 1.0 had a list of points with times, and left days out of long curves: what has no point is skipped.
fn in_columns(payload: &Value) -> Option<Value> {
    let points = payload["points"].as_array()?;
    let day = |point: &Value| {
        let time = DateTime::from_timestamp_millis(point["time"].as_i64()?)?;
        Some(time.date_naive())
    };
    let days = points.iter().map(day).collect::<Option<Vec<NaiveDate>>>()?;
    let from = days.first().copied().unwrap_or_default();
    let gaps = days.windows(2).flat_map(|pair| {
        let between = pair[0].iter_days().skip(1);
        between.take_while(|day| *day < pair[1])
    });
    let equity: Vec<&Value> = points.iter().map(|point| &point["equity"]).collect();
    let skipped: Vec<NaiveDate> = gaps.collect();
    Some(json!({"type": "EquityRecorded", "from": from, "skipped": skipped, "equity": equity}))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_were_left_out_of_a_curve_are_not_claimed() {
        // 23:00 of 2017-08-17, then every third day, then the next.
        let time = |day: i64| 1_502_928_000_000 + day * 86_400_000 + 23 * 3_600_000;
        let points = [(0, 10_000.0), (3, 9_990.001_48), (6, 10_351.481_479_48), (7, 1.0)]
            .map(|(day, equity)| json!({"time": time(day), "equity": equity}));
        let upcast = in_columns(&json!({"type": "EquityRecorded", "points": points}));
        let expected = json!({
            "type": "EquityRecorded",
            "from": "2017-08-17",
            "skipped": ["2017-08-18", "2017-08-19", "2017-08-21", "2017-08-22"],
            "equity": [10_000.0, 9_990.001_48, 10_351.481_479_48, 1.0],
        });
        assert_eq!(upcast, Some(expected));
    }
}
