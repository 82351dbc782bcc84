//! `backtrail relay`: shows how far the relay to Kafka is, and skips an event that cannot be sent.

use infra::{
    postgres::relays::{RelayStatus, Relays},
    process,
};

use crate::{
    backend::{Access, Backend},
    config::Config,
    output,
};

/// Inspect the relay to Kafka, and skip an event that cannot be sent.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Example:\n  backtrail relay status\n  backtrail relay skip 4711 --reason 'larger than any consumer takes'"
)]
pub(super) enum Command {
    /// Show the relay's position, its leader, the event that stops it, and the events that were skipped.
    #[command(after_help = "Example:\n  backtrail relay status")]
    Status,
    /// Skip the event that stops the relay. Who did so, when and why is kept for ever.
    #[command(
        after_help = "Example:\n  backtrail relay skip 4711 --reason 'larger than any consumer takes'"
    )]
    Skip {
        /// The position that `relay status` shows.
        position: i64,
        /// Why the topics may do without it.
        #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        reason: String,
        /// Who decided so. Defaults to the user of this shell, by name or, without one, by number.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<()> {
    let backend = Backend::open(config, Access::Existing).await?;
    let relays = Relays::new(backend.database.clone(), config.kafka.topic_prefix.clone());
    let done = act(config, &relays, command).await;
    backend.finish(done).await
}

async fn act(config: &Config, relays: &Relays, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Status => {
            if config.kafka.options().is_none() {
                output::line(WITHOUT_KAFKA)?;
            }
            show(&relays.status().await?)
        }
        Command::Skip { position, reason, by } => {
            let by = by.clone().unwrap_or_else(|| user(|name| std::env::var(name).ok()));
            relays.skip(*position, reason, &by).await?;
            Ok(output::line(&format!("the relay continues without position {position}"))?)
        }
    }
}

/// What `relay status` says first if this configuration relays nothing.
const WITHOUT_KAFKA: &str = "Kafka is not configured: set kafka.brokers (BACKTRAIL_KAFKA__BROKERS) as the \
                             relay has it.\nWithout it nothing is relayed; this is what the database knows.";

fn show(status: &RelayStatus) -> anyhow::Result<()> {
    let RelayStatus { position, head, leader, stop, skips } = status;
    output::line(&format!("position  {position} of {head}, {} behind", head - position))?;
    output::line(&format!("leader    {}", leader.as_deref().unwrap_or("none")))?;
    if let Some(stop) = stop {
        let (at, reason) = (stop.at.format("%Y-%m-%d %H:%M:%S"), &stop.reason);
        output::line(&format!("STOPPED   before {} since {at} UTC: {reason}", stop.position))?;
    }
    for skip in skips {
        let at = skip.skipped_at.format("%Y-%m-%d %H:%M:%S");
        output::line(&format!(
            "left out  {} by {} at {at} UTC: {} ({})",
            skip.position, skip.skipped_by, skip.reason, skip.refusal
        ))?;
    }
    Ok(())
}

/// Returns the user of this shell: the name that the environment holds, or the id.
fn user(variable: impl Fn(&str) -> Option<String>) -> String {
    let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(variable);
    let named = names.map(|name| name.trim().to_owned()).find(|name| !name.is_empty());
    named.unwrap_or_else(|| format!("uid {}", process::user_id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_name_is_named_by_id() {
        let empty = |name: &str| (name == "SUDO_USER").then(String::new);
        assert_eq!(user(empty), format!("uid {}", process::user_id()));
        let named = |name: &str| Some(if name == "LOGNAME" { "ada" } else { " " }.to_owned());
        assert_eq!(user(named), "ada");
    }
}
