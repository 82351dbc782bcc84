//! `backtrail serve`: runs the service.

use infra::clock::Clock;

use crate::{
    app,
    config::Config,
    output,
    roles::{Role, Roles},
    signals,
};

/// Run the service until SIGTERM or Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  backtrail serve\n  backtrail serve --roles api,projector")]
pub(super) struct Arguments {
    /// The roles of this process, separated by commas. Defaults to all of them.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLES")]
    roles: Vec<Role>,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.roles.contains(&Role::Relay) && config.kafka.options().is_none() {
        anyhow::bail!("the role relay needs kafka.brokers (BACKTRAIL_KAFKA__BROKERS)");
    }
    let mut stop = signals::watch_for_stop()?;
    let mut app = app::start(config, &Roles::of(&arguments.roles), Clock::system()).await?;
    announce(&app)?;
    let failure = tokio::select! {
        () = signals::stopped(&mut stop) => None,
        error = app.failed() => Some(error),
    };
    tracing::info!("stopping");
    let ended = app.shutdown().await;
    match failure {
        Some(error) => Err(error),
        None => ended,
    }
}

/// Announces the address in the log and, if standard output is redirected, there too, for scripts.
pub(super) fn announce(app: &app::App) -> anyhow::Result<()> {
    let address = app.address();
    tracing::info!("listening on http://{address}");
    if !output::is_terminal() {
        output::line(&format!("listening on http://{address}"))?;
    }
    Ok(())
}
