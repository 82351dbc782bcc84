//! What is odd about a file of candles: counted in full, named by line for the first few.

use domain::simulation::Warning;
use serde::Serialize;

/// How many rows a report names of each kind; it counts all of them.
pub(super) const NAMED_MAX: usize = 20;
/// Rows of which one may be left out.
const ROWS_PER_BAD: u64 = 1_000;

/// What is odd about a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How the file was understood: its delimiter, its header, the program that writes such files.
    pub layout: String,
    /// How its times are written.
    pub time_format: String,
    /// Data rows read, bad ones included.
    #[serde(rename = "rows_count")]
    pub rows: u64,
    /// Rows that were left out.
    #[serde(rename = "bad_rows_count")]
    pub bad_rows: u64,
    /// The first few of them.
    #[serde(rename = "bad_rows")]
    pub named_bad_rows: Vec<BadRow>,
    /// Rows that repeat an opening time; the last one counts.
    #[serde(rename = "duplicates_count")]
    pub duplicates: u64,
    /// How many of these differ from the earlier row.
    #[serde(rename = "conflicting_duplicates_count")]
    pub conflicts: u64,
    /// The first few of those that differ.
    #[serde(rename = "duplicate_candles")]
    pub named_conflicts: Vec<Conflict>,
    /// Rows whose high or low missed open or close by a rounding, and was set to it.
    #[serde(rename = "clamped_rows_count")]
    pub clamped: u64,
    /// Rows that were not in the file's own order of time.
    #[serde(rename = "unordered_rows_count")]
    pub unordered: u64,
    /// Whether the file begins with the newest candle.
    pub is_newest_first: bool,
    /// Whether the file has no volume: every candle's is 0.
    pub has_no_volume: bool,
    /// The usual time of day (`13:30` UTC, or midnight of the exchange's own zone) at which daily candles are stamped, if they
    /// were taken as the day in which that lies.
    pub days_stamped_at: Option<String>,
    /// The opening time (epoch ms) of the last candle, if it had not closed yet.
    #[serde(rename = "open_last_ms")]
    pub open_last: Option<i64>,
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// From 1.
    pub line: u64,
    pub reason: String,
}

/// Two rows of one opening time that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Of the row that counts.
    pub line: u64,
    pub earlier_line: u64,
}

impl Report {
    pub(super) fn bad(&mut self, line: u64, reason: String) {
        self.bad_rows += 1;
        if self.named_bad_rows.len() < NAMED_MAX {
            self.named_bad_rows.push(BadRow { line, reason });
        }
    }

    pub(super) fn conflict(&mut self, earlier_line: u64, line: u64) {
        self.conflicts += 1;
        if self.named_conflicts.len() < NAMED_MAX {
            self.named_conflicts.push(Conflict { line, earlier_line });
        }
    }

    /// Whether more than one in a thousand rows, and more than one, were left out or contradict another.
    pub(super) const fn is_too_bad(&self) -> bool {
        let left_out = self.bad_rows + self.conflicts;
        left_out > 1 && left_out * ROWS_PER_BAD > self.rows
    }

    /// What a run on these candles warns of.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let Some(message) = self.bad_rows_message() {
            warnings.push(Warning::new("bad_rows", message));
        }
        if let Some(message) = self.conflicts_message() {
            warnings.push(Warning::new("duplicate_candles", message));
        }
        warnings
    }

    pub(super) fn bad_rows_message(&self) -> Option<String> {
        let named =
            self.named_bad_rows.iter().map(|row| format!("line {}: {}", row.line, row.reason));
        let (count, rows) = (self.bad_rows, self.rows);
        let were = if count == 1 { "was" } else { "were" };
        (count > 0)
            .then(|| format!("{count} of {rows} rows {were} left out; {}", joined(named, count)))
    }

    pub(super) fn conflicts_message(&self) -> Option<String> {
        let named = self.named_conflicts.iter();
        let named =
            named.map(|row| format!("line {} replaces line {}", row.line, row.earlier_line));
        let count = self.conflicts;
        let differ = if count == 1 { "candle differs" } else { "candles differ" };
        (count > 0).then(|| {
            let named = joined(named, count);
            format!("{count} {differ} from an earlier one of the same time; {named}")
        })
    }
}

/// A few of `count` things in one line.
fn joined(named: impl Iterator<Item = String>, count: u64) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = named.take(SHOWN).collect();
    let rest = if count > SHOWN as u64 { "; …" } else { "" };
    format!("{}{rest}", shown.join("; "))
}
