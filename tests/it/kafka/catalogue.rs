//! docs/events.md and the schemas beside the API's contract are what the types say. `UPDATE_CONTRACT=1` writes them.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use domain::{aggregates::catalogue, catalogue::CatalogueEntry};

const INTRODUCTION: &str = include_str!("catalogue.txt");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sample of the newest version, with that version.
fn sample(entry: &CatalogueEntry) -> (String, String) {
    let folder = root().join("domain/testdata/events").join(entry.aggregate_type);
    let names = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name());
    let versions = names.filter_map(|name| {
        let name = name.into_string().unwrap();
        let version =
            name.strip_prefix(&format!("{}.", entry.event_type))?.strip_suffix(".json")?;
        Some(version.to_owned())
    });
    let number = |version: &String| -> Vec<u32> {
        version.split('.').map(|part| part.parse().unwrap()).collect()
    };
    let version = versions.max_by_key(number).unwrap();
    let path = folder.join(format!("{}.{version}.json", entry.event_type));
    (version, fs::read_to_string(path).unwrap())
}

fn schema_path(entry: &CatalogueEntry, version: &str) -> String {
    let CatalogueEntry { aggregate_type, event_type, .. } = entry;
    format!("api/contract/events/{aggregate_type}/{event_type}.{version}.schema.json")
}

fn page() -> String {
    let consumer = fs::read_to_string(root().join("docs/consumer.py")).unwrap();
    let mut page = INTRODUCTION.replace("{consumer.py}", consumer.trim_end());
    let mut aggregate = "";
    for entry in catalogue() {
        let (version, sample) = sample(&entry);
        if aggregate != entry.aggregate_type {
            aggregate = entry.aggregate_type;
            write!(page, "\n## `backtrail.{aggregate}`\n").unwrap();
        }
        let CatalogueEntry { event_type, description, .. } = &entry;
        let schema = schema_path(&entry, &version);
        write!(
            page,
            "\n### {event_type}\n\n{description}\n\n\
             Version {version}, topic `backtrail.{aggregate}`, key: the {aggregate}'s id, \
             [schema](../{schema}).\n\n```json\n{}\n```\n",
            sample.trim_end()
        )
        .unwrap();
    }
    page
}

fn assert_published(path: &str, text: &str) {
    let full = root().join(path);
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(&full, text).unwrap();
    }
    let published = fs::read_to_string(&full).unwrap_or_default();
    assert!(
        published == text,
        "{path} is not what is published; see the difference with UPDATE_CONTRACT=1 and git diff"
    );
}

#[test]
fn the_page_of_events_is_what_the_types_say() {
    assert_published("docs/events.md", &page());
}

#[test]
fn the_schemas_of_events_are_what_the_types_say() {
    for entry in catalogue() {
        let (version, _) = sample(&entry);
        let text = serde_json::to_string_pretty(&entry.schema).unwrap() + "\n";
        assert_published(&schema_path(&entry, &version), &text);
    }
}
