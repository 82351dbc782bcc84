//! `backtrail completions`: scripts that complete commands and options in a shell.

use clap::Command;
use clap_complete::Shell;

use crate::output;

/// Print a script that completes Backtrail's commands and options in a shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  backtrail completions bash > /etc/bash_completion.d/backtrail\n  \
                  backtrail completions zsh > \"${fpath[1]}/_backtrail\"\n  \
                  backtrail completions fish > ~/.config/fish/completions/backtrail.fish"
)]
pub(super) struct Arguments {
    /// The shell that will read the script.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "backtrail", &mut script);
    Ok(output::line(String::from_utf8(script)?.trim_end())?)
}
