//! The pace of work that is woken again and again: it rests in proportion to what it took, and what comes meanwhile is done in one go.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{self, Instant},
};

use crate::process;

/// A pass of such work. Alone on an idle machine it takes milliseconds, and so does its rest; under load both grow.
pub struct Pace {
    begun: Instant,
    /// Of the time that the pass took.
    share: u32,
    most: Duration,
}

impl Pace {
    /// Begins a pass; its rest will be `share` times as long, but no longer than `most`.
    #[must_use]
    pub fn begin(share: u32, most: Duration) -> Self {
        Self { begun: Instant::now(), share, most }
    }

    /// Ends the pass and rests, at most until `stop` is true.
    pub async fn rest(self, stop: &mut watch::Receiver<bool>) {
        let rest = self.rest_after(self.begun.elapsed());
        // A rest that is over is no error.
        let _ = time::timeout(rest, process::stopped(stop)).await;
    }

    fn rest_after(&self, pass: Duration) -> Duration {
        (pass * self.share).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_a_multiple_of_the_pass_up_to_its_bound() {
        let pace = Pace::begin(2, Duration::from_millis(30));
        for (took, rest) in [(3, 6), (20, 30), (0, 0)] {
            let expected = Duration::from_millis(rest);
            assert_eq!(pace.rest_after(Duration::from_millis(took)), expected, "after {took} ms");
        }
    }

    #[tokio::test]
    async fn a_stop_ends_the_rest() {
        let (_sender, mut stop) = watch::channel(true);
        let hour = Duration::from_secs(3_600);
        let pace =
            Pace { begun: Instant::now() - Duration::from_secs(1), share: 3_600, most: hour };
        time::timeout(hour / 60, pace.rest(&mut stop)).await.unwrap();
    }
}
