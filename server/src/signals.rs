//! SIGTERM and Ctrl-C, as a flag that everything watches.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Becomes true on the first SIGTERM or SIGINT from now on.
///
/// # Errors
/// The handlers cannot be installed.
pub(crate) fn watch_for_stop() -> io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
        sender.closed().await;
    });
    Ok(receiver)
}

/// Waits until the flag is true.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // No signal can ask for a stop any more: wait for the process to be killed.
        std::future::pending::<()>().await;
    }
}
