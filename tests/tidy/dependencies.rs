//! Dependencies point one way, and each external crate stays in its layer.

use std::{fs, path::Path, process::Command};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::root;

/// Each crate with those of ours that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("infra", &["domain"]),
    ("commands", &["domain", "infra"]),
    ("projections", &["domain", "infra"]),
    ("api", &["domain", "infra", "commands", "projections"]),
    ("server", &["domain", "infra", "commands", "projections", "api"]),
    ("tests", &["domain", "infra", "commands", "projections", "api", "server"]),
    ("fuzz", &["domain", "infra"]),
];

/// External crates that only some of ours may use, outside of tests.
const CONFINED: &[(&str, &[&str])] = &[
    ("poem", &["api", "server"]),
    ("poem-openapi", &["api"]),
    ("async-graphql", &["api"]),
    ("tokio-postgres", &["infra", "projections"]),
    ("deadpool-postgres", &["infra", "projections"]),
    ("refinery", &["infra"]),
    ("argon2", &["infra"]),
    ("csv", &["infra"]),
    ("rdkafka", &["infra"]),
    ("parquet", &["infra"]),
    // Rendered where clients are answered.
    ("metrics-exporter-prometheus", &["api"]),
    ("clap", &["server"]),
    ("clap_complete", &["server"]),
    ("figment", &["server"]),
    ("anyhow", &["server"]),
    ("indicatif", &["server"]),
    // The demo talks to its own API as any client does.
    ("reqwest", &["infra", "server"]),
];

/// What the pure core may use: nothing that reads a file, a socket, a clock or chance.
const DOMAIN: &[&str] = &[
    "chrono",
    "cqrs-es",
    "libm",
    "rust_decimal",
    "schemars",
    "serde",
    "serde_json",
    "serde_json_canonicalizer",
    "sha2",
    "strsim",
    "thiserror",
    "ulid",
    "uuid",
    "winnow",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata answers")
}

fn dependencies(package: &Package) -> impl Iterator<Item = &str> {
    let normal = package.dependencies.iter().filter(|found| found.kind == DependencyKind::Normal);
    normal.map(|found| found.name.as_str())
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let ours: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    for package in &metadata.packages {
        let found = ALLOWED.iter().find(|(name, _)| *name == package.name.as_str());
        let (_, allowed) = found.unwrap_or_else(|| panic!("{} is not in the list", package.name));
        for dependency in dependencies(package).filter(|name| ours.contains(name)) {
            assert!(allowed.contains(&dependency), "{} must not use {dependency}", package.name);
        }
    }
}

#[test]
fn a_folder_has_its_crate_s_name() {
    for package in &metadata().packages {
        let folder = package.manifest_path.parent().and_then(|folder| folder.file_name());
        assert_eq!(folder, Some(package.name.as_str()));
    }
}

#[test]
fn external_crates_stay_in_their_layer() {
    for package in &metadata().packages {
        for dependency in dependencies(package) {
            let confined = CONFINED.iter().find(|(name, _)| *name == dependency);
            if let Some((_, layers)) = confined {
                let is_allowed = package.name == "tests" || layers.contains(&package.name.as_str());
                assert!(is_allowed, "{dependency} does not belong into {}", package.name);
            }
        }
    }
}

#[test]
fn the_domain_uses_nothing_but_data_and_sums() {
    let metadata = metadata();
    let domain = metadata.packages.iter().find(|package| package.name == "domain").expect("domain");
    for dependency in dependencies(domain) {
        assert!(DOMAIN.contains(&dependency), "{dependency} does not belong into domain");
    }
}

#[test]
fn every_crate_takes_the_shared_lints_and_versions() {
    for package in &metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{}", package.name);
        let parsed: toml::Table = manifest.parse().expect("a manifest is TOML");
        for section in ["dependencies", "dev-dependencies"] {
            let Some(toml::Value::Table(found)) = parsed.get(section) else { continue };
            for (name, value) in found {
                let is_shared = value.get("workspace").is_some();
                assert!(is_shared, "{}: {name} has a version of its own", package.name);
            }
        }
    }
}

/// What cargo-machete looks for, without having to install it; the manifest may name exceptions as it does for cargo-machete.
#[test]
fn every_declared_dependency_is_named_in_its_crate() {
    for package in &metadata().packages {
        let folder = package.manifest_path.parent().expect("a folder");
        let sources = sources(folder.as_std_path());
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
            let is_named = sources.iter().any(|source| has_word(source, &name));
            let ignored = package.metadata["cargo-machete"]["ignored"].as_array();
            let is_ignored =
                ignored.is_some_and(|ignored| ignored.contains(&dependency.name.as_str().into()));
            assert!(is_named || is_ignored, "{}: {}", package.name, dependency.name);
        }
    }
}

/// The text of every Rust file below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let (folders, files): (Vec<_>, Vec<_>) =
        entries.map(|entry| entry.path()).partition(|path| path.is_dir());
    let files = files.iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let own = files.map(|path| fs::read_to_string(path).expect("UTF-8"));
    own.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// The part of `cargo deny check licenses` that needs nothing but cargo.
#[test]
fn every_licence_is_one_that_deny_toml_allows() {
    let deny = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let deny: toml::Table = deny.parse().expect("deny.toml is TOML");
    let allowed = deny["licenses"]["allow"].as_array().expect("a list").iter();
    let allowed: Vec<&str> = allowed.filter_map(toml::Value::as_str).collect();
    let host = rustc_host();
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), host])
        .exec()
        .expect("cargo metadata succeeds");
    for package in &metadata.packages {
        let licence = package.license.as_deref().unwrap_or_default();
        assert!(is_allowed(licence, &allowed), "{} {}: {licence}", package.name, package.version);
    }
}

fn rustc_host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("a host").to_owned()
}

/// Whether one alternative of an SPDX expression is allowed in all its parts; groups in parentheses are joined by AND.
fn is_allowed(licence: &str, allowed: &[&str]) -> bool {
    let licence = licence.replace(" / ", " OR ").replace('/', " OR ");
    let plain = licence.replace(['(', ')'], "");
    let any = |part: &str| part.split(" OR ").any(|one| allowed.contains(&one.trim()));
    if licence.contains('(') {
        return plain.split(" AND ").all(any);
    }
    plain.split(" OR ").any(|one| one.split(" AND ").all(|part| allowed.contains(&part.trim())))
}

#[test]
fn a_licence_is_allowed_in_one_alternative_and_in_all_its_parts() {
    let allowed = ["MIT", "Unicode-3.0"];
    for licence in
        ["MIT", "GPL-3.0 OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0", "Apache-2.0/MIT"]
    {
        assert!(is_allowed(licence, &allowed), "{licence}");
    }
    for licence in ["", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR Apache-2.0) AND MIT"] {
        assert!(!is_allowed(licence, &allowed), "{licence}");
    }
}
