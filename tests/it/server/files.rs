//! `backtrail import-candles` and `backtrail simulate`: what reads files.

use std::fs;

use serde_json::Value;
use tests::{Backtrail, testdata};

use crate::BACKTRAIL;

#[test]
fn importing_the_same_candles_twice_writes_them_once() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let file = testdata("candles/BTCUSDT_1d.csv");
    let first = backtrail.succeed(&["import-candles", &file]);
    assert!(first.contains("BTCUSDT 1d, 2017-08-17T00:00:00Z to 2025-11-30T00:00:00Z"), "{first}");
    assert!(first.contains("3028 candles: 3028 new, 0 corrected, 0 unchanged"), "{first}");
    let second = backtrail.succeed(&["import-candles", &file]);
    assert!(second.contains("3028 candles: 0 new, 0 corrected, 3028 unchanged"), "{second}");
}

#[test]
fn the_sample_is_imported_without_a_file() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let report = backtrail.succeed(&["import-candles", "--sample"]);
    assert!(report.contains("sample: BTCUSDT 1d, 2017-08-17T00:00:00Z to 2025-11-30"), "{report}");
    assert!(report.contains("3028 candles: 3028 new"), "{report}");
    let file = testdata("candles/BTCUSDT_1d.csv");
    let complaint = backtrail.fail(&["import-candles", "--sample", &file]);
    assert!(complaint.contains("cannot be used with"), "{complaint}");
    assert!(backtrail.fail(&["import-candles"]).contains("required"));
}

#[test]
fn what_is_odd_about_a_file_is_reported() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let rows = "2024-01-01,1,2,0.5,1.5,10\n2024-01-02,1,2,0.5,1.5,10\n2024-01-02,1,2,0.5,1.5,10\n\
                2024-01-04,oops,2,0.5,1.5,10\n2024-01-06,1,2,0.5,1.5,10\n";
    fs::write(backtrail.folder().join("prices.csv"), rows).unwrap();
    let acme = ["import-candles", "prices.csv", "--symbol", "ACME", "--timeframe", "1d"];
    let complaint = backtrail.fail(&acme);
    assert!(complaint.contains("--base and --quote"), "{complaint}");
    let market = ["--base", "ACME", "--quote", "USD", "--kind", "equity"];
    let report = backtrail.succeed(&[acme.as_slice(), &market].concat());
    for expected in ["bad rows: 1", "line 4", "duplicates: 1", "possible holidays: 3"] {
        assert!(report.contains(expected), "{expected}: {report}");
    }
}

#[test]
fn a_simulation_prints_the_json_of_the_api_without_a_database() {
    let backtrail = Backtrail::new(BACKTRAIL);
    fs::write(backtrail.folder().join("golden.json"), r#"{"code_ref": "golden_cross"}"#).unwrap();
    let settings = r#"{"metadata": {"commission": 0.001}}"#;
    fs::write(backtrail.folder().join("settings.json"), settings).unwrap();
    let candles = testdata("candles/BTCUSDT_1d.csv");
    let arguments = ["simulate", "--candles", &candles, "--strategy", "golden.json"];
    let arguments = [arguments.as_slice(), &["--settings", "settings.json"]].concat();
    let preset = ["--preset", "backtesting_py", "--format", "json"];
    let printed = backtrail.succeed(&[arguments.as_slice(), &preset].concat());
    let result: Value = serde_json::from_str(&printed).unwrap();
    // domain/testdata/backtesting_py/BTCUSDT_1d.sma_cross_50_200: "Equity Final [$]", "# Trades".
    let reference =
        fs::read_to_string(testdata("backtesting_py/BTCUSDT_1d.sma_cross_50_200.metrics.json"));
    let reference: Value = serde_json::from_str(&reference.unwrap()).unwrap();
    let expected = reference["metrics"]["Equity Final [$]"].as_f64().unwrap();
    let balance: f64 = result["final_balance"].as_str().unwrap().parse().unwrap();
    assert!((balance / expected - 1.0).abs() < 1e-9, "{balance} {expected}");
    assert_eq!(result["trades"].as_array().unwrap().len(), 8);
    assert_eq!(result["metrics"]["total_trades"], 8);
    assert_eq!(result["ambiguous_trades_count"], 0);
    assert_eq!(result["result_hash"].as_str().unwrap().len(), 64);
    assert!(!backtrail.data_dir().exists());

    let table = backtrail.succeed(&arguments);
    assert!(table.contains("sharpe_ratio") && table.contains("result hash"), "{table}");
}

#[test]
fn finer_candles_decide_what_came_first_and_are_part_of_the_hash() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let write = |name: &str, text: &str| fs::write(backtrail.folder().join(name), text).unwrap();
    write(
        "days.csv",
        "2024-01-01,100,101,99,100,1\n2024-01-02,100,101,99,100,0\n2024-01-03,100,112,94,105,0\n",
    );
    write(
        "ACME_1h.csv",
        "2024-01-03T00:00:00Z,100,111,99,110,1\n2024-01-03T01:00:00Z,110,112,94,105,1\n",
    );
    write("ACME_1d.csv", "2024-01-03,100,112,94,105,1\n2024-01-04,100,112,94,105,1\n");
    let rules = r#"{"entry_rules": {"indicator": "volume", "comparator": "<", "value": 5},
        "config": {"stop_loss": 5, "take_profit": 10}}"#;
    write("strategy.json", rules);
    write(
        "settings.json",
        r#"{"symbol": "ACME", "timeframe": "1d", "metadata": {"intrabar": "lower_timeframe"}}"#,
    );
    let arguments =
        ["simulate", "--candles", "days.csv", "--strategy", "strategy.json", "--settings"];
    let arguments = [arguments.as_slice(), &["settings.json", "--format", "json"]].concat();
    let run = |more: &[&str]| -> Value {
        let printed = backtrail.succeed(&[arguments.as_slice(), more].concat());
        serde_json::from_str(&printed).unwrap()
    };
    let (blind, told) = (run(&[]), run(&["--fine-candles", "ACME_1h.csv"]));
    assert_eq!(
        (&blind["ambiguous_trades_count"], &told["ambiguous_trades_count"]),
        (&1.into(), &0.into())
    );
    assert_eq!(told["trades"][0]["exit_reason"], "take_profit");
    assert_eq!(told["final_balance"], blind["final_balance_target_first"]);
    assert_eq!(blind["final_balance"], blind["final_balance_stop_first"]);
    assert_ne!(blind["result_hash"], told["result_hash"]);
    let complaint =
        backtrail.fail(&[arguments.as_slice(), &["--fine-candles", "ACME_1d.csv"]].concat());
    assert!(complaint.contains("not finer than 1d"), "{complaint}");
}

#[test]
fn settings_that_contradict_the_name_of_the_candles_are_refused() {
    let backtrail = Backtrail::new(BACKTRAIL);
    fs::write(backtrail.folder().join("golden.json"), r#"{"code_ref": "golden_cross"}"#).unwrap();
    let settings = r#"{"symbol": "ETHUSDT", "timeframe": "1h"}"#;
    fs::write(backtrail.folder().join("settings.json"), settings).unwrap();
    let candles = testdata("candles/BTCUSDT_1d.csv");
    let files = ["--candles", &candles, "--strategy", "golden.json", "--settings", "settings.json"];
    let simulate = [["simulate"].as_slice(), &files].concat();
    let sweep = [["sweep"].as_slice(), &files, &["--grid", "short=10,20"]].concat();
    for arguments in [simulate, sweep] {
        let complaint = backtrail.fail(&arguments);
        for expected in
            ["settings.json", "symbol: it is ETHUSDT", "timeframe: it is 1h", "are of BTCUSDT"]
        {
            assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
        }
    }
    let two = ["import-candles", &candles, &testdata("candles/GOOG_1d.csv"), "--symbol", "GOOG"];
    let complaint = backtrail.fail(&two);
    assert!(complaint.contains("--symbol GOOG is for one file"), "{complaint}");
}

#[test]
fn a_missing_file_is_called_missing_before_its_name_is_judged() {
    let backtrail = Backtrail::new(BACKTRAIL);
    fs::write(backtrail.folder().join("golden.json"), r#"{"code_ref": "golden_cross"}"#).unwrap();
    let simulate = ["simulate", "--strategy", "golden.json", "--candles"];
    let days = testdata("candles/BTCUSDT_1d.csv");
    let cases = [
        [simulate.as_slice(), &["nowhere.csv"]].concat(),
        [simulate.as_slice(), &[&days, "--fine-candles", "ETHUSDT_1h.csv"]].concat(),
        vec![
            "sweep",
            "--strategy",
            "golden.json",
            "--candles",
            "nowhere.csv",
            "--grid",
            "short=5,9",
        ],
        vec!["import-candles", "nowhere.csv"],
    ];
    for arguments in cases {
        let complaint = backtrail.fail(&arguments);
        assert!(complaint.contains("No such file"), "{arguments:?}: {complaint}");
    }
    fs::write(backtrail.folder().join("prices.csv"), "").unwrap();
    let complaint = backtrail.fail(&["import-candles", "prices.csv"]);
    assert!(complaint.contains("the name of prices.csv does not begin with"), "{complaint}");
}

#[test]
fn what_is_wrong_with_a_simulation_is_told_field_by_field() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let strategy = r#"{"entry_rules": {"operator": "and", "conditions": [
        {"indicator": "smaa(5)", "comparator": ">", "value": 1}]}}"#;
    fs::write(backtrail.folder().join("strategy.json"), strategy).unwrap();
    let candles = testdata("candles/GOOG_1d.csv");
    let arguments = ["simulate", "--candles", &candles, "--strategy", "strategy.json"];
    let complaint = backtrail.fail(&arguments);
    assert!(complaint.contains("entry_rules.conditions[0].indicator"), "{complaint}");
}

#[test]
fn a_sweep_prints_its_rows_the_same_with_one_thread_and_many() {
    let backtrail = Backtrail::new(BACKTRAIL);
    fs::write(backtrail.folder().join("golden.json"), r#"{"code_ref": "golden_cross"}"#).unwrap();
    let candles = testdata("candles/BTCUSDT_1d.csv");
    let sweep = ["sweep", "--candles", &candles, "--strategy", "golden.json"];
    let search = ["--grid", "short_window=10:50:20", "--grid", "long=30,100", "--constraint"];
    let search = [search.as_slice(), &["short_window < long_window"]].concat();
    let walk = ["--objective", "total_return", "--walk-forward", "anchored:2:60"];
    let arguments = [sweep.as_slice(), &search, &walk].concat();
    let json = |more: &[&str]| -> Value {
        let printed =
            backtrail.succeed(&[arguments.as_slice(), &["--format", "json"], more].concat());
        serde_json::from_str(&printed).unwrap()
    };
    let result = json(&["--threads", "1"]);
    assert_eq!(result, json(&["--threads", "3"]));
    let rows = result["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &result["failed_rows_count"]), (4, &Value::from(0)));
    let returns: Vec<f64> =
        rows.iter().map(|row| row["metrics"]["total_return"].as_f64().unwrap()).collect();
    assert!(returns.is_sorted_by(|better, worse| better >= worse), "{returns:?}");
    // A row against the simulation of the same parameters.
    let best = &rows[0];
    let parameters = serde_json::json!({"parameters": best["parameters"]}).to_string();
    fs::write(backtrail.folder().join("best.json"), parameters).unwrap();
    let simulate = ["simulate", "--candles", &candles, "--strategy", "golden.json"];
    let more = ["--settings", "best.json", "--format", "json"];
    let full = backtrail.succeed(&[simulate.as_slice(), &more].concat());
    let full: Value = serde_json::from_str(&full).unwrap();
    // Amounts and metrics are strings in the API's shape, and numbers in the rows.
    let parsed = |value: &Value| value.as_str().map(|text| text.parse::<f64>().unwrap());
    assert_eq!(parsed(&full["final_balance"]), best["final_balance"].as_f64());
    let metrics = best["metrics"].as_object().unwrap();
    for (name, value) in metrics {
        let single = &full["metrics"][name];
        assert_eq!(parsed(single).or(single.as_f64()), value.as_f64(), "{name}");
    }
    assert!(metrics.values().all(|value| value.is_number() || value.is_null()), "{metrics:?}");
    assert_eq!(result["walk_forward_result"]["windows"].as_array().unwrap().len(), 2);
    let random = json(&["--random", "2", "--seed", "5"]);
    assert_eq!(random["rows"].as_array().unwrap().len(), 2);
    assert_ne!(random["result_hash"], result["result_hash"]);
    // A list of the winner alone.
    let list = serde_json::json!([best["parameters"]]).to_string();
    fs::write(backtrail.folder().join("list.json"), list).unwrap();
    let more = ["--combinations", "list.json", "--format", "json"];
    let listed = backtrail.succeed(&[sweep.as_slice(), &more].concat());
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["rows"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["rows"][0]["metrics"], best["metrics"]);

    let table = backtrail.succeed(&arguments);
    assert!(table.contains("| rank |") && table.contains("out of sample, stitched"), "{table}");
    assert!(!backtrail.data_dir().exists());
    let complaint = backtrail.fail(&[sweep.as_slice(), &["--grid", "shirt_window=1:5"]].concat());
    assert!(complaint.contains("grid.shirt_window"), "{complaint}");
}

/// What the service refuses in a sweep, the command line refuses too.
#[test]
fn a_sweep_from_files_refuses_the_settings_that_sweeps_do_not_have() {
    let backtrail = Backtrail::new(BACKTRAIL);
    fs::write(backtrail.folder().join("golden.json"), r#"{"code_ref": "golden_cross"}"#).unwrap();
    let candles = testdata("candles/BTCUSDT_1d.csv");
    let refused = |metadata: &str, more: &[&str]| {
        let settings = format!(r#"{{"metadata": {metadata}}}"#);
        fs::write(backtrail.folder().join("settings.json"), settings).unwrap();
        let sweep = ["sweep", "--candles", &candles, "--strategy", "golden.json", "--settings"];
        let sweep = [sweep.as_slice(), &["settings.json", "--grid", "short=10,20"], more].concat();
        backtrail.fail(&sweep)
    };
    let complaint = refused(r#"{"intrabar": "lower_timeframe"}"#, &[]);
    assert!(
        complaint.contains("metadata.intrabar: a sweep looks at no finer candles"),
        "{complaint}"
    );
    let complaint = refused(r#"{"finalize": "leave_open"}"#, &["--walk-forward", "rolling:2"]);
    assert!(complaint.contains("metadata.finalize: a walk-forward closes"), "{complaint}");
    let complaint = refused("{}", &["--walk-forward", "rolling:2", "--combinations-max", "5"]);
    assert!(complaint.contains("walk_forward.windows: 2 combinations"), "{complaint}");
}

/// Runs a strategy that buys where a condition holds, on a file of that content.
fn simulated(backtrail: &Backtrail, file: &str, candles: &str, strategy: &str) -> Value {
    fs::write(backtrail.folder().join(file), candles).unwrap();
    fs::write(backtrail.folder().join("strategy.json"), strategy).unwrap();
    let settings = r#"{"metadata": {"commission": 0}}"#;
    fs::write(backtrail.folder().join("settings.json"), settings).unwrap();
    let arguments = ["simulate", "--candles", file, "--strategy", "strategy.json", "--settings"];
    let arguments = [arguments.as_slice(), &["settings.json", "--format", "json"]].concat();
    serde_json::from_str(&backtrail.succeed(&arguments)).unwrap()
}

#[test]
fn an_export_of_metatrader_is_traded_by_the_hour() {
    let backtrail = Backtrail::new(BACKTRAIL);
    // Bought at the open after 1.1, 1.1005; sold at the open after 1.111, 1.1105: 1,000 × 0.01.
    let candles = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n\
                   2024.01.02\t00:00:00\t1.09000\t1.09100\t1.08900\t1.09000\t100\t0\t2\n\
                   2024.01.02\t01:00:00\t1.09000\t1.10100\t1.08900\t1.10000\t100\t0\t2\n\
                   2024.01.02\t02:00:00\t1.10050\t1.10100\t1.10000\t1.10100\t100\t0\t2\n\
                   2024.01.02\t03:00:00\t1.10100\t1.11200\t1.10050\t1.11100\t100\t0\t2\n\
                   2024.01.02\t04:00:00\t1.11050\t1.11100\t1.11000\t1.11000\t100\t0\t2\n";
    let strategy = r#"{"entry_rules": {"indicator": "close", "comparator": "==", "value": 1.1},
        "exit_rules": {"indicator": "close", "comparator": "==", "value": 1.111},
        "config": {"position_sizing": "fixed_quantity", "size": 1000}}"#;
    let result = simulated(&backtrail, "EURUSD_1h.csv", candles, strategy);
    assert_eq!(result["final_balance"], "10010");
    assert!(result["candles"]["layout"].as_str().unwrap().starts_with("MetaTrader"), "{result}");
    assert_eq!(
        (&result["candles"]["rows_count"], &result["candles"]["bad_rows_count"]),
        (&5.into(), &0.into())
    );
    // Nearly around the clock, but five hours tell no more than shares would.
    assert_eq!(result["candles"]["gaps"]["gaps_count"], 0);
}

#[test]
fn rows_that_are_left_out_are_told_by_line_and_too_many_are_an_error() {
    let backtrail = Backtrail::new(BACKTRAIL);
    // The day on which oil was negative.
    let candles = "timestamp,open,high,low,close,volume\n2020-04-14,20,20,20,20,1\n\
                   2020-04-15,20,20,20,20,7\n2020-04-16,20,20.5,19,19.87,1\n\
                   2020-04-17,19.87,20,17.31,18.27,1\n2020-04-20,17.73,17.85,-40.32,-37.63,1\n";
    let strategy = r#"{"entry_rules": {"indicator": "volume", "comparator": "==", "value": 7}}"#;
    let result = simulated(&backtrail, "CLUSD_1d.csv", candles, strategy);
    let warning = &result["warnings"][0];
    assert_eq!(warning["code"], "bad_rows");
    assert!(warning["message"].as_str().unwrap().contains("line 6: `low` is -40.32"), "{warning}");
    assert_eq!(result["candles"]["bad_rows"][0]["line"], 6);

    let twice = format!("{candles}2020-04-21,-14,13.86,-16.74,10.01,1\n");
    fs::write(backtrail.folder().join("CLUSD_1d.csv"), twice).unwrap();
    let grid = ["--grid", "volume=1,7", "--format", "json"];
    fs::write(
        backtrail.folder().join("strategy.json"),
        r#"{"entry_rules": {"indicator": "volume", "comparator": "==", "value": "$volume"},
            "default_parameters": {"volume": 7}}"#,
    )
    .unwrap();
    let sweep = ["sweep", "--candles", "CLUSD_1d.csv", "--strategy", "strategy.json"];
    let sweep = [sweep.as_slice(), &grid].concat();
    let complaint = backtrail.fail(&sweep);
    assert!(complaint.contains("2 of 6 rows were left out"), "{complaint}");
    assert!(complaint.contains("--accept-bad-rows"), "{complaint}");
    let accepted = backtrail.succeed(&[sweep.as_slice(), &["--accept-bad-rows"]].concat());
    let accepted: Value = serde_json::from_str(&accepted).unwrap();
    assert_eq!(accepted["warnings"][0]["code"], "bad_rows");
    assert_eq!(accepted["candles"]["bad_rows_count"], 2);
    assert_eq!(accepted["rows"].as_array().unwrap().len(), 2);
}
