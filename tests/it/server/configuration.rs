//! `backtrail config` and what is wrong with a configuration.

use tests::Backtrail;

use crate::BACKTRAIL;

#[test]
fn an_unknown_key_in_the_environment_stops_every_subcommand() {
    let backtrail = Backtrail::new(BACKTRAIL).with("BACKTRAIL_HTTP__LISTN", "127.0.0.1:0");
    for arguments in [["config"], ["serve"], ["migrate"]] {
        let complaint = backtrail.fail(&arguments);
        assert!(complaint.contains("unknown configuration key `http.listn`"), "{complaint}");
        assert!(complaint.contains("`http.listen`"), "{complaint}");
    }
    assert!(!backtrail.data_dir().exists());
}

#[test]
fn an_unknown_key_in_a_file_is_named_too() {
    let backtrail = Backtrail::new(BACKTRAIL);
    std::fs::write(backtrail.folder().join("my.toml"), "[executor]\nworkers = 3\n").unwrap();
    let complaint = backtrail.fail(&["config", "--config", "my.toml"]);
    assert!(complaint.contains("`executor.workers`"), "{complaint}");
}

#[test]
fn the_effective_configuration_is_toml_without_passwords() {
    let backtrail = Backtrail::new(BACKTRAIL)
        .with("BACKTRAIL_DATABASE__URL", "postgresql://me:hunter2@db.example/backtrail")
        .with("BACKTRAIL_EXECUTOR__LEASE_MS", "750");
    let printed = backtrail.succeed(&["config"]);
    assert!(!printed.contains("hunter2"), "{printed}");
    let config: toml::Table = printed.parse().unwrap();
    let url = config["database"]["url"].as_str().unwrap();
    assert_eq!(url, "postgresql://me:********@db.example/backtrail");
    assert_eq!(config["executor"]["lease_ms"].as_integer(), Some(750));
    assert_eq!(config["http"]["listen"].as_str(), Some("127.0.0.1:0"));
}

#[test]
fn a_relay_without_brokers_says_what_it_lacks() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let complaint = backtrail.fail(&["serve", "--roles", "relay"]);
    assert!(complaint.contains("the role relay needs kafka.brokers"), "{complaint}");
    assert!(!backtrail.data_dir().exists());
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let url = "postgresql://me:hunter2@127.0.0.1:1/backtrail";
    let backtrail = Backtrail::new(BACKTRAIL).with("BACKTRAIL_DATABASE__URL", url);
    let complaint = backtrail.fail(&["serve"]);
    assert!(complaint.contains("cannot be reached"), "{complaint}");
    assert!(!complaint.contains("hunter2"), "{complaint}");
}

#[test]
fn a_taken_port_is_named_before_a_database_is_started() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let backtrail = Backtrail::new(BACKTRAIL).with("BACKTRAIL_HTTP__LISTEN", &address);
    let complaint = backtrail.fail(&["serve"]);
    assert!(complaint.contains(&format!("cannot listen on {address}")), "{complaint}");
    assert!(!backtrail.data_dir().exists());
}
