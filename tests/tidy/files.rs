//! How files look: a first sentence, no great length, names with a meaning, nothing half done.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::root;

/// Lines of a Rust file.
const LINES_MAX: usize = 550;

/// Every file that git knows, or would, below the root.
pub(super) fn tracked(suffix: &str) -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let listed = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let files = listed.lines().filter(|name| name.ends_with(suffix)).map(|name| root().join(name));
    files.filter(|file| file.exists()).collect()
}

pub(super) fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn every_rust_file_opens_with_one_sentence() {
    for file in tracked(".rs") {
        let text = text(&file);
        let sentence = text.lines().next().unwrap_or_default();
        assert!(
            sentence.starts_with("//! ") && sentence.len() > 12,
            "{} does not say what it is for",
            file.display()
        );
    }
}

#[test]
fn no_rust_file_is_long() {
    for file in tracked(".rs") {
        let lines = text(&file).lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", file.display());
    }
}

#[test]
fn nothing_is_half_done() {
    // Put together here, so that this file does not find itself.
    let words = ["todo", "unimplemented"].map(|word| format!("{word}!("));
    let marks = [format!("#[{}", "ignore"), format!("FIX{}", "ME"), format!("#[{}(", "allow")];
    for file in tracked(".rs") {
        let text = text(&file);
        for word in words.iter().chain(&marks) {
            assert!(!text.contains(word.as_str()), "{} has {word}", file.display());
        }
    }
}

#[test]
fn the_api_checks_who_may_see_a_resource_in_one_place() {
    let mut files = tracked(".rs");
    files.retain(|file| file.starts_with(root().join("api/src")) && !file.ends_with("lookup.rs"));
    assert!(!files.is_empty());
    for file in files {
        let is_apart = !text(&file).contains("access::check");
        assert!(is_apart, "{} checks access; lookup.rs does that", file.display());
    }
}

/// Phrases that read as translated, and what the published contract says instead.
const DENIED: &[(&str, &str)] = &[
    ("whoever", "a noun"),
    ("nobody", "no user, no process"),
    ("somebody", "the passive"),
    ("everybody", "every user"),
    ("unless told", "Defaults to …"),
    (" told", "recorded, reported"),
    ("let go", "released, committed"),
    ("goes on", "continues"),
    ("of its own", "separate"),
    ("as it is shown", "in the API"),
    ("that of", "the noun again"),
    ("one's own", "your own"),
    ("oneself", "the signed-in user"),
    ("only those", "Filters by …"),
    ("the same as", "Alias of …"),
    ("asks for a", "Creates a …"),
    ("answers", "returns, responds"),
    ("none where", "`None` if"),
    ("a text", "a string"),
];

#[test]
fn the_published_contract_is_plain_english() {
    let mut files = tracked(".json");
    files.extend(tracked(".graphql"));
    files.retain(|file| file.starts_with(root().join("api/contract")));
    assert!(!files.is_empty());
    for file in files {
        let text = text(&file).to_lowercase();
        for (phrase, better) in DENIED {
            let found = text.lines().find(|line| line.contains(phrase));
            assert_eq!(found, None, "{}: `{phrase}`: say {better}", file.display());
        }
    }
}

#[test]
fn migrations_are_named_by_time_verb_and_noun_and_open_with_a_comment() {
    let mut files = tracked(".sql");
    files.retain(|file| file.parent().is_some_and(|folder| folder.ends_with("migrations")));
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let mut words = name.split('_');
        let time = words.next().unwrap_or_default();
        let is_time = time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit());
        assert!(is_time && words.count() >= 2, "{name}");
        assert!(text(&file).starts_with("-- "), "{name} does not say what it is for");
    }
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    for file in tracked(".md") {
        for target in links(&text(&file)) {
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let folder = file.parent().expect("a file lies in a folder");
            assert!(folder.join(target).exists(), "{}: {target} is not there", file.display());
        }
    }
}

#[test]
fn every_page_and_every_decision_is_in_its_index() {
    for index in ["docs/README.md", "docs/decisions/README.md"] {
        let index = root().join(index);
        let text = text(&index);
        let listed: Vec<&str> = links(&text).collect();
        let folder = index.parent().expect("an index lies in a folder");
        for page in tracked(".md").iter().filter(|page| page.parent() == Some(folder)) {
            let name = page.file_name().and_then(|name| name.to_str()).expect("a name");
            assert!(*page == index || listed.contains(&name), "{name} is not in its index");
        }
    }
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}
