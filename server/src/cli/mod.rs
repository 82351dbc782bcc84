//! The command line, one file per subcommand.

mod candle_file;
mod completions;
mod config;
mod demo;
mod doctor;
mod events;
mod import_candles;
mod migrate;
mod projections;
mod relay;
mod serve;
mod simulate;
mod sweep;
mod table;
mod user;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{config::Config, output, telemetry};

/// Backtests trading strategies as a service and can prove afterwards what happened.
#[derive(Debug, Parser)]
#[command(name = "backtrail", version, propagate_version = true)]
#[command(
    after_help = "Example:\n  backtrail demo --once\n\n`backtrail config --help` explains the configuration, `backtrail doctor` what is missing."
)]
struct Cli {
    /// A configuration file (TOML), which overrides the defaults; the environment overrides both.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    Migrate(migrate::Arguments),
    ImportCandles(import_candles::Arguments),
    Simulate(simulate::Arguments),
    Sweep(sweep::Arguments),
    #[command(subcommand)]
    Projections(projections::Command),
    #[command(subcommand)]
    Relay(relay::Command),
    Events(events::Arguments),
    Config(config::Arguments),
    Doctor(doctor::Arguments),
    Completions(completions::Arguments),
    #[command(subcommand)]
    User(user::Command),
}

/// Parses the arguments and runs the subcommand.
#[must_use]
#[expect(clippy::print_stderr, reason = "the command line reports its error here")]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("backtrail: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

/// Joins the error and its causes, leaving out repetitions.
fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(cli.config.as_deref(), environment)?;
    telemetry::install(&config.log, matches!(cli.command, Command::Serve(_)))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(arguments) => serve::run(&config, &arguments).await,
            Command::Demo(arguments) => demo::run(&config, &arguments).await,
            Command::Migrate(arguments) => migrate::run(&config, &arguments).await,
            Command::ImportCandles(arguments) => import_candles::run(&config, &arguments).await,
            Command::Simulate(arguments) => simulate::run(&arguments),
            Command::Sweep(arguments) => sweep::run(&arguments),
            Command::Projections(command) => projections::run(&config, &command).await,
            Command::Relay(command) => relay::run(&config, &command).await,
            Command::Events(arguments) => events::run(&config, &arguments).await,
            Command::Config(arguments) => config::run(&config, &arguments),
            Command::Doctor(doctor::Arguments {}) => doctor::run(&config).await,
            Command::Completions(arguments) => completions::run(&arguments, Cli::command()),
            Command::User(command) => user::run(&config, &command).await,
        }
    });
    // Abandoned work (a consumer that cannot leave unreachable brokers, a simulation) ends with the process.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_every_subcommand_holds_an_example() {
        fn check(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}: {help}", command.get_name());
            for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
                check(sub);
            }
        }
        let mut command = Cli::command();
        command.build();
        check(&mut command);
        command.debug_assert();
    }
}
