//! Slugs: what a strategy's name looks like in a URL.

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
