//! Logs on standard error: text on a terminal, JSON lines otherwise.

use std::io::{self, IsTerminal};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// At `info`, libraries would log every migration and connection.
const QUIET: &str = "poem=warn,refinery_core=warn,tokio_postgres=warn";

/// Installs the logger of this process. Subcommands that print output log warnings only, unless the configuration asks
/// for a level other than the default.
///
/// # Errors
/// An invalid level.
pub(crate) fn install(config: &LogConfig, is_service: bool) -> anyhow::Result<()> {
    let level = match config.level.as_str() {
        "info" if is_service => format!("info,{QUIET}"),
        "info" => "warn".to_owned(),
        other => other.to_owned(),
    };
    let filter = EnvFilter::try_new(level)
        .with_context(|| format!("log.level `{}` cannot be understood", config.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let is_text = match config.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let installed = if is_text {
        builder.with_target(false).with_ansi(io::stderr().is_terminal()).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    installed.map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))
}
