//! The configuration: embedded defaults, an optional file, then the environment; unknown keys are errors.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use api::Cors;
use domain::strategy::language::suggest;
use figment::{
    Figment, Provider,
    providers::{Format, Toml},
    value::{Dict, Value},
};
use infra::postgres::Database;
use projections::{OnPoison, ReadModels};
use serde::{Deserialize, Serialize};

mod kafka;

pub use kafka::KafkaConfig;

/// The defaults, with a comment on every key.
pub const DEFAULT: &str = include_str!("../../config.default.toml");
/// Keys of the previous release, each with the reason why it went. They are warned about for one release and then unknown.
const REMOVED: &[(&str, &str)] = &[(
    "kafka.cleanup_policy",
    "topics are always created with cleanup.policy=delete, for compaction would delete history",
)];
const ENV_PREFIX: &str = "BACKTRAIL_";

/// The effective configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub data_dir: PathBuf,
    pub http: HttpConfig,
    pub database: DatabaseConfig,
    pub kafka: KafkaConfig,
    pub executor: ExecutorConfig,
    pub sweep: SweepConfig,
    pub projector: ProjectorConfig,
    pub api: ApiConfig,
    pub log: LogConfig,
    /// What to tell the operator about keys that no longer have a meaning.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpConfig {
    /// `host:port`.
    pub listen: String,
    /// Origins, separated by commas.
    pub cors_origins: String,
    pub cors_credentials: bool,
}

impl HttpConfig {
    /// The origins whose pages may call the API.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn cors(&self) -> anyhow::Result<Cors> {
        let parsed = Cors::parse(&self.cors_origins, self.cors_credentials);
        parsed.map_err(|problem| anyhow::anyhow!("http.cors_origins: {problem}"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseConfig {
    /// Empty: embedded.
    pub url: String,
    /// Empty: the same as `url`.
    pub migrate_url: String,
    pub migrate_at_start: bool,
    pub connections_max: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorConfig {
    /// 0: one for each core.
    pub concurrency: usize,
    pub lease_ms: u64,
    pub running_per_user_max: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepConfig {
    pub combinations_max: usize,
    pub concurrency: usize,
    /// 0: one for each core.
    pub threads: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectorConfig {
    /// Names of read models, separated by commas.
    pub go_on_after_poison: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiConfig {
    pub write_wait_ms: u64,
    pub body_bytes_max: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

impl Config {
    /// Merges the defaults, the file, and the environment (pairs of name and value); the later wins.
    ///
    /// # Errors
    /// All unknown keys with the nearest known ones, wrong types, or values out of range.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let defaults = Figment::from(Toml::string(DEFAULT));
        let known = keys(&defaults)?;
        let mut figment = defaults;
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the configuration {} cannot be read", path.display()))?;
            figment = figment.merge(Toml::string(&text));
        }
        for (name, text) in environment {
            let Some(key) = name.strip_prefix(ENV_PREFIX) else { continue };
            let key = key.to_ascii_lowercase().replace("__", ".");
            let value = match known.get(&key) {
                Some(Value::String(..)) | None => Value::from(text),
                Some(_) => text.parse().unwrap_or_else(|never| match never {}),
            };
            figment = figment.merge((key, value));
        }
        let found = keys(&figment)?;
        let strangers = found.keys().filter(|key| !known.contains_key(*key));
        let (removed, unknown_keys): (Vec<_>, Vec<_>) =
            strangers.partition(|key| removal_reason(key).is_some());
        let problems: Vec<String> =
            unknown_keys.into_iter().map(|key| unknown(key, known.keys())).collect();
        if !problems.is_empty() {
            bail!("{}", problems.join("\n"));
        }
        let mut config: Self = figment.extract().map_err(|errors| {
            let all: Vec<String> = errors.into_iter().map(|error| wrong_type(&error)).collect();
            anyhow::anyhow!("{}", all.join("\n"))
        })?;
        config.check()?;
        config.warnings = removed.into_iter().filter_map(|key| removal_warning(key)).collect();
        Ok(config)
    }

    /// Returns the configuration as TOML, with passwords masked.
    ///
    /// # Errors
    /// When it cannot be written as TOML.
    pub fn masked(&self) -> anyhow::Result<String> {
        let mut shown = self.clone();
        shown.database.url = mask(&shown.database.url);
        shown.database.migrate_url = mask(&shown.database.migrate_url);
        shown.kafka.mask();
        Ok(toml::to_string(&shown)?)
    }

    fn check(&self) -> anyhow::Result<()> {
        let mut problems = Vec::new();
        let (database, executor, api) = (&self.database, &self.executor, &self.api);
        let mut range = |key: &str, value: i128, minimum: i128, maximum: i128| {
            if !(minimum..=maximum).contains(&value) {
                let name = env_name(key);
                problems
                    .push(format!("{key} must be {minimum} to {maximum}, not {value} ({name})"));
            }
        };
        range("database.connections_max", database.connections_max as i128, 10, 1_000);
        range("executor.concurrency", executor.concurrency as i128, 0, 1_024);
        range("executor.lease_ms", executor.lease_ms.into(), 200, 600_000);
        range("executor.running_per_user_max", executor.running_per_user_max.into(), 1, 10_000);
        for (key, value, minimum, maximum) in self.kafka.ranges() {
            range(key, value, minimum, maximum);
        }
        let sweep = &self.sweep;
        range("sweep.combinations_max", sweep.combinations_max as i128, 1, 250_000);
        range("sweep.concurrency", sweep.concurrency as i128, 1, 64);
        range("sweep.threads", sweep.threads as i128, 0, 1_024);
        range("api.write_wait_ms", api.write_wait_ms.into(), 0, 60_000);
        range("api.body_bytes_max", api.body_bytes_max as i128, 1_024, 1 << 30);
        let port = self.http.listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            let listen = &self.http.listen;
            problems.push(format!(
                "http.listen must be an address with a port, such as 127.0.0.1:8080, not `{listen}`"
            ));
        }
        let read_models = projections::status::list();
        for name in self.projector.names() {
            if !read_models.iter().any(|model| model.name == name) {
                problems
                    .push(format!("projector.go_on_after_poison: there is no read model `{name}`"));
            }
        }
        problems.extend(self.kafka.problems());
        problems.extend(self.http.cors().err().map(|error| error.to_string()));
        if self.data_dir.as_os_str().is_empty() {
            problems.push("data_dir must not be empty".to_owned());
        }
        if !database.migrate_url.is_empty() && database.url.is_empty() {
            problems.push("database.migrate_url needs a database.url beside it".to_owned());
        }
        if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n")) }
    }
}

impl ProjectorConfig {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.go_on_after_poison.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// The read models in `database`, configured.
    ///
    /// # Errors
    /// A name that no read model has.
    pub fn read_models(&self, database: Database) -> anyhow::Result<ReadModels> {
        self.names().try_fold(ReadModels::new(database), |read_models, name| {
            Ok(read_models.with_on_poison(name, OnPoison::GoOn)?)
        })
    }
}

/// Returns the values at the leaves, by dotted path.
fn keys(figment: &Figment) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for (_, dict) in figment.data()? {
        collect("", dict, &mut found);
    }
    Ok(found)
}

fn collect(path: &str, dict: Dict, found: &mut BTreeMap<String, Value>) {
    for (key, value) in dict {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        if let Value::Dict(_, dict) = value {
            collect(&path, dict, found);
        } else {
            found.insert(path, value);
        }
    }
}

fn env_name(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a String>) -> String {
    let hint = suggest::nearest(key, known.map(String::as_str))
        .map_or_else(String::new, |nearest| {
            format!("; the nearest known one is `{nearest}` ({})", env_name(nearest))
        });
    format!("unknown configuration key `{key}` ({}){hint}", env_name(key))
}

fn removal_reason(key: &str) -> Option<&'static str> {
    REMOVED.iter().find(|(name, _)| *name == key).map(|(_, reason)| *reason)
}

fn removal_warning(key: &str) -> Option<String> {
    let reason = removal_reason(key)?;
    let name = env_name(key);
    Some(format!(
        "the configuration key `{key}` ({name}) no longer has an effect and will be refused: {reason}"
    ))
}

fn wrong_type(error: &figment::Error) -> String {
    let key = error.path.join(".");
    format!("{key}: {} ({})", error.kind, env_name(&key))
}

/// Masks the password in a URL or in a list of `key=value`.
fn mask(url: &str) -> String {
    let mut masked = url.to_owned();
    if let Some(start) = masked.find("://").map(|at| at + 3) {
        let end = masked[start..].find('?').map_or(masked.len(), |at| start + at);
        // The last @ ends the credentials, however a password was (not) escaped.
        if let Some(at) = masked[start..end].rfind('@').map(|at| start + at)
            && let Some(colon) = masked[start..at].find(':').map(|colon| start + colon)
        {
            masked.replace_range(colon + 1..at, "********");
        }
    }
    let mut from = 0;
    while let Some(at) = masked[from..].to_ascii_lowercase().find("password=") {
        let start = from + at + "password=".len();
        let end = masked[start..]
            .find(|c: char| c == '&' || c.is_whitespace())
            .map_or(masked.len(), |at| start + at);
        masked.replace_range(start..end, "********");
        from = start + "********".len();
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let pairs = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::load(None, pairs)
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = load(&[("PATH", "/usr/bin")]).unwrap();
        assert_eq!(config.http.listen, "127.0.0.1:8080");
        assert_eq!(config.data_dir, PathBuf::from(".backtrail"));
        assert_eq!((config.executor.concurrency, config.api.write_wait_ms), (0, 2_000));
        assert_eq!((config.database.url.as_str(), config.kafka.brokers.as_str()), ("", ""));
    }

    #[test]
    fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backtrail.toml");
        std::fs::write(&path, "[executor]\nlease_ms = 500\nconcurrency = 3\n").unwrap();
        let environment = [
            ("BACKTRAIL_EXECUTOR__LEASE_MS".to_owned(), "700".to_owned()),
            ("BACKTRAIL_DATA_DIR".to_owned(), "12".to_owned()),
        ];
        let config = Config::load(Some(&path), environment).unwrap();
        assert_eq!((config.executor.lease_ms, config.executor.concurrency), (700, 3));
        assert_eq!(config.data_dir, PathBuf::from("12"));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        let error = load(&[("BACKTRAIL_HTTP_LISTEN", "x")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown configuration key `http_listen` (BACKTRAIL_HTTP_LISTEN); \
             the nearest known one is `http.listen` (BACKTRAIL_HTTP__LISTEN)"
        );
        let error = load(&[("BACKTRAIL_EXECUTOR__LEASE", "5")]).unwrap_err().to_string();
        assert!(error.contains("`executor.lease`") && error.contains("`executor.lease_ms`"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backtrail.toml");
        std::fs::write(&path, "[http]\nport = 1\n").unwrap();
        let error = Config::load(Some(&path), []).unwrap_err().to_string();
        assert!(error.contains("`http.port`"), "{error}");
    }

    #[test]
    fn a_removed_key_is_warned_about_with_the_reason() {
        let config = load(&[("BACKTRAIL_KAFKA__CLEANUP_POLICY", "compact")]).unwrap();
        assert_eq!(config.warnings.len(), 1);
        let warning = &config.warnings[0];
        assert!(warning.contains("`kafka.cleanup_policy` (BACKTRAIL_KAFKA__CLEANUP_POLICY)"));
        assert!(warning.contains("compaction would delete history"), "{warning}");
        assert!(load(&[]).unwrap().warnings.is_empty());
        assert!(!config.masked().unwrap().contains("cleanup_policy"));
    }

    #[test]
    fn a_removed_key_is_not_a_known_one() {
        let known = keys(&Figment::from(Toml::string(DEFAULT))).unwrap();
        assert!(REMOVED.iter().all(|(key, _)| !known.contains_key(*key)));
    }

    #[test]
    fn wrong_types_and_values_out_of_range_are_named() {
        let error = load(&[("BACKTRAIL_EXECUTOR__LEASE_MS", "soon")]).unwrap_err().to_string();
        assert!(
            error.contains("executor.lease_ms") && error.contains("BACKTRAIL_EXECUTOR__LEASE_MS")
        );
        let error = load(&[
            ("BACKTRAIL_EXECUTOR__LEASE_MS", "1"),
            ("BACKTRAIL_HTTP__LISTEN", "8080"),
            ("BACKTRAIL_KAFKA__BROKERS", "localhost"),
            ("BACKTRAIL_KAFKA__PARTITIONS", "0"),
        ]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("executor.lease_ms must be 200 to 600000, not 1"), "{error}");
        assert!(error.contains("http.listen must be"), "{error}");
        assert!(error.contains("kafka.brokers must be"), "{error}");
        assert!(error.contains("kafka.partitions must be 1 to 10000, not 0"), "{error}");
    }

    #[test]
    fn passwords_are_masked_however_they_are_written() {
        let cases = [
            ("postgresql://u:p@ss/word@h/d", "postgresql://u:********@h/d"),
            ("postgresql://u:secret@h:5432/d", "postgresql://u:********@h:5432/d"),
            (
                "postgresql://u:s@cret@h/d?password=x&a=b",
                "postgresql://u:********@h/d?password=********&a=b",
            ),
            ("host=h password=secret user=u", "host=h password=******** user=u"),
            ("postgresql://u@h/d", "postgresql://u@h/d"),
            ("", ""),
        ];
        for (url, expected) in cases {
            assert_eq!(mask(url), expected);
        }
        let config = load(&[("BACKTRAIL_DATABASE__URL", "postgresql://u:secret@h/d")]).unwrap();
        let shown = config.masked().unwrap();
        let kafka = [
            ("BACKTRAIL_KAFKA__SASL_PASSWORD", "secret"),
            ("BACKTRAIL_KAFKA__SSL_KEY_PASSWORD", "secret"),
        ];
        assert!(!load(&kafka).unwrap().masked().unwrap().contains("secret"));
        assert!(!shown.contains("secret") && shown.contains("********"), "{shown}");
    }
}
