//! The nearest known name to a misspelt one, for the rule language, the API and the command line alike.

use strsim::levenshtein;

/// The candidate that is at most a third of the letters away from `name` (edit distance, case ignored). `None` if `name` is
/// itself a candidate: it is no misspelling, whatever else is wrong with it.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = |name: &str| name.to_ascii_lowercase();
    let letters: String = lower(name).chars().take(NAME_LENGTH_MAX).collect();
    let far = (letters.chars().count() / 3).max(1);
    let mut nearest: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == name {
            return None;
        }
        let distance = levenshtein(&letters, &lower(candidate));
        if distance <= far && nearest.is_none_or(|(least, _)| distance < least) {
            nearest = Some((distance, candidate));
        }
    }
    nearest.map(|(_, candidate)| candidate)
}

/// `; did you mean …?`, or nothing when no candidate is near.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// A name as a message may show it: at most 60 characters.
#[must_use]
pub fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(60).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

/// Longer names are like no candidate.
const NAME_LENGTH_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_far_ones_are_not() {
        let names = ["sma", "ema", "rsi", "macd", "highest"];
        assert_eq!(nearest("smma", names), Some("sma"));
        assert_eq!(nearest("MACDD", names), Some("macd"));
        assert_eq!(nearest("higest", names), Some("highest"));
        assert_eq!(nearest("supertrend", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn a_word_is_never_suggested_for_itself() {
        let names = ["sma", "ema", "Ema"];
        assert_eq!(nearest("ema", names), None);
        assert_eq!(nearest("EMA", names), Some("ema"), "another case is another word");
        assert_eq!(did_you_mean("sma", names), "");
    }
}
