//! `backtrail user`: manages accounts.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, bail};
use infra::{
    clock::Clock,
    postgres::accounts::{Accounts, NewUser},
};

use crate::{
    backend::{Access, Backend},
    config::Config,
    output,
};

/// The shortest password accepted, as for POST /users.
const PASSWORD_CHARS_MIN: usize = 12;

/// Manage accounts.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Example:\n  backtrail user add --email ada@example.org --name Ada --password-stdin < secret"
)]
pub(super) enum Command {
    Add(AddArguments),
}

/// Add a user. The password comes from standard input, never from an argument, which other users could see.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  echo 'a long password' | backtrail user add --email ada@example.org --name Ada --password-stdin"
)]
pub(super) struct AddArguments {
    /// The address that the user signs in with.
    #[arg(long)]
    email: String,
    /// The user's name.
    #[arg(long)]
    name: String,
    /// Read the password (at least 12 characters) from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<()> {
    let Command::Add(arguments) = command;
    let is_address = arguments.email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !arguments.email.contains(char::is_whitespace)
    });
    if !is_address {
        bail!("`{}` is not an email address", arguments.email);
    }
    let password = read_password(arguments.password_stdin)?;
    let backend = Backend::open(config, Access::Share).await?;
    let accounts = Accounts::new(backend.database.clone(), Clock::system());
    let AddArguments { email, name, .. } = arguments;
    let user = NewUser { email, password: &password, name };
    let added = accounts.create_user(user, None).await.map(|created| created.user);
    let user = backend.finish(added.map_err(Into::into)).await?;
    Ok(output::line(&format!("added {} as {}", user.email, user.id))?)
}

/// Reads the first line of standard input, with a prompt on a terminal.
#[expect(clippy::print_stderr, reason = "a prompt, apart from what is printed for pipes")]
fn read_password(from_stdin: bool) -> anyhow::Result<String> {
    let stdin = io::stdin();
    if !from_stdin {
        if !stdin.is_terminal() {
            bail!("pass --password-stdin to read the password from standard input");
        }
        eprintln!("Password (shown as you type; at least {PASSWORD_CHARS_MIN} characters):");
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("the password cannot be read")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.chars().count() < PASSWORD_CHARS_MIN {
        bail!("the password needs at least {PASSWORD_CHARS_MIN} characters");
    }
    Ok(password.to_owned())
}
