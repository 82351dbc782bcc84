//! This process among all of the service: its name, its limits, and whether its loops are healthy.

use std::{fmt::Display, io, path::Path, sync::OnceLock, time::Duration};

use tokio::{sync::watch, time::Instant};

use crate::clock::Clock;

/// Returns `machine/pid/ULID`: unique for ever, and enough for an operator to find the process.
#[must_use]
pub fn name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let system = rustix::system::uname();
        let machine = system.nodename().to_string_lossy();
        format!("{machine}/{}/{}", std::process::id(), Clock::system().new_ulid())
    })
}

/// Returns the id of the user who started this process.
#[must_use]
pub fn user_id() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Waits until `stop` is true; for ever if its sender has gone.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Returns how many files and sockets this process may have open at a time; `None` if there is no limit.
#[must_use]
pub fn open_files_max() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Returns the bytes that are free for this process on the disk of `path`, which need not exist yet.
///
/// # Errors
/// The file system's.
pub fn free_disk_bytes(path: &Path) -> io::Result<u64> {
    let absolute = std::path::absolute(path)?;
    let existing = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute);
    let disk = rustix::fs::statvfs(existing)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// How a loop is doing, for health checks; clones share it.
#[derive(Debug, Clone)]
pub struct Pulse(watch::Sender<Beat>);

#[derive(Debug, Clone)]
struct Beat {
    at: Instant,
    error: Option<String>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(watch::Sender::new(Beat { at: Instant::now(), error: None }))
    }
}

impl Pulse {
    /// Records that the loop is running and healthy.
    pub fn beat(&self) {
        self.0.send_replace(Beat { at: Instant::now(), error: None });
    }

    /// Records that the loop is running and meets an error.
    pub fn fail(&self, error: impl Display) {
        self.0.send_replace(Beat { at: Instant::now(), error: Some(error.to_string()) });
    }

    /// Checks that the loop was healthy within the last `silence_max`.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, silence_max: Duration) -> Result<(), String> {
        let beat = self.0.borrow().clone();
        let silence = beat.at.elapsed();
        if silence > silence_max {
            return Err(format!("it has been silent for {} s", silence.as_secs()));
        }
        beat.error.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_well_until_it_fails_or_falls_silent() {
        let pulse = Pulse::default();
        assert_eq!(pulse.check(Duration::MAX), Ok(()));
        pulse.fail("no luck");
        assert_eq!(pulse.check(Duration::MAX), Err("no luck".to_owned()));
        pulse.beat();
        assert_eq!(pulse.check(Duration::MAX), Ok(()));
        let silent = "it has been silent for 0 s".to_owned();
        assert_eq!(pulse.check(Duration::ZERO), Err(silent));
    }

    #[test]
    fn a_process_keeps_its_name() {
        assert_eq!(name(), name());
        assert_eq!(name().split('/').nth(1), Some(std::process::id().to_string().as_str()));
    }
}
