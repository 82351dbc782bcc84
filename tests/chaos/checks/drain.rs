//! Everything comes to rest: jobs end, projections, relay and consumer group reach the end of the log.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use infra::postgres::jobs::KINDS;
use tests::kafka::wait_until_consumed;

use crate::world::World;

/// Nothing at all happens for so long: it will not happen any more.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until there is nothing left to do, or nothing happens any more.
pub(crate) async fn drain(world: &World) {
    let mut last = Instant::now();
    let mut before = Rest::default();
    loop {
        let now = Rest::look(world).await;
        if now.is_at_rest() {
            break;
        }
        if now != before {
            (before, last) = (now, Instant::now());
        }
        if last.elapsed() > SILENCE_MAX {
            world.journal.wrong(&format!("nothing goes on: {before:?}"));
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if let Some(kafka) = &world.kafka {
        for kind in KINDS {
            let topic = kafka.options.topic(kind.name);
            tokio::task::block_in_place(|| wait_until_consumed(&kafka.options, &topic));
        }
    }
}

/// What is left to do.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rest {
    is_known: bool,
    head: i64,
    unfinished: i64,
    queued: i64,
    read_models_behind: i64,
    relay_behind: i64,
}

impl Rest {
    async fn look(world: &World) -> Self {
        const QUEUED: &str = "SELECT count(*) FROM jobs";
        const BEHIND: &str = "SELECT count(*) FROM read_models.checkpoints \
                              WHERE position < (SELECT coalesce(max(position), 0) FROM events)";
        world.look_at_runs().await;
        let relayed = match &world.kafka {
            Some(_) => world.relayed().await,
            None => Some(i64::MAX),
        };
        let (head, queued) = (world.store.head().await.ok(), world.number(QUEUED).await);
        let behind = world.number(BEHIND).await;
        let known = head.zip(queued).zip(behind).zip(relayed);
        let Some((((head, queued), read_models_behind), relayed)) = known else {
            return Self::default();
        };
        Self {
            is_known: true,
            head,
            unfinished: world.unfinished.load(Ordering::Relaxed),
            queued,
            read_models_behind,
            relay_behind: (head - relayed).max(0),
        }
    }

    fn is_at_rest(&self) -> bool {
        let left = [self.unfinished, self.queued, self.read_models_behind, self.relay_behind];
        self.is_known && left == [0; 4]
    }
}
