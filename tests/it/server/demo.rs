//! `backtrail demo`: the main job from end to end, as a newcomer sees it.

use tests::Backtrail;

use crate::BACKTRAIL;

#[test]
fn the_demo_runs_once_and_again_in_the_same_folder() {
    let backtrail = Backtrail::new(BACKTRAIL);
    for _ in 0..2 {
        let printed = backtrail.succeed(&["demo", "--once"]);
        for expected in [
            "PostgreSQL   embedded, in ",
            "listening on http://127.0.0.1:",
            "BTCUSDT 1d: 3,028 from 2017-08-17 to 2025-11-30",
            "golden cross",
            "Buy and hold",
            "Sharpe ratio",
            "few_trades: 8 trades: fewer than 30",
            "ledger entries",
            "█",
            "BacktestCompleted",
            "curl -s",
            "Authorization: Bearer",
        ] {
            assert!(printed.contains(expected), "{expected} is missing in\n{printed}");
        }
        for line in printed.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        // What backtesting.py has for the same run: Equity Final 72392.595, 8 trades, 62.5 % won.
        for expected in ["72,392.60", "62.50 %", "623.93 %"] {
            assert!(printed.contains(expected), "{expected} is missing in\n{printed}");
        }
    }
    assert_eq!(backtrail.postmaster(), None);
}
