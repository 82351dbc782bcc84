//! compose.yaml says only what the binary, its configuration and the other scripts know.

use std::{collections::BTreeSet, path::Path};

use clap::ValueEnum;
use serde_json::{Map, Value};
use server::{config::Config, roles::Role};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn compose() -> Value {
    let text = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn services(compose: &Value) -> &Map<String, Value> {
    compose["services"].as_object().expect("services")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The services that run our binary, each with its arguments.
fn ours(compose: &Value) -> Vec<(&str, &Value, Vec<&str>)> {
    let all = services(compose).iter();
    all.filter(|(_, service)| service["build"] == ".")
        .map(|(name, service)| (name.as_str(), service, texts(&service["command"])))
        .collect()
}

#[test]
fn every_role_of_the_binary_runs_somewhere_and_no_other() {
    let compose = compose();
    let mut found = BTreeSet::new();
    for (name, _, arguments) in ours(&compose) {
        match arguments.as_slice() {
            ["serve", "--roles", roles] => {
                for role in roles.split(',') {
                    found.insert(Role::from_str(role, false).unwrap_or_else(|error| {
                        panic!("{name}: the binary has no role {role}: {error}")
                    }));
                }
            }
            ["migrate"] => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(found, Role::value_variants().iter().copied().collect());
    assert_eq!(services(&compose)["executor"]["deploy"]["replicas"], 3);
}

#[test]
fn the_configuration_knows_every_variable() {
    for (name, service, _) in ours(&compose()) {
        let environment = service["environment"].as_object().expect("an environment");
        let pairs = environment
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().expect("a string").to_owned()));
        let pairs: Vec<(String, String)> = pairs.collect();
        assert!(pairs.iter().all(|(key, _)| key.starts_with("BACKTRAIL_")), "{name}");
        let config = Config::load(None, pairs).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(config.kafka.options().is_some() && !config.database.url.is_empty(), "{name}");
    }
}

#[test]
fn what_is_referred_to_is_there() {
    let compose = compose();
    let services = services(&compose);
    for (name, service) in services {
        for dependency in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.contains_key(dependency.0), "{name:?}: {dependency:?}");
        }
        for volume in texts(&service["volumes"]) {
            let volume = volume.split(':').next().unwrap();
            assert!(compose["volumes"].get(volume).is_some(), "{name:?}: {volume}");
        }
    }
    // The hosts in our settings are services.
    let hosts = ["postgres", "kafka"];
    assert!(hosts.iter().all(|host| services.contains_key(*host)));
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let toolchain = std::fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let rust = toolchain.split('"').nth(1).expect("a version");
    assert!(dockerfile.contains(&format!("FROM rust:{rust}-")), "{rust}");
}

#[test]
fn the_broker_is_the_one_that_scripts_kafka_starts() {
    let script = std::fs::read_to_string(root().join("scripts/kafka")).unwrap();
    let version = script.lines().find_map(|line| line.strip_prefix("readonly VERSION="));
    let image = format!("apache/kafka:{}", version.expect("a version"));
    assert_eq!(services(&compose())["kafka"]["image"], Value::from(image));
}
