//! `backtrail projections`: shows how far the read models are, and maintains them.

use anyhow::Context;
use infra::postgres::EventStore;
use projections::{ReadModels, status};
use uuid::Uuid;

use crate::{
    backend::{Access, Backend},
    config::Config,
    output,
};

/// Inspect the read models, rebuild them from the log, and resolve dead letters.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Example:\n  backtrail projections status\n  backtrail projections rebuild backtests"
)]
pub(super) enum Command {
    /// List the read models of this binary.
    #[command(after_help = "Example:\n  backtrail projections list")]
    List,
    /// Show each read model's position, its lag and its dead letters.
    #[command(after_help = "Example:\n  backtrail projections status")]
    Status,
    /// Rebuild a read model from the log beside the live one, then swap them.
    #[command(after_help = "Example:\n  backtrail projections rebuild trades")]
    Rebuild {
        /// The read model, or `all`.
        name: String,
    },
    /// Drop tables of earlier versions and leftovers of interrupted rebuilds.
    #[command(after_help = "Example:\n  backtrail projections prune")]
    Prune,
    /// List the events that a read model could not process.
    #[command(after_help = "Example:\n  backtrail projections dead-letters")]
    DeadLetters,
    /// Process a dead letter again.
    #[command(
        after_help = "Example:\n  backtrail projections retry 0192d3a5-0000-7000-8000-000000000000"
    )]
    Retry { id: Uuid },
    /// Skip a dead letter for good.
    #[command(
        after_help = "Example:\n  backtrail projections discard 0192d3a5-0000-7000-8000-000000000000"
    )]
    Discard { id: Uuid },
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<()> {
    if matches!(command, Command::List) {
        return list();
    }
    let backend = Backend::open(config, Access::Existing).await?;
    let done = act(config, &backend, command).await;
    backend.finish(done).await
}

fn list() -> anyhow::Result<()> {
    for model in status::list() {
        let aggregates = model.aggregates.join(", ");
        output::line(&format!("{:<18} {:<22} from {aggregates}", model.name, model.table))?;
    }
    Ok(())
}

async fn act(config: &Config, backend: &Backend, command: &Command) -> anyhow::Result<()> {
    let reads = config.projector.read_models(backend.database.clone())?;
    match command {
        Command::List => list(),
        Command::Status => show_status(&reads).await,
        Command::Rebuild { name } => {
            let store = EventStore::start(backend.database.clone());
            let names: Vec<&str> = match name.as_str() {
                "all" => status::list().iter().map(|model| model.name).collect(),
                name => vec![name],
            };
            for name in names {
                rebuild(&reads, &store, name).await?;
            }
            Ok(())
        }
        Command::Prune => {
            let dropped = reads.prune().await?;
            let what = if dropped.is_empty() { "nothing".to_owned() } else { dropped.join(", ") };
            Ok(output::line(&format!("dropped {what}"))?)
        }
        Command::DeadLetters => show_dead_letters(&reads).await,
        Command::Retry { id } => {
            let store = EventStore::start(backend.database.clone());
            reads.retry(&store, *id).await?;
            Ok(output::line(&format!("{id} has been processed"))?)
        }
        Command::Discard { id } => {
            reads.discard(*id).await?;
            Ok(output::line(&format!("{id} is skipped for good"))?)
        }
    }
}

async fn show_status(reads: &ReadModels) -> anyhow::Result<()> {
    output::line(&format!(
        "{:<18} {:<9} {:>10} {:>8} dead letters",
        "name", "state", "position", "lag"
    ))?;
    for model in reads.status().await? {
        let rebuild = model.rebuild_position;
        let rebuild = rebuild.map_or_else(String::new, |at| format!(", rebuild at {at}"));
        output::line(&format!(
            "{:<18} {:<9} {:>10} {:>8} {}{rebuild}",
            model.name,
            model.state.as_str(),
            model.position,
            model.lag,
            model.dead_letters_count
        ))?;
        if let Some(reason) = model.reason {
            output::line(&format!("  {reason}"))?;
        }
    }
    Ok(())
}

async fn rebuild(reads: &ReadModels, store: &EventStore, name: &str) -> anyhow::Result<()> {
    let bar = output::progress_bar(0, &format!("rebuilding {name}"));
    let progress = |progress: projections::rebuild::RebuildProgress| {
        bar.set_length(u64::try_from(progress.target).unwrap_or_default());
        bar.set_position(u64::try_from(progress.position).unwrap_or_default());
    };
    let names = || status::list().iter().map(|model| model.name).collect::<Vec<_>>().join(", ");
    let rebuilt = reads.rebuild(store, name, progress).await;
    bar.finish_and_clear();
    let events = rebuilt.with_context(|| format!("{name} (there are {})", names()))?;
    Ok(output::line(&format!("rebuilt {name} from {events} events"))?)
}

async fn show_dead_letters(reads: &ReadModels) -> anyhow::Result<()> {
    for letter in reads.dead_letters().await? {
        output::line(&format!(
            "{} {} position {}\n  {} of {}/{}\n  {}",
            letter.id,
            letter.table_name,
            letter.position,
            letter.event_type,
            letter.aggregate_type,
            letter.aggregate_id,
            letter.error
        ))?;
    }
    Ok(())
}
