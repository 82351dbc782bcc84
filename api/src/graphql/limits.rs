//! What a query may cost before it is parsed and validated: its length, its nesting, and its size with all fragments expanded.

use std::collections::HashMap;

use async_graphql::{
    Pos, Positioned, Request, ServerError,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};
use domain::error_code::ErrorCode;

use super::{
    error::{exceeded, refused, with_code},
    variables,
};

/// Fields in one another; of a query for the schema alone, the standard one is 15 deep.
pub(super) const FIELDS_DEPTH_MAX: usize = 12;
pub(super) const INTROSPECTION_DEPTH_MAX: usize = 20;
/// Fields, times the rows of the lists that they are in.
pub(super) const COMPLEXITY_MAX: usize = 5_000;
/// The longest query document.
const DOCUMENT_BYTES_MAX: usize = 32 * 1024;
/// Brackets of any kind in one another: the parser recurses once for each.
const NESTING_MAX: usize = 64;
/// Sets of selections in one another, with fragments expanded: the validation recurses once for each.
const DEPTH_MAX: usize = 32;

/// Parses the query of a request that is not too expensive to parse and to validate; the parsed document stays in the request.
///
/// # Errors
/// The limit that the query exceeds, or what is wrong with its syntax.
pub(super) fn check(request: &mut Request) -> Result<&ExecutableDocument, ServerError> {
    scan(&request.query)?;
    variables::check_texts(&request.variables)?;
    let (name, values) = (request.operation_name.clone(), request.variables.clone());
    let document =
        request.parsed_query().map_err(|error| with_code(error, ErrorCode::Malformed))?;
    check_expanded_size(document)?;
    variables::check_presence(document, name.as_deref(), &values)?;
    Ok(document)
}

/// Bounds the length of a document and the nesting of its brackets. Strings and comments are recognized exactly as by the
/// parser, so that nothing in them counts and nothing hides in them.
fn scan(document: &str) -> Result<(), ServerError> {
    if document.len() > DOCUMENT_BYTES_MAX {
        let bytes = document.len();
        let message = format!("The query has {bytes} bytes; the limit is {DOCUMENT_BYTES_MAX}.");
        return Err(exceeded(ErrorCode::TooLong, message, (bytes, DOCUMENT_BYTES_MAX), None));
    }
    let bytes = document.as_bytes();
    let (mut at, mut nesting) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        at += match byte {
            b'#' => {
                rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())
            }
            b'"' => {
                let place = || Some(position(document, at));
                let unclosed = || refused(ErrorCode::Malformed, "A string is not closed.", place());
                let length = string_length(rest).ok_or_else(unclosed)?;
                if rest.get(..length).is_some_and(spells_nul) {
                    return Err(variables::nul(place()));
                }
                length
            }
            b'(' | b'[' | b'{' => {
                nesting += 1;
                if nesting > NESTING_MAX {
                    let message = format!(
                        "Brackets are nested {nesting} deep or more; the limit is {NESTING_MAX}."
                    );
                    let at = Some(position(document, at));
                    let cost = (nesting, NESTING_MAX);
                    return Err(exceeded(ErrorCode::TooDeep, message, cost, at));
                }
                1
            }
            b')' | b']' | b'}' => {
                // Where this is no match, the parser stops.
                nesting = nesting.saturating_sub(1);
                1
            }
            _ => 1,
        };
    }
    Ok(())
}

/// The length of the string or block string that these bytes begin with; `None` if it is not closed.
fn string_length(bytes: &[u8]) -> Option<usize> {
    const BLOCK: &[u8] = br#"""""#;
    let is_block = bytes.starts_with(BLOCK);
    let mut at = if is_block { BLOCK.len() } else { 1 };
    loop {
        let rest = bytes.get(at..)?;
        at += match rest.first()? {
            b'"' if !is_block => return Some(at + 1),
            b'"' if rest.starts_with(BLOCK) => return Some(at + BLOCK.len()),
            b'\\' if !is_block => 2,
            b'\\' if rest[1..].starts_with(BLOCK) => 1 + BLOCK.len(),
            b'\n' | b'\r' if !is_block => return None,
            _ => 1,
        };
    }
}

/// Whether a string holds a NUL character or the escape of one, which no text in PostgreSQL can. (A block string has no escapes
/// but may hold the same letters, which are refused, too.)
fn spells_nul(string: &[u8]) -> bool {
    let mut at = 0;
    while let Some(rest) = string.get(at..).filter(|rest| !rest.is_empty()) {
        if rest[0] == 0 || rest.starts_with(br"\u0000") {
            return true;
        }
        at += if rest[0] == b'\\' { 2 } else { 1 };
    }
    false
}

/// Line and column, from 1.
fn position(document: &str, at: usize) -> Pos {
    let before = document.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Pos { line, column }
}

/// Bounds the selections of all operations and fragments with every spread replaced by what it stands for. The parser's
/// checks and the validation expand fragments without a memory, so they would take exponential time for a short document.
fn check_expanded_size(document: &ExecutableDocument) -> Result<(), ServerError> {
    let mut sizes = Sizes { document, known: HashMap::new(), path: Vec::new() };
    let mut total = 0_usize;
    for (_, operation) in document.operations.iter() {
        let size = sizes.of_selections(&operation.node.selection_set, 0)?;
        total = total.saturating_add(size.selections);
    }
    for name in document.fragments.keys() {
        total = total.saturating_add(sizes.of_fragment(name, 0)?.selections);
    }
    if total > COMPLEXITY_MAX {
        let message = format!(
            "The query selects {total} fields with its fragments expanded; the limit is {COMPLEXITY_MAX}."
        );
        return Err(exceeded(ErrorCode::TooComplex, message, (total, COMPLEXITY_MAX), None));
    }
    Ok(())
}

/// What a set of selections comes to with its fragments expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    selections: usize,
    /// Sets of selections in one another.
    depth: usize,
}

/// The sizes of a document's fragments, each computed once.
struct Sizes<'a> {
    document: &'a ExecutableDocument,
    known: HashMap<&'a str, Size>,
    /// The fragments that are being expanded.
    path: Vec<&'a str>,
}

impl<'a> Sizes<'a> {
    /// The size of selections that lie that deep.
    fn of_selections(
        &mut self,
        selections: &'a Positioned<SelectionSet>,
        depth: usize,
    ) -> Result<Size, ServerError> {
        if depth > DEPTH_MAX && !selections.node.items.is_empty() {
            return Err(too_deep(depth, selections.pos));
        }
        let mut size = Size::default();
        for item in &selections.node.items {
            let inner = match &item.node {
                Selection::Field(field) => {
                    self.of_selections(&field.node.selection_set, depth + 1)?
                }
                Selection::InlineFragment(fragment) => {
                    self.of_selections(&fragment.node.selection_set, depth + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    self.of_fragment(spread.node.fragment_name.node.as_str(), depth + 1)?
                }
            };
            size.selections = size.selections.saturating_add(inner.selections).saturating_add(1);
            size.depth = size.depth.max(inner.depth + 1);
        }
        Ok(size)
    }

    fn of_fragment(&mut self, name: &'a str, depth: usize) -> Result<Size, ServerError> {
        // The validation names a fragment that does not exist.
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Size::default());
        };
        let size = match self.known.get(name) {
            Some(size) => *size,
            None if self.path.contains(&name) => {
                let message = format!("Fragment `{name}` spreads itself.");
                return Err(refused(ErrorCode::FragmentCycle, message, Some(fragment.pos)));
            }
            None => {
                self.path.push(name);
                let size = self.of_selections(&fragment.node.selection_set, depth)?;
                self.path.pop();
                self.known.insert(name, size);
                size
            }
        };
        // A size that is known was measured at another depth.
        match depth + size.depth <= DEPTH_MAX + 1 {
            true => Ok(size),
            false => Err(too_deep(depth + size.depth, fragment.pos)),
        }
    }
}

fn too_deep(depth: usize, at: Pos) -> ServerError {
    let message = format!(
        "Selections are nested {depth} deep or more with fragments expanded; the limit is {DEPTH_MAX}."
    );
    exceeded(ErrorCode::TooDeep, message, (depth, DEPTH_MAX), Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(query: &str) -> String {
        match check(&mut Request::new(query)) {
            Ok(_) => "ok".to_owned(),
            Err(error) => {
                let code = error.extensions.as_ref().and_then(|found| found.get("code")).cloned();
                code.map_or(error.message, |code| code.to_string().replace('"', ""))
            }
        }
    }

    fn nested(open: &str, close: &str, depth: usize) -> String {
        format!("{}{}", open.repeat(depth), close.repeat(depth))
    }

    #[test]
    fn no_string_holds_a_nul() {
        for query in [r#"{ a(x: "\u0000") }"#, r#"{ a(x: "b\\\u0000") }"#, "{ a(x: \"\0\") }"] {
            assert_eq!(code_of(query), "invalid", "{query}");
        }
        assert_eq!(code_of(r#"{ a(x: "\\u0000") }"#), "ok");
        let variables = serde_json::json!({"filter": {"symbols": ["BTC\0"]}});
        let mut request =
            Request::new("{ a }").variables(async_graphql::Variables::from_json(variables));
        assert!(check(&mut request).is_err());
    }

    #[test]
    fn brackets_of_every_kind_are_nested_only_so_far() {
        let depth = 2_000;
        let queries = [
            format!("{{ a(x: {}) }}", nested("[", "]", depth)),
            format!("{{ a(x: {}) }}", nested("{x:", "}", depth)),
            format!("{{ a(x: {}) }}", nested("[{x:", "}]", depth)),
            format!("{}a{}", "{ a ".repeat(depth), "}".repeat(depth)),
            format!("{}a{}", "{ ...on A ".repeat(depth), "}".repeat(depth)),
            format!("query($x: {}Int{}) {{ a }}", "[".repeat(depth), "]".repeat(depth)),
            format!("query($x: Int = {}) {{ a }}", nested("[", "]", depth)),
            format!("{{ a @skip(if: {}) }}", nested("[", "]", depth)),
            "[".repeat(depth),
            "(".repeat(depth),
            format!("{{ a(x: {}) }}", "[\"]\", ".repeat(depth)),
            format!("{{ a(x: {}) }}", "[# ]\n".repeat(depth)),
        ];
        for query in queries {
            assert_eq!(code_of(&query), "too_deep", "{}", &query[..60]);
        }
    }

    #[test]
    fn as_many_brackets_as_are_allowed_are_parsed() {
        let lists = |depth| format!("{{ a(x: {}) }}", nested("[", "]", depth));
        assert_eq!(code_of(&lists(NESTING_MAX - 2)), "ok");
        assert_eq!(code_of(&lists(NESTING_MAX - 1)), "too_deep");
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "[".repeat(200);
        let queries = [
            format!(r#"{{ a(x: "{many}") }}"#),
            format!(r#"{{ a(x: "\"{many}\\") }}"#),
            format!(r#"{{ a(x: """{many} " "" \""" {many}""") }}"#),
            format!("{{ a # {many} \" \n }}"),
            format!("{{ a # {many}\r }}"),
            format!(r#"{{ a(x: "", y: """""") # {many}"#) + "\n}",
        ];
        for query in queries {
            assert_eq!(code_of(&query), "ok", "{query}");
        }
    }

    #[test]
    fn nothing_hides_behind_a_string_or_a_comment_that_has_ended() {
        let many = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let queries = [
            (format!(r#"{{ a(x: "\\" y: {many}) }}"#), "too_deep"),
            (format!(r#"{{ a(x: """\\""" y: {many}) }}"#), "malformed"),
            (format!(r#"{{ a(x: """ "" """ y: {many}) }}"#), "too_deep"),
            (format!("{{ a # \"\n (x: {many}) }}"), "too_deep"),
            (format!("{{ a # \"\r (x: {many}) }}"), "too_deep"),
            // Not closed as a block, it is an empty string and the beginning of another.
            (format!(r#"{{ a(x: [""" " {many}]) }}"#), "malformed"),
            (format!("{{ a(x: \"\n {many}\") }}"), "malformed"),
        ];
        for (query, expected) in queries {
            assert_eq!(code_of(&query), expected, "{query}");
        }
    }

    #[test]
    fn a_long_document_is_refused_unread() {
        assert_eq!(code_of(&format!("{{ a }}{}", " ".repeat(DOCUMENT_BYTES_MAX))), "too_long");
    }

    /// Fragments of which each has `spreads` of the next, the last being `last`.
    fn doubling(levels: usize, spread: impl Fn(usize) -> String, last: &str) -> String {
        let fragments = (0..levels).map(|level| {
            let spread = spread(level + 1);
            format!("fragment F{level} on Query {{ {spread} {spread} }}\n")
        });
        format!("{}fragment F{levels} on Query {{ {last} }}", fragments.collect::<String>())
    }

    #[test]
    fn fragments_that_spread_the_next_one_twice_are_refused() {
        type Spread = fn(usize) -> String;
        let spreads: [(usize, Spread); 5] = [
            (30, |next| format!("...F{next}")),
            (30, |next| format!("...F{next} @include(if: true)")),
            (14, |next| format!("... on Query {{ ...F{next} }}")),
            (14, |next| format!("... @skip(if: false) {{ ...F{next} }}")),
            (14, |next| format!("again{next}: me {{ ...F{next} }}")),
        ];
        for (levels, spread) in spreads {
            let fragments = doubling(levels, spread, "me { id }");
            assert_eq!(code_of(&format!("{{ ...F0 }}\n{fragments}")), "too_complex", "{fragments}");
            // Nothing uses them, and yet the validation walks through them.
            assert_eq!(code_of(&format!("{{ me {{ id }} }}\n{fragments}")), "too_complex");
        }
        let one = doubling(3, |next| format!("...F{next}"), "me { id }");
        assert_eq!(code_of(&format!("{{ ...F0 }}\n{one}")), "ok");
    }

    #[test]
    fn the_size_of_huge_documents_does_not_overflow() {
        let spread = |next: usize| format!("...F{next} ").repeat(20);
        let fragments = doubling(31, spread, "a");
        assert_eq!(code_of(&format!("{{ ...F0 }}\n{fragments}")), "too_complex");
    }

    #[test]
    fn fragments_that_spread_themselves_are_named() {
        for cycle in [
            "{ ...A } fragment A on Query { ...A }",
            "{ ...A } fragment A on Query { me { ...B } } fragment B on User { ... { ...A } }",
            "{ me { id } } fragment A on Query { ...B } fragment B on Query { ...A ...A }",
        ] {
            assert_eq!(code_of(cycle), "fragment_cycle", "{cycle}");
        }
    }

    #[test]
    fn a_chain_of_fragments_is_refused_whichever_comes_first() {
        let chain = |levels: usize| {
            let of = |level: usize| format!("fragment F{level} on Query {{ ...F{} }}\n", level + 1);
            let all: String = (0..levels).map(of).collect();
            format!("{{ ...F0 }}\n{all} fragment F{levels} on Query {{ id }}")
        };
        assert_eq!(code_of(&chain(DEPTH_MAX - 1)), "ok");
        assert_eq!(code_of(&chain(DEPTH_MAX)), "too_deep");
        assert_eq!(code_of(&chain(900)), "too_deep");
    }
}
