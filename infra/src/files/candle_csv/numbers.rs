//! Numbers as files write them: decimal point or comma, with or without thousands separators, decided once a file.

/// What separates the fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mark {
    #[default]
    Dot,
    Comma,
}

/// What the numbers of a file say about its decimal mark.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evidence {
    /// Numbers that can only be read with a decimal point, or with a decimal comma.
    dots: u64,
    commas: u64,
    /// Numbers with a single comma before exactly three digits: `1,005`.
    undecided: u64,
}

impl Evidence {
    /// The decimal mark of the file. `None` if its numbers can be read in two ways and its delimiter does not tell: where commas
    /// separate columns they are not decimal marks, where semicolons do they are.
    pub(super) fn mark(self, delimiter: u8) -> Option<Mark> {
        match self.dots.cmp(&self.commas) {
            std::cmp::Ordering::Greater => Some(Mark::Dot),
            std::cmp::Ordering::Less => Some(Mark::Comma),
            std::cmp::Ordering::Equal if self.undecided == 0 => Some(Mark::Dot),
            std::cmp::Ordering::Equal => match delimiter {
                b',' => Some(Mark::Dot),
                b';' => Some(Mark::Comma),
                _ => None,
            },
        }
    }

    fn note(&mut self, text: &str) {
        let (dots, commas) = (text.matches('.').count(), text.matches(',').count());
        let last = |mark| text.rfind(mark);
        match (dots, commas) {
            (0, 0) => {}
            (1, 0) => self.dots += u64::from(!is_undecided(text, '.')),
            (0, 1) if is_undecided(text, ',') => self.undecided += 1,
            (0, 1) => self.commas += 1,
            (0, _) => self.dots += 1,
            (_, 0) => self.commas += 1,
            _ if last('.') > last(',') => self.dots += 1,
            _ => self.commas += 1,
        }
    }
}

/// Whether a single separator may stand for thousands: one to three digits before it, not a lone zero, and three after it.
fn is_undecided(text: &str, separator: char) -> bool {
    let Some((whole, fraction)) = text.split_once(separator) else { return false };
    let whole = whole.trim_start_matches(['+', '-']);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&whole.len())
        && !whole.starts_with('0')
        && fraction.len() == 3
        && digits(whole)
        && digits(fraction)
}

/// Reads a finite number and notes what its spelling says about the file's decimal mark.
pub(super) fn number(text: &str, mark: Mark, evidence: &mut Evidence) -> Option<f64> {
    if mark == Mark::Dot
        && let Ok(value) = text.parse::<f64>()
    {
        if let Some(point) = text.as_bytes().iter().position(|byte| *byte == b'.') {
            let is_clear = text.len() - point != 4 || !is_undecided(text, '.');
            evidence.dots += u64::from(is_clear);
        }
        return Some(value).filter(|value| value.is_finite());
    }
    let plain = bare(text)?;
    evidence.note(&plain);
    let (point, thousands) = match mark {
        Mark::Dot => ('.', ','),
        Mark::Comma => (',', '.'),
    };
    let (whole, fraction) = match plain.split_once(point) {
        Some((whole, fraction)) => (whole, fraction),
        None => (plain.as_str(), ""),
    };
    if fraction.contains([point, thousands]) || !has_thousands(whole, thousands) {
        return None;
    }
    let whole = whole.replace(thousands, "");
    let joined = if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") };
    joined.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// A volume: a number that may end in K, M or B for thousands, millions and billions.
pub(super) fn volume(text: &str, mark: Mark, evidence: &mut Evidence) -> Option<f64> {
    let scales = [('K', 1e3), ('M', 1e6), ('B', 1e9)];
    let scaled =
        scales.iter().find_map(|(suffix, scale)| Some((text.strip_suffix(*suffix)?, scale)));
    match scaled {
        Some((text, scale)) => number(text, mark, evidence).map(|value| value * scale),
        None => number(text, mark, evidence),
    }
}

/// Whether a field looks like a number in either spelling.
pub(super) fn is_number(text: &str) -> bool {
    let read = |mark| number(text, mark, &mut Evidence::default());
    read(Mark::Dot).or_else(|| read(Mark::Comma)).is_some()
}

/// The number without currency, and without the spaces or apostrophes that separate its thousands; `None` if something else is
/// in it.
fn bare(text: &str) -> Option<String> {
    let text = text.trim_matches(['$', '€', '£', '¥', ' ']);
    let gap = |letter: char| matches!(letter, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’');
    let plain: String = text.chars().filter(|letter| !gap(*letter)).collect();
    let known = |letter: char| {
        letter.is_ascii_digit() || matches!(letter, '.' | ',' | '+' | '-' | 'e' | 'E')
    };
    (plain.starts_with(|first: char| known(first) && !matches!(first, 'e' | 'E'))
        && plain.chars().all(known))
    .then_some(plain)
}

/// Whether thousands separators stand where they may: before three digits, or before two as in India.
fn has_thousands(whole: &str, separator: char) -> bool {
    let mut groups = whole.trim_start_matches(['+', '-']).split(separator);
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let Some((last, middle)) = rest.split_last() else { return true };
    (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && last.len() == 3
        && middle.iter().all(|group| (2..=3).contains(&group.len()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1005.5", Some(1005.5), None)]
    #[case("1,005.5", Some(1005.5), None)]
    #[case("1,234,567", Some(1_234_567.0), None)]
    #[case("12,34,567.8", Some(1_234_567.8), None)]
    #[case("1005,5", None, Some(1005.5))]
    #[case("1.005,5", None, Some(1005.5))]
    #[case("1 005,5", None, Some(1005.5))]
    #[case("1\u{202f}005,5", None, Some(1005.5))]
    #[case("1'005.5", Some(1005.5), None)]
    #[case("1,005", Some(1005.0), Some(1.005))]
    #[case("1.005", Some(1.005), Some(1005.0))]
    #[case("0,005", None, Some(0.005))]
    #[case("$189.50", Some(189.5), None)]
    #[case("-1,005.5", Some(-1005.5), None)]
    #[case("1e-7", Some(1e-7), Some(1e-7))]
    #[case("1,00,5", None, None)]
    #[case("2024-01-02", None, None)]
    #[case("NaN", None, None)]
    #[case("1e999", None, None)]
    #[case("null", None, None)]
    #[case("", None, None)]
    #[case(",", None, None)]
    fn a_number_is_read_with_the_mark_of_its_file(
        #[case] text: &str,
        #[case] dot: Option<f64>,
        #[case] comma: Option<f64>,
    ) {
        let read = |mark| number(text, mark, &mut Evidence::default());
        assert_eq!((read(Mark::Dot), read(Mark::Comma)), (dot, comma), "{text}");
    }

    #[rstest]
    #[case(&["1,005.0", "998.5"], b',', Some(Mark::Dot))]
    #[case(&["1,005", "998"], b',', Some(Mark::Dot))]
    #[case(&["1,005", "998"], b';', Some(Mark::Comma))]
    #[case(&["1,005", "998"], b'\t', None)]
    #[case(&["1,005", "998,1"], b'\t', Some(Mark::Comma))]
    #[case(&["1,005", "998.25"], b';', Some(Mark::Dot))]
    #[case(&["1.005", "0,5"], b';', Some(Mark::Comma))]
    #[case(&["1.234.567", "1,500"], b'\t', Some(Mark::Comma))]
    #[case(&["1.005"], b';', Some(Mark::Dot))]
    fn a_file_has_one_decimal_mark(
        #[case] texts: &[&str],
        #[case] delimiter: u8,
        #[case] expected: Option<Mark>,
    ) {
        for mark in [Mark::Dot, Mark::Comma] {
            let mut evidence = Evidence::default();
            for text in texts {
                number(text, mark, &mut evidence);
            }
            assert_eq!(evidence.mark(delimiter), expected, "{texts:?} read with {mark:?}");
        }
    }

    #[test]
    fn a_volume_may_be_abbreviated() {
        let read = |text| volume(text, Mark::Dot, &mut Evidence::default());
        assert_eq!([read("1.5K"), read("2M"), read("3B")], [Some(1500.0), Some(2e6), Some(3e9)]);
        assert_eq!(read("-"), None);
    }
}
