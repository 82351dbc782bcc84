//! The comparators: signs and their words.

use super::{
    Fault,
    suggest::{did_you_mean, shown},
};
use crate::error_code::ErrorCode;
use crate::simulation::rules::Comparator;

/// What a condition's `comparator` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Held against one value.
    One(Comparator),
    /// Held against a pair, both ends included.
    Between,
}

const WORDS: [(&str, Word); 15] = [
    (">", Word::One(Comparator::Greater)),
    (">=", Word::One(Comparator::GreaterOrEqual)),
    ("<", Word::One(Comparator::Less)),
    ("<=", Word::One(Comparator::LessOrEqual)),
    ("==", Word::One(Comparator::Equal)),
    ("!=", Word::One(Comparator::NotEqual)),
    ("crosses_above", Word::One(Comparator::CrossesAbove)),
    ("crosses_below", Word::One(Comparator::CrossesBelow)),
    ("between", Word::Between),
    ("gt", Word::One(Comparator::Greater)),
    ("gte", Word::One(Comparator::GreaterOrEqual)),
    ("lt", Word::One(Comparator::Less)),
    ("lte", Word::One(Comparator::LessOrEqual)),
    ("eq", Word::One(Comparator::Equal)),
    ("neq", Word::One(Comparator::NotEqual)),
];

/// The comparator of that sign or word, in any case.
///
/// # Errors
/// `unknown_comparator`, with the nearest or all of them.
pub fn parse(text: &str) -> Result<Word, Fault> {
    let is_it = |(word, _): &&(&str, Word)| word.eq_ignore_ascii_case(text.trim());
    if let Some((_, word)) = WORDS.iter().find(is_it) {
        return Ok(*word);
    }
    let near = match did_you_mean(text, WORDS.map(|(word, _)| word)) {
        near if near.is_empty() => {
            let all: Vec<_> = WORDS.iter().take(9).map(|(word, _)| *word).collect();
            format!("; there are {}", all.join(" "))
        }
        near => near,
    };
    Err(Fault::new(
        ErrorCode::UnknownComparator,
        format!("there is no comparator `{}`{near}", shown(text)),
    ))
}
