//! What is wrong with an input, field by field, all at once.

use serde::{Deserialize, Serialize};

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field as a path: `entry_rules.conditions[0].indicator`.
    pub field: String,
    /// A stable word for programs: `invalid`, `required`, `unknown_indicator`, `unsupported_setting`, …
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl FieldError {
    /// An error of kind `code` at `field`.
    pub fn new(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.to_owned(), message: message.into() }
    }
}

/// The known name that a misspelt one is nearest to, if any is near: at most a third of its letters differ.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.chars().flat_map(char::to_lowercase).take(64).collect();
    let edits = |known: &&str| edits_between(&name, known);
    let best = known.into_iter().min_by_key(edits)?;
    (edits(&best) <= (name.len() / 3).max(1)).then_some(best)
}

/// The Levenshtein distance: how many letters must be put in, left out or changed.
fn edits_between(left: &[char], right: &str) -> usize {
    let mut row: Vec<usize> = (0..=left.len()).collect();
    for (index, letter) in right.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for column in 1..row.len() {
            let changed = diagonal + usize::from(left[column - 1] != letter);
            diagonal = row[column];
            row[column] = changed.min(row[column] + 1).min(row[column - 1] + 1);
        }
    }
    row[left.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_when_it_is_near() {
        let known = ["commission", "slippage_bps", "lot"];
        assert_eq!(nearest("comission", known), Some("commission"));
        assert_eq!(nearest("Slipage_bps", known), Some("slippage_bps"));
        assert_eq!(nearest("lots", known), Some("lot"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
