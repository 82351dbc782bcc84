//! Slugs: what a strategy's name looks like in a URL.

use super::builtins;
use crate::ids::StrategyId;

/// Words that stand where a slug may stand, in the paths of the API and of pages; some are kept for later.
const PATH_WORDS: [&str; 14] = [
    "builtins",
    "catalog",
    "compare",
    "edit",
    "export",
    "import",
    "me",
    "new",
    "public",
    "schema",
    "search",
    "templates",
    "validate",
    "versions",
];

/// Characters of a slug without its suffix.
const LENGTH_MAX: usize = 60;

/// The kebab-case of a name: letters and digits of any script in lower case, joined by single `-`;
/// Latin letters lose their marks. Never empty: a name without letters is `strategy`. At most 60 characters.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    let mut length = 0;
    for word in words(name) {
        let gap = usize::from(!slug.is_empty());
        let room = LENGTH_MAX.saturating_sub(length + gap);
        if room == 0 {
            break;
        }
        if gap == 1 {
            slug.push('-');
        }
        slug.extend(word.chars().take(room));
        length += gap + word.chars().count().min(room);
    }
    if slug.is_empty() { "strategy".to_owned() } else { slug }
}

/// Whether a slug is never given: it would hide a built-in, be taken for a part of a path, or parse as an id.
#[must_use]
pub fn is_reserved(slug: &str) -> bool {
    PATH_WORDS.contains(&slug)
        || slug.parse::<StrategyId>().is_ok()
        || builtins::find(slug).is_some()
}

/// The slug for the `attempt`th try, from 1: as it is, then with `-2`, `-3`, ….
#[must_use]
pub fn with_suffix(slug: &str, attempt: u32) -> String {
    if attempt < 2 { slug.to_owned() } else { format!("{slug}-{attempt}") }
}

fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars().flat_map(char::to_lowercase) {
        let mut is_gap = false;
        match plain(letter) {
            Some(plain) => words.last_mut().map_or((), |word| word.push_str(plain)),
            None if letter.is_alphanumeric() => {
                words.last_mut().map_or((), |word| word.push(letter))
            }
            // Apostrophes and combining marks belong to the word that they stand in.
            None => is_gap = !matches!(letter, '\'' | '’' | '\u{300}'..='\u{36f}'),
        }
        if is_gap && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A marked Latin letter without its mark.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ł' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' | 'ő' => "o",
        'ö' | 'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' => "u",
        'ü' => "ue",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Golden Cross", "golden-cross")]
    #[case("  RSI -- 14/30!  ", "rsi-14-30")]
    #[case("Jürgen's Strategie №1", "juergens-strategie-1")]
    #[case("Café Ångström", "cafe-angstroem")]
    #[case("Cafe\u{301}", "cafe")]
    #[case("İstanbul", "istanbul")]
    #[case("Straße", "strasse")]
    #[case("比特币 策略", "比特币-策略")]
    #[case("Стратегия", "стратегия")]
    #[case("v1.2_beta", "v1-2-beta")]
    #[case("", "strategy")]
    #[case("🚀🚀", "strategy")]
    #[case("---", "strategy")]
    fn a_name_becomes_a_slug(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(slug(name), expected);
    }

    #[test]
    fn a_slug_has_at_most_60_characters_and_no_dash_at_its_ends() {
        assert_eq!(slug(&"a".repeat(100)), "a".repeat(60));
        assert_eq!(slug(&format!("{} b", "a".repeat(59))), "a".repeat(59));
        assert_eq!(slug(&format!("{} bc", "a".repeat(58))), format!("{}-b", "a".repeat(58)));
        assert_eq!(slug(&"策".repeat(100)).chars().count(), 60);
    }

    #[rstest]
    #[case("golden-cross", true)]
    #[case("goldencross", true)]
    #[case("connors-rsi-2", true)]
    #[case("buy-and-hold", true)]
    #[case("validate", true)]
    #[case("catalog", true)]
    #[case("0190163d-8694-739b-aea5-966c26f8ad91", true)]
    #[case("0190163d8694739baea5966c26f8ad91", true)]
    #[case("golden-cross-2", false)]
    #[case("my-golden-cross", false)]
    #[case("connors-rsi", false)]
    #[case("2024", false)]
    fn slugs_of_built_ins_paths_and_ids_are_reserved(#[case] slug: &str, #[case] expected: bool) {
        assert_eq!(is_reserved(slug), expected);
    }

    #[test]
    fn every_built_in_s_slug_is_reserved() {
        assert!(builtins::ALL.iter().all(|builtin| is_reserved(builtin.slug)));
    }

    #[test]
    fn a_taken_slug_gets_a_number() {
        assert_eq!(with_suffix("dip", 1), "dip");
        assert_eq!(with_suffix("dip", 2), "dip-2");
        assert_eq!(with_suffix("dip", 3), "dip-3");
    }
}
