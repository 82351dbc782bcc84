//! What happens, told as it happens, and whatever is found wrong.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// The story of one run.
pub(crate) struct Journal {
    started: Instant,
    wrongs: Mutex<Vec<String>>,
}

/// As many are told; all are counted.
const TOLD_MAX: usize = 40;

impl Journal {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), wrongs: Mutex::default() }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A line with the time.
    pub(crate) fn say(&self, text: &str) {
        eprintln!("[{:8.3} s] {text}", self.elapsed().as_secs_f64());
    }

    /// Something that must not be.
    pub(crate) fn wrong(&self, text: &str) {
        let mut wrongs = self.wrongs.lock().expect("the journal");
        wrongs.push(text.to_owned());
        if wrongs.len() <= TOLD_MAX {
            self.say(&format!("WRONG: {text}"));
        }
    }

    /// All that is wrong.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        self.wrongs.lock().expect("the journal").clone()
    }
}
