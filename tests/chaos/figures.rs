//! What the processes count in `/metrics`, summed over all their lives: read again and again, for a killed one takes its counters with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use infra::telemetry::{CLAIM_CONFLICTS, DUPLICATES_DROPPED, LEASE_EXPIRIES};

use crate::world::World;

/// The last figures of each life of each process.
#[derive(Clone, Default)]
pub(crate) struct Figures(Arc<Mutex<Lives>>);

/// By process and life, then by name.
type Lives = BTreeMap<(usize, u32), BTreeMap<&'static str, f64>>;

const NAMES: [&str; 3] = [LEASE_EXPIRIES, CLAIM_CONFLICTS, DUPLICATES_DROPPED];
const EVERY: Duration = Duration::from_millis(500);

impl Figures {
    /// Reads them until it is dropped.
    pub(crate) async fn follow(self, world: Arc<World>) {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            self.read(&world).await;
        }
    }

    /// Reads those of every process that answers.
    pub(crate) async fn read(&self, world: &World) {
        for (index, ship) in world.ships.iter().enumerate() {
            let Some((life, text)) = ship.figures().await else { continue };
            let found = NAMES.map(|name| (name, value(&text, name)));
            self.0.lock().expect("the figures").insert((index, life), found.into());
        }
    }

    /// At least so many: what a killed process counted after its last scrape is not known.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let lives = self.0.lock().expect("the figures");
        lives.values().filter_map(|figures| figures.get(name)).sum()
    }
}

/// Of a figure without labels.
fn value(text: &str, name: &str) -> f64 {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    values.next().and_then(|value| value.parse().ok()).unwrap_or_default()
}
