//! Wake-ups: a watched position that rises when this or another process appends; only a hint, since polling is what counts.

use std::time::Duration;

use futures_util::{FutureExt, future::poll_fn};
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};
use tokio_postgres::{AsyncMessage, NoTls};

use crate::postgres::database::{Database, DatabaseError};

const CHANNEL: &str = "backtrail_events";
/// Carries the news, without a word, that a job may wait: an event asked for one, or one was freed in the queue.
pub(in crate::postgres) const JOBS_CHANNEL: &str = "backtrail_jobs";
/// At most one NOTIFY per this interval, because each takes a lock on the whole cluster.
const NOTIFY_PAUSE: Duration = Duration::from_millis(10);
/// Finds appends without a notification: foreign writers, lost connections.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Both ends of the news; clones share them.
#[derive(Clone)]
pub(super) struct Wakeups {
    /// The highest position that this process knows.
    known: watch::Sender<u64>,
    /// The highest position appended by this process.
    appended: watch::Sender<i64>,
    jobs: watch::Sender<()>,
    /// This process appended an event that asks for a job.
    asked: watch::Sender<()>,
}

impl Wakeups {
    pub(super) fn new() -> Self {
        Self {
            known: watch::Sender::new(0),
            appended: watch::Sender::new(0),
            jobs: watch::Sender::new(()),
            asked: watch::Sender::new(()),
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.known.subscribe()
    }

    pub(super) fn subscribe_to_jobs(&self) -> watch::Receiver<()> {
        self.jobs.subscribe()
    }

    /// Records that this process appended up to `position`: wakes its own tasks at once and other processes soon.
    pub(super) fn appended(&self, position: i64) {
        self.learned(position);
        self.appended.send_if_modified(|last| raise(last, position));
    }

    /// Records that an event which this process is about to call appended asks for a job.
    pub(super) fn asked(&self) {
        self.jobs.send_replace(());
        self.asked.send_replace(());
    }

    fn learned(&self, position: i64) {
        self.known.send_if_modified(|last| raise(last, position.unsigned_abs()));
    }

    /// Starts the tasks that notify other processes and listen to them; they end when the set is dropped.
    pub(super) fn start(&self, database: &Database) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(notify(self.appended.subscribe(), self.asked.subscribe(), database.clone()));
        tasks.spawn(listen(self.clone(), database.clone()));
        tasks
    }
}

fn raise<T: PartialOrd>(last: &mut T, position: T) -> bool {
    let is_news = position > *last;
    if is_news {
        *last = position;
    }
    is_news
}

/// Sends one NOTIFY for all commits of the last interval.
async fn notify(
    mut appended: watch::Receiver<i64>,
    mut asked: watch::Receiver<()>,
    database: Database,
) {
    const NOTIFY: &str = "SELECT pg_notify(channel, CASE channel WHEN $2 THEN $3 ELSE '' END) FROM unnest($1::text[]) AS channel";
    while appended.changed().await.is_ok() {
        let position = appended.borrow_and_update().to_string();
        let is_asked = asked.has_changed().unwrap_or_default();
        asked.mark_unchanged();
        let sent = async {
            let client = database.get().await?;
            let channels: &[&str] = if is_asked { &[CHANNEL, JOBS_CHANNEL] } else { &[CHANNEL] };
            let statement = client.prepare_cached(NOTIFY).await?;
            client.execute(&statement, &[&channels, &CHANNEL, &position]).await?;
            Ok::<_, DatabaseError>(())
        };
        if let Err(error) = sent.await {
            tracing::debug!(%error, "no NOTIFY; the others poll");
        }
        tokio::time::sleep(NOTIFY_PAUSE).await;
    }
}

/// Listens for other processes' appends.
async fn listen(wakeups: Wakeups, database: Database) {
    loop {
        if let Err(error) = listen_once(&wakeups, &database).await {
            tracing::debug!(%error, "listening for appends again");
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

/// Listens until the connection is lost.
async fn listen_once(wakeups: &Wakeups, database: &Database) -> Result<(), DatabaseError> {
    let (client, mut connection) = database.config().connect(NoTls).await?;
    let news = wakeups.clone();
    let receive = async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            let AsyncMessage::Notification(notification) = message? else { continue };
            if notification.channel() == JOBS_CHANNEL {
                news.jobs.send_replace(());
            } else if let Ok(position) = notification.payload().parse() {
                news.learned(position);
            }
        }
        Ok(())
    };
    let poll = async {
        let listen = format!("SET ROLE backtrail_app; LISTEN {CHANNEL}; LISTEN {JOBS_CHANNEL}");
        client.batch_execute(&listen).await?;
        let head = client.prepare(super::rows::HEAD).await?;
        let mut interval = tokio::time::interval(POLL_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            wakeups.learned(client.query_one(&head, &[]).await?.try_get(0)?);
        }
    };
    tokio::select! {
        result = receive.fuse() => result,
        result = poll => result,
    }
}
