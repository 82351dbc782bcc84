//! `backtrail config`: prints the effective configuration.

use crate::{config::Config, output};

/// Print the effective configuration as TOML, with passwords masked.
///
/// Every key can be set in the environment: `http.listen` is BACKTRAIL_HTTP__LISTEN, `data_dir` is BACKTRAIL_DATA_DIR.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  BACKTRAIL_HTTP__LISTEN=127.0.0.1:0 backtrail config\n  backtrail config --default > backtrail.toml"
)]
pub(super) struct Arguments {
    /// Print the defaults instead, with a comment on every key.
    #[arg(long)]
    default: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    let text =
        if arguments.default { crate::config::DEFAULT.to_owned() } else { config.masked()? };
    Ok(output::line(text.trim_end())?)
}
