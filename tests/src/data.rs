//! What tests feed the service: real candles from files, and a strategy that has a lot to do.

use std::path::PathBuf;

use serde_json::{Value, json};

/// A file of `domain/testdata`.
#[must_use]
pub fn testdata(path: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../domain/testdata");
    folder.join(path).to_string_lossy().into_owned()
}

/// Trades on nearly every candle: it has a long ledger, and takes its time.
#[must_use]
pub fn restless() -> Value {
    let when = |comparator: &str| {
        json!({"operator": "and", "conditions": [
            {"indicator": "close", "comparator": comparator, "value": "close[1]"}]})
    };
    json!({"name": "Restless", "entry_rules": when(">"), "exit_rules": when("<")})
}
