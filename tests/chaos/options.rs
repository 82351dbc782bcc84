//! How long and with which seed: from the environment; and whether the filters of `cargo test` mean this test at all.

use std::env;

/// How the test runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Of faults; start, drain and checks come on top.
    pub(crate) seconds: u64,
    /// Decides which faults there are and what the clients ask for.
    pub(crate) seed: u64,
}

const SECONDS: u64 = 120;
/// The flags of libtest that have a value.
const WITH_VALUE: [&str; 6] =
    ["--skip", "--test-threads", "--color", "--format", "--logfile", "-Z"];

impl Options {
    /// `CHAOS_SECONDS` (defaults to 120), `CHAOS_SEED` (defaults to a new one each time).
    pub(crate) fn from_environment() -> Self {
        Self {
            seconds: number("CHAOS_SECONDS").unwrap_or(SECONDS),
            seed: number("CHAOS_SEED").unwrap_or_else(|| rand::random_range(0..1_000_000)),
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Whether `cargo test FILTER` wants `name`.
pub(crate) fn is_wanted(name: &str) -> bool {
    let mut filters = Vec::new();
    let mut skipped = Vec::new();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if WITH_VALUE.contains(&argument.as_str()) {
            let value = arguments.next().unwrap_or_default();
            if argument == "--skip" {
                skipped.push(value);
            }
        } else if argument == "--list" {
            return false;
        } else if !argument.starts_with('-') {
            filters.push(argument);
        }
    }
    let matches = |filters: &[String]| filters.iter().any(|filter| name.contains(filter.as_str()));
    (filters.is_empty() || matches(&filters)) && !matches(&skipped)
}
