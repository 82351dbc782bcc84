//! The comparators: signs and their words.

use super::{
    Fault,
    suggest::{did_you_mean, shown},
};
use crate::{error_code::ErrorCode, simulation::rules::Comparator};

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

/// What is written elsewhere, without case and with `_` for spaces and dashes, and what it is here.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["=", "===", "is", "equal", "equals", "equal_to"], "`==`"),
    (&["≥", "⩾", "=>", "ge", "at_least", "greater_or_equal"], "`>=`"),
    (&["≤", "⩽", "=<", "le", "at_most", "less_or_equal"], "`<=`"),
    (&["≠", "<>", "!==", "ne", "not", "is_not", "not_equal"], "`!=`"),
    (
        &["above", "over", "is_above", "greater", "greater_than", "higher", "more_than"],
        "`>` or `crosses_above`",
    ),
    (
        &["below", "under", "is_below", "less", "less_than", "lower", "smaller_than"],
        "`<` or `crosses_below`",
    ),
    (
        &["cross", "crosses", "crossover", "cross_over", "crosses_over", "cross_up", "crosses_up"],
        "`crosses_above`",
    ),
    (
        &["crossunder", "cross_under", "crosses_under", "cross_down", "crosses_down"],
        "`crosses_below`",
    ),
    (&["in", "in_range", "inside", "range", "within"], "`between`"),
];

/// The comparator of that sign or word, in any case.
///
/// # Errors
/// `unknown_comparator`, with what is probably meant or all of them.
pub fn parse(text: &str) -> Result<Word, Fault> {
    let is_it = |(word, _): &&(&str, Word)| word.eq_ignore_ascii_case(text.trim());
    if let Some((_, word)) = WORDS.iter().find(is_it) {
        return Ok(*word);
    }
    Err(Fault::new(
        ErrorCode::UnknownComparator,
        format!("there is no comparator `{}`{}", shown(text), hint(text)),
    ))
}

fn hint(text: &str) -> String {
    let plain = text.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    let elsewhere = ELSEWHERE.iter().find(|(words, _)| words.contains(&plain.as_str()));
    if let Some((_, here)) = elsewhere {
        return format!("; did you mean {here}?");
    }
    if WORDS.iter().any(|(word, _)| *word == plain) {
        return format!("; did you mean `{plain}`?");
    }
    // Signs are so short that all of them are near.
    let is_word = plain.starts_with(|first: char| first.is_ascii_alphabetic());
    let near = did_you_mean(&plain, WORDS.map(|(word, _)| word));
    if is_word && !near.is_empty() {
        return near;
    }
    let all: Vec<_> = WORDS.iter().take(9).map(|(word, _)| *word).collect();
    format!("; there are {}", all.join(" "))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("=", "did you mean `==`?")]
    #[case("≥", "did you mean `>=`?")]
    #[case("=>", "did you mean `>=`?")]
    #[case("≤", "did you mean `<=`?")]
    #[case("<>", "did you mean `!=`?")]
    #[case("above", "did you mean `>` or `crosses_above`?")]
    #[case(" Is Below ", "did you mean `<` or `crosses_below`?")]
    #[case("crosses above", "did you mean `crosses_above`?")]
    #[case("cross-above", "did you mean `crosses_above`?")]
    #[case("crossover", "did you mean `crosses_above`?")]
    #[case("within", "did you mean `between`?")]
    #[case("betwen", "did you mean `between`?")]
    #[case("~", "there are > >= < <= == != crosses_above crosses_below between")]
    #[case("near", "there are > >=")]
    fn what_is_no_comparator_suggests_one(#[case] text: &str, #[case] hint: &str) {
        let fault = parse(text).unwrap_err();
        assert_eq!(fault.code, ErrorCode::UnknownComparator);
        assert!(fault.message.contains(hint), "{}", fault.message);
    }
}
