//! Leaders: one process at a time has a role that only one may have, by a row and the database's clock.
//!
//! A session lock would do for crashes, but a stopped process (SIGSTOP, a machine that stalls) keeps its session and wakes
//! later in the belief that it still leads. So a leader has the row for a second at a time, and **whatever it writes asks for
//! the row in the same statement** ([`IS_HELD`]): who wakes too late writes nothing.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{self, Instant, MissedTickBehavior},
};
use tokio_postgres::{Row, types::ToSql};

use super::database::{Database, DatabaseError};
use crate::process;

/// How long the row is a leader's after each renewal, by the database's clock.
pub const TTL: Duration = Duration::from_millis(1_000);
const RENEW_EVERY: Duration = Duration::from_millis(250);
/// How often those look who do not lead.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A leader takes itself for one that much shorter than the database does: two clocks do not run alike.
const MARGIN: Duration = Duration::from_millis(200);
/// How long one question to the database may take.
const RESPONSE_BOUND: Duration = Duration::from_secs(1);

/// The condition under which a leader writes, with [`Leadership::parameters`] as `$1`, `$2` and `$3` of the statement.
///
/// It also locks the row to the end of the statement's transaction, so that no other process takes over meanwhile: such a
/// statement is a transaction by itself, short, and waits for no client.
pub const IS_HELD: &str = "EXISTS (SELECT FROM leaders WHERE role = $1 AND holder = $2 AND term = $3 \
                           AND until > clock_timestamp() FOR SHARE)";

/// A process that leads a role whenever no other process does; clones share what is known.
#[derive(Clone)]
pub struct Candidate {
    database: Database,
    role: &'static str,
    holder: String,
    state: watch::Sender<LeaderState>,
}

/// Who leads, as a candidate last heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaderState {
    /// It has not asked yet, or has stopped.
    Absent,
    /// It leads.
    Leading { term: i64 },
    /// Another one leads.
    Standby { holder: String },
    /// The database did not respond.
    Unknown { error: String },
}

/// One term of leading. What it is worth is decided by the database, in [`IS_HELD`].
#[derive(Debug, Clone)]
pub struct Leadership {
    role: &'static str,
    holder: String,
    term: i64,
    until: watch::Receiver<Instant>,
}

impl Leadership {
    /// Whether this process may take itself for the leader: for what it does outside of the database, and to save
    /// statements that would write nothing.
    #[must_use]
    pub fn is_held(&self) -> bool {
        Instant::now() < *self.until.borrow()
    }

    /// Counts the role's leaders.
    #[must_use]
    pub fn term(&self) -> i64 {
        self.term
    }

    /// The first three parameters of a statement with [`IS_HELD`].
    #[must_use]
    pub fn parameters(&self) -> [&(dyn ToSql + Sync); 3] {
        [&self.role, &self.holder, &self.term]
    }
}

impl Candidate {
    /// For `role`, under a name that no other process has.
    #[must_use]
    pub fn new(database: &Database, role: &'static str, holder: String) -> Self {
        let state = watch::Sender::new(LeaderState::Absent);
        Self { database: database.for_leaders(), role, holder, state }
    }

    /// Who leads, as it last heard.
    #[must_use]
    pub fn state(&self) -> LeaderState {
        self.state.borrow().clone()
    }

    /// Leads whenever no other process does, until `stop` is true, and runs `work` meanwhile. `work` should end soon after
    /// `stop`, which gives up the role at once. If the role is lost, `work` is dropped where it awaits and starts again in the
    /// next term.
    pub async fn lead<F>(
        &self,
        mut stop: watch::Receiver<bool>,
        mut work: impl FnMut(Leadership) -> F,
    ) where
        F: Future<Output = ()> + Send,
    {
        while !*stop.borrow() {
            let asked = Instant::now();
            match self.acquire().await {
                Ok(Some(term)) => self.lead_term(term, asked, &mut work).await,
                Ok(None) => {}
                Err(error) => self.unknown(&error),
            }
            // A pause that runs out is the next look.
            let _ = time::timeout(LOOK_EVERY, process::stopped(&mut stop)).await;
        }
        self.state.send_replace(LeaderState::Absent);
    }

    /// Works until the work ends or the role is lost.
    async fn lead_term<F>(&self, term: i64, asked: Instant, work: &mut impl FnMut(Leadership) -> F)
    where
        F: Future<Output = ()> + Send,
    {
        tracing::info!(role = self.role, term, "leading");
        self.state.send_replace(LeaderState::Leading { term });
        let (until, known) = watch::channel(asked + TTL - MARGIN);
        let (role, holder) = (self.role, self.holder.clone());
        let leadership = Leadership { role, holder, term, until: known };
        // On its own, so that work which does not await for a while costs nothing.
        let mut renewal = JoinSet::new();
        renewal.spawn(self.clone().renew_until_lost(term, until));
        tokio::select! {
            () = work(leadership) => {
                renewal.shutdown().await;
                match self.release(term).await {
                    Ok(()) => tracing::info!(role, term, "leading no more"),
                    Err(error) => tracing::warn!(role, term, %error, "the role is left to run out"),
                }
            }
            _ = renewal.join_next() => tracing::warn!(role, term, "the role is lost"),
        }
    }

    async fn renew_until_lost(self, term: i64, until: watch::Sender<Instant>) {
        let mut ticks = time::interval_at(Instant::now() + RENEW_EVERY, RENEW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Before it is sent: when the database got it is not known.
            let asked = Instant::now();
            let held_until = *until.borrow();
            match time::timeout_at(held_until, self.renew(term)).await {
                Ok(Ok(true)) => {
                    until.send_replace(asked + TTL - MARGIN);
                }
                Ok(Err(error)) if Instant::now() < held_until => self.unknown(&error),
                Ok(Ok(false) | Err(_)) | Err(_) => return,
            }
        }
    }

    /// The new term, if no other process leads.
    async fn acquire(&self) -> Result<Option<i64>, DatabaseError> {
        // A process that waits only reads. A process that could not reach its own row takes it again under a new term.
        const ACQUIRE: &str = "
            WITH taken AS (
                INSERT INTO leaders AS own (role, holder, term, until)
                SELECT $1, $2, 1, clock_timestamp() + $3::bigint * interval '1 millisecond'
                WHERE NOT EXISTS (
                    SELECT FROM leaders WHERE role = $1 AND holder <> $2 AND until > clock_timestamp())
                ON CONFLICT (role) DO UPDATE
                SET holder = excluded.holder, term = own.term + 1,
                    until = clock_timestamp() + $3::bigint * interval '1 millisecond'
                WHERE own.until <= clock_timestamp() OR own.holder = excluded.holder
                RETURNING term
            )
            SELECT term, NULL AS holder FROM taken
            UNION ALL
            SELECT NULL, holder FROM leaders WHERE role = $1 AND NOT EXISTS (SELECT FROM taken)";
        let row = self.ask(ACQUIRE, &[&self.role, &self.holder, &millis(TTL)]).await?;
        let Some(row) = row else { return Ok(None) };
        if let Some(holder) = row.try_get("holder")? {
            self.state.send_replace(LeaderState::Standby { holder });
        }
        Ok(row.try_get("term")?)
    }

    /// Prolongs the term; false when it is over. It does not wait for the disk: a renewal that a crash of the server takes
    /// back ends the term early.
    async fn renew(&self, term: i64) -> Result<bool, DatabaseError> {
        const RENEW: &str = "
            UPDATE leaders SET until = clock_timestamp() + $4::bigint * interval '1 millisecond'
            FROM (SELECT set_config('synchronous_commit', 'off', true)) AS quick
            WHERE role = $1 AND holder = $2 AND term = $3 RETURNING term";
        let row = self.ask(RENEW, &[&self.role, &self.holder, &term, &millis(TTL)]).await?;
        if row.is_some() {
            self.state.send_if_modified(|state| {
                let is_new = *state != LeaderState::Leading { term };
                *state = LeaderState::Leading { term };
                is_new
            });
        }
        Ok(row.is_some())
    }

    /// Gives the role away at once.
    async fn release(&self, term: i64) -> Result<(), DatabaseError> {
        const RELEASE: &str = "UPDATE leaders SET until = clock_timestamp() \
                               WHERE role = $1 AND holder = $2 AND term = $3 RETURNING term";
        self.ask(RELEASE, &[&self.role, &self.holder, &term]).await?;
        Ok(())
    }

    /// One row at most, within a bound: a connection that went dead must not keep a candidate from asking over another.
    async fn ask(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, DatabaseError> {
        let client = self.database.get().await?;
        let response = async {
            let statement = client.prepare_cached(sql).await?;
            client.query_opt(&statement, parameters).await
        };
        match time::timeout(RESPONSE_BOUND, response).await {
            Ok(row) => Ok(row?),
            Err(_) => {
                drop(deadpool_postgres::Object::take(client));
                let message = format!("the database did not respond within {RESPONSE_BOUND:?}");
                Err(DatabaseError::Unavailable(message))
            }
        }
    }

    fn unknown(&self, error: &DatabaseError) {
        let unknown = LeaderState::Unknown { error: error.to_string() };
        if self.state.send_replace(unknown.clone()) != unknown {
            tracing::warn!(role = self.role, %error, "it is not known who leads");
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
