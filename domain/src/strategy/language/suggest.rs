//! The nearest known name to a misspelt one.

/// The candidate that is at most a third of the letters away from `name` (edit distance, case ignored).
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> =
        name.chars().take(NAME_LENGTH_MAX).map(|c| c.to_ascii_lowercase()).collect();
    let far = (letters.len() / 3).max(1);
    let near = candidates.into_iter().map(|candidate| (distance(&letters, candidate), candidate));
    near.filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
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

/// Levenshtein's, in two rows; a swap of neighbours counts as two.
fn distance(letters: &[char], candidate: &str) -> usize {
    let candidate: Vec<char> = candidate.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=candidate.len()).collect();
    for (i, letter) in letters.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in candidate.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[candidate.len()]
}

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
    fn the_distance_is_levenshteins() {
        let letters: Vec<char> = "kitten".chars().collect();
        assert_eq!(distance(&letters, "sitting"), 3);
        assert_eq!(distance(&[], "abc"), 3);
        assert_eq!(distance(&letters, ""), 6);
    }
}
