//! Leaders: one at a time, another soon after it is gone, and nothing written by one who leads no more.

use std::time::Duration;

use infra::postgres::leaders::{Candidate, IS_HELD, LeaderState, Leadership};
use tests::TestDatabase;
use tokio::{sync::watch, task::JoinHandle};

/// Long enough for a busy machine; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(180);
const ROLE: &str = "test";

/// A candidate at work, whose last term is known.
struct Running {
    candidate: Candidate,
    last: watch::Receiver<Option<Leadership>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(test: &TestDatabase, holder: &str) -> Self {
        let candidate = Candidate::new(&test.database, ROLE, holder.to_owned());
        let (tell, last) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let leading = candidate.clone();
        let task = tokio::spawn(async move {
            let at_work = stopped.clone();
            let work = move |leadership: Leadership| {
                let mut stopped = at_work.clone();
                tell.send_replace(Some(leadership));
                async move {
                    stopped.wait_for(|stop| *stop).await.unwrap();
                }
            };
            leading.lead(stopped, work).await;
        });
        Self { candidate, last, stop, task }
    }

    /// Until it leads and has written; its term then. (A busy machine may cost it one or two before.)
    async fn writes(&self, test: &TestDatabase) -> Leadership {
        let written = async || {
            let last = self.last.borrow().clone();
            match last {
                Some(leadership) => write(test, &leadership).await == 1,
                None => false,
            }
        };
        until(written).await;
        self.last.borrow().clone().unwrap()
    }

    /// Ends it without a last word, as a crash does.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

async fn until(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the condition within a minute");
}

/// A row that only a leader may count up.
async fn with_counter() -> TestDatabase {
    let test = TestDatabase::new().await;
    let counter = "CREATE TABLE read_models.counter AS SELECT 0 AS count";
    test.database.get().await.unwrap().batch_execute(counter).await.unwrap();
    test
}

fn count_up() -> String {
    format!("UPDATE read_models.counter SET count = count + 1 WHERE {IS_HELD}")
}

/// How many rows the leader's statement wrote.
async fn write(test: &TestDatabase, leadership: &Leadership) -> u64 {
    let client = test.database.get().await.unwrap();
    client.execute(&count_up(), &leadership.parameters()).await.unwrap()
}

#[tokio::test]
async fn one_leads_until_it_dies_and_then_another_does() {
    let test = with_counter().await;
    let one = Running::start(&test, "one");
    one.writes(&test).await;
    let other = Running::start(&test, "other");
    let standby = LeaderState::Standby { holder: "one".to_owned() };
    until(async || other.candidate.state() == standby).await;
    let first = one.writes(&test).await;
    one.kill().await;
    let second = other.writes(&test).await;
    assert!(second.term() > first.term());
    assert!(!first.is_held(), "it knows by itself");
    assert_eq!(write(&test, &first).await, 0, "its term is over");
    other.stop().await;
}

#[tokio::test]
async fn who_stops_gives_the_role_away_at_once_and_writes_no_more() {
    let test = with_counter().await;
    let one = Running::start(&test, "one");
    let first = one.writes(&test).await;
    one.stop().await;
    assert_eq!(write(&test, &first).await, 0);
    let free = "SELECT until <= clock_timestamp() FROM leaders WHERE role = $1";
    let client = test.database.get().await.unwrap();
    assert!(client.query_one(free, &[&ROLE]).await.unwrap().get::<_, bool>(0));
    let other = Running::start(&test, "other");
    assert!(other.writes(&test).await.term() > first.term());
    other.stop().await;
}

#[tokio::test]
async fn who_cannot_renew_stops_working_and_leads_again_later() {
    let test = with_counter().await;
    let one = Running::start(&test, "one");
    let first = one.writes(&test).await;
    let blocker = test.superuser().await;
    blocker.batch_execute("BEGIN; SELECT FROM leaders FOR UPDATE").await.unwrap();
    until(async || !first.is_held()).await;
    blocker.batch_execute("ROLLBACK").await.unwrap();
    until(async || one.last.borrow().as_ref().unwrap().term() > first.term()).await;
    assert_eq!(write(&test, &first).await, 0);
    one.writes(&test).await;
    one.stop().await;
}

#[tokio::test]
async fn nobody_takes_over_while_a_statement_of_the_leader_is_under_way() {
    let test = with_counter().await;
    let one = Running::start(&test, "one");
    let first = one.writes(&test).await;
    let mut client = test.database.get().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let written = transaction.execute(&count_up(), &first.parameters()).await.unwrap();
    one.kill().await;
    let other = Running::start(&test, "other");
    if written == 1 {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO leaders%'";
        let superuser = test.superuser().await;
        until(async || superuser.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0).await;
        assert!(other.last.borrow().is_none());
    }
    transaction.commit().await.unwrap();
    assert!(other.writes(&test).await.term() > first.term());
    other.stop().await;
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_leads() {
    let test = with_counter().await;
    let names = ["a", "b", "c", "d", "e"];
    let running: Vec<Running> = names.iter().map(|name| Running::start(&test, name)).collect();
    let is_settled = async || {
        let states = || running.iter().map(|one| one.candidate.state());
        let leaders = states().filter(|it| matches!(it, LeaderState::Leading { .. })).count();
        let others = states().filter(|it| matches!(it, LeaderState::Standby { .. })).count();
        (leaders, others) == (1, names.len() - 1)
    };
    until(is_settled).await;
    for one in running {
        one.stop().await;
    }
}
