//! Any text as an expression: no panic, and what is read prints a text that is read as the same.
#![no_main]

use domain::strategy::language::{EXPRESSION_LENGTH_MAX, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(expression) = parse(text) {
        let printed = expression.to_string();
        assert!(printed.len() > EXPRESSION_LENGTH_MAX || parse(&printed) == Ok(expression));
    }
});
