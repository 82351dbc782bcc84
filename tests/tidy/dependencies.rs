//! Dependencies point one way, and each external crate stays in its layer.

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
];

/// External crates that only some of ours may use, outside of tests.
const CONFINED: &[(&str, &[&str])] = &[
    ("poem", &["api", "server"]),
    ("poem-openapi", &["api"]),
    ("async-graphql", &["api"]),
    ("async-graphql-poem", &["api"]),
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
