//! The built-ins without a reference run, trade by trade against `testdata/builtins/trades.py`.

use std::collections::BTreeMap;

use super::*;

/// Candles of entry and exit; `None` if it is open at the end.
type Span = (usize, Option<usize>);

#[test]
fn every_other_built_in_trades_when_its_book_says() {
    let candles = candles_of("BTCUSDT_1d");
    let file = testdata("builtins/BTCUSDT_1d.trades.json");
    let expected: BTreeMap<String, Vec<Span>> = serde_json::from_reader(file).unwrap();
    assert_eq!(expected.len(), 8);
    for (name, expected) in expected {
        let body = json!({ "code_ref": name });
        let outcome = simulate(&body, &candles, &Settings::default()).unwrap();
        let index = |time: i64| candles.open_time.binary_search(&time).unwrap();
        let span = |trade: &trade::Trade| {
            let exit = trade.exit.as_ref().filter(|exit| exit.reason != "end_of_data");
            (index(trade.entry.time), exit.map(|exit| index(exit.time)))
        };
        let spans: Vec<_> = outcome.trades.iter().map(span).collect();
        assert_eq!(spans, expected, "{name}");
    }
}
