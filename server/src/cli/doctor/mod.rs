//! `backtrail doctor`: checks what Backtrail needs, one line each, with the remedy.

mod database;
mod machine;

use crate::{config::Config, output};

/// Check PostgreSQL, Kafka, the port, the disk, the clock, limits and candles, each with a remedy.
///
/// Exits with an error if something that is configured does not work. Changes nothing, except that an embedded
/// PostgreSQL that is not running is started for the checks and stopped again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  backtrail doctor\n  backtrail doctor --config backtrail.toml")]
pub(super) struct Arguments {}

/// One thing that was looked at.
struct Check {
    name: &'static str,
    verdict: Verdict,
    finding: String,
}

/// What to make of it; a remedy says what to do.
enum Verdict {
    Fine,
    /// Works, but something is missing.
    Warning {
        remedy: String,
    },
    /// Does not work.
    Failed {
        remedy: String,
    },
}

impl Check {
    fn fine(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fine, finding: finding.into() }
    }

    fn warning(name: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        let verdict = Verdict::Warning { remedy: remedy.into() };
        Self { name, verdict, finding: finding.into() }
    }

    fn failed(name: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        let verdict = Verdict::Failed { remedy: remedy.into() };
        Self { name, verdict, finding: finding.into() }
    }

    /// The check on one line, whatever an error said.
    fn line(&self) -> String {
        let Self { name, verdict, finding } = self;
        let (word, remedy) = match verdict {
            Verdict::Fine => ("ok", ""),
            Verdict::Warning { remedy } => ("warning", remedy.as_str()),
            Verdict::Failed { remedy } => ("FAILED", remedy.as_str()),
        };
        let arrow = if remedy.is_empty() { "" } else { " -> " };
        let line = format!("{word:<8} {name:<11} {finding}{arrow}{remedy}");
        line.split('\n').map(str::trim_end).collect::<Vec<_>>().join(" ")
    }
}

pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut checks = database::check(config).await;
    checks.push(machine::kafka(config).await);
    checks.push(machine::port(config).await);
    checks.push(machine::disk(config));
    checks.push(machine::open_files(config));
    for check in &checks {
        output::line(&check.line())?;
    }
    let failed = checks.iter().filter(|check| matches!(check.verdict, Verdict::Failed { .. }));
    match failed.count() {
        0 => Ok(()),
        failed => anyhow::bail!("{failed} of {} checks failed", checks.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line_with_its_remedy_at_the_end() {
        let check = Check::failed("disk", "full:\n  0 GB free", "free some space");
        assert_eq!(check.line(), "FAILED   disk        full:   0 GB free -> free some space");
        assert_eq!(Check::fine("clock", "in step").line(), "ok       clock       in step");
    }
}
