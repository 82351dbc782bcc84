//! The users: they ask for runs long and short, cancel and delete some, hang up before they hear the answer, and send a
//! command again under its key until they know what became of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Reply, TestUser, restless};
use tokio::{task::JoinSet, time};

use crate::world::World;

const USERS: usize = 3;
const CLIENTS: usize = 8;
/// More are not asked for while so many are not over: the load follows the machine.
const UNFINISHED_MAX: i64 = 60;
const THINKING_MS_MAX: u64 = 800;
/// Between tries.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// A try that takes longer is given up, and the command sent again.
const PATIENCE: Duration = Duration::from_secs(10);
/// A command whose outcome is unknown for so long is lost.
const KNOWN_BOUND: Duration = Duration::from_secs(120);
const BACKTESTS: &str = "/api/v1/backtests";
const STRATEGIES: &str = "/api/v1/strategies";

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    CreateStrategy,
    Request,
    Cancel,
    Delete,
}

/// A command that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) what: What,
    /// Of the strategy or the backtest.
    pub(crate) id: String,
    /// None where only a repeat was answered, with what it no longer found.
    pub(crate) position: Option<i64>,
    /// Until the answer was known.
    pub(crate) took: Duration,
}

/// What the clients saw, together.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) tries: AtomicI64,
    /// Hung up before the answer.
    pub(crate) hung_up: AtomicI64,
    /// Connections that broke, or were silent for too long.
    pub(crate) broken: AtomicI64,
    /// Told to try again.
    pub(crate) unavailable: AtomicI64,
    /// Answered as repeats of what had been done.
    pub(crate) replayed: AtomicI64,
    /// Refused for good reason: a cancellation that came too late.
    pub(crate) refused: AtomicI64,
}

/// Clients at work until then; returns what was accepted.
pub(crate) async fn work(
    world: &Arc<World>,
    seed: u64,
    until: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> (Vec<Accepted>, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let (first, _) = world.apis()[0].remote().expect("it has just been started");
    let mut users = Vec::new();
    for _ in 0..USERS {
        users.push(first.user().await);
    }
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client {
            world: Arc::clone(world),
            seen: Arc::clone(&seen),
            user: users[number % USERS].clone(),
            number,
            rng: StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(number as u64)),
            strategies: Vec::new(),
            keys_count: 0,
            accepted: Vec::new(),
        };
        clients.spawn(client.run(until.clone()));
    }
    let mut accepted = Vec::new();
    while let Some(client) = clients.join_next().await {
        accepted.extend(client.expect("a client goes home"));
    }
    (accepted, seen)
}

struct Client {
    world: Arc<World>,
    seen: Arc<Seen>,
    user: TestUser,
    number: usize,
    rng: StdRng,
    /// Its own, by id.
    strategies: Vec<String>,
    keys_count: usize,
    accepted: Vec<Accepted>,
}

/// The answer to a command at last.
struct Answer {
    reply: Reply,
    tries: u32,
    took: Duration,
}

impl Client {
    async fn run(mut self, is_over: impl Fn() -> bool) -> Vec<Accepted> {
        self.create_strategy().await;
        while !is_over() {
            let pause = Duration::from_millis(self.rng.random_range(0..THINKING_MS_MAX));
            time::sleep(pause).await;
            if self.world.unfinished.load(Ordering::Relaxed) >= UNFINISHED_MAX {
                continue;
            }
            if self.rng.random_bool(0.08) {
                self.create_strategy().await;
            }
            let Some(id) = self.request().await else { continue };
            let fate: f64 = self.rng.random();
            if fate < 0.3 {
                let pause = Duration::from_millis(self.rng.random_range(0..1_500));
                time::sleep(pause).await;
                if fate < 0.18 { self.cancel(&id).await } else { self.delete(&id).await }
            }
        }
        self.accepted
    }

    async fn create_strategy(&mut self) {
        let mut body = restless();
        let name = format!("Restless {} of {}", self.strategies.len(), self.number);
        body["name"] = json!(name);
        let Some(answer) = self.create(STRATEGIES, body).await else { return };
        if let Some(id) = self.accept(What::CreateStrategy, StatusCode::CREATED, None, &answer) {
            self.strategies.push(id);
        }
    }

    /// Answers the id, where it was accepted.
    async fn request(&mut self) -> Option<String> {
        let body = self.backtest();
        let answer = self.create(BACKTESTS, body).await?;
        let is_pending = answer.reply.header("x-backtrail-pending") == "true";
        let id = self.accept(What::Request, StatusCode::ACCEPTED, None, &answer)?;
        if !is_pending {
            self.read_back(&id).await;
        }
        Some(id)
    }

    /// Mostly years of days, now and then days of minutes, which trade on nearly every one.
    fn backtest(&mut self) -> Value {
        let own = self.strategies.choose(&mut self.rng).cloned();
        let builtins = ["golden-cross", "macd-cross", "rsi-mean-reversion", "supertrend"];
        let builtin = (*builtins.choose(&mut self.rng).expect("a strategy")).to_owned();
        let kind: f64 = self.rng.random();
        if kind < 0.4 {
            let first = self.rng.random_range(1..20);
            let (strategy, last) = match own {
                Some(own) if kind < 0.15 => (own, first + self.rng.random_range(0..4)),
                _ => (builtin, 31),
            };
            return json!({"strategy_id": strategy, "symbol": "BTCUSDT", "timeframe": "1m",
                "start_time": format!("2024-03-{first:02}"), "end_time": format!("2024-03-{last:02}")});
        }
        let strategy = match own {
            Some(own) if kind < 0.55 => own,
            _ => builtin,
        };
        let first = self.rng.random_range(2018..2024);
        let last = self.rng.random_range(first..2025);
        json!({"strategy_id": strategy, "symbol": "BTCUSDT", "initial_balance": "10000",
            "start_time": format!("{first}-01-01"), "end_time": format!("{last}-12-31")})
    }

    async fn cancel(&mut self, id: &str) {
        let path = format!("{BACKTESTS}/{id}/cancel");
        let Some(answer) = self.command(Method::POST, &path, None, None).await else { return };
        if answer.reply.status == StatusCode::UNPROCESSABLE_ENTITY {
            self.seen.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.accept(What::Cancel, StatusCode::OK, Some(id), &answer);
    }

    async fn delete(&mut self, id: &str) {
        let path = format!("{BACKTESTS}/{id}");
        let Some(answer) = self.command(Method::DELETE, &path, None, None).await else { return };
        // A repeat finds nothing: the try before it was heard.
        let status = match answer.reply.status {
            StatusCode::NOT_FOUND if answer.tries > 1 => StatusCode::NOT_FOUND,
            _ => StatusCode::NO_CONTENT,
        };
        self.accept(What::Delete, status, Some(id), &answer);
    }

    /// Whoever was told that it is there finds it, at any process.
    async fn read_back(&mut self, id: &str) {
        let path = format!("{BACKTESTS}/{id}");
        let Some(answer) = self.command(Method::GET, &path, None, None).await else { return };
        if answer.reply.status != StatusCode::OK {
            let Reply { status, text, .. } = &answer.reply;
            self.world.journal.wrong(&format!("GET {path} after its POST: {status} {text}"));
        }
    }

    async fn create(&mut self, path: &str, body: Value) -> Option<Answer> {
        self.keys_count += 1;
        let key = format!("{}-{}", self.number, self.keys_count);
        self.command(Method::POST, path, Some(body), Some(&key)).await
    }

    /// Notes a command that was accepted; returns what it is about.
    fn accept(
        &mut self,
        what: What,
        status: StatusCode,
        id: Option<&str>,
        answer: &Answer,
    ) -> Option<String> {
        let Answer { reply, took, .. } = answer;
        if reply.status != status {
            let text = format!("{what:?}: {} {}", reply.status, reply.text);
            self.world.journal.wrong(&text);
            return None;
        }
        if reply.header("idempotency-replayed") == "true" {
            self.seen.replayed.fetch_add(1, Ordering::Relaxed);
        }
        let id = id.or(reply.body["data"]["id"].as_str()).unwrap_or_default().to_owned();
        let position = reply.header("x-backtrail-position").parse().ok();
        if position.is_none() && status != StatusCode::NOT_FOUND {
            self.world.journal.wrong(&format!("{what:?} {id} was answered without a position"));
        }
        self.accepted.push(Accepted { what, id: id.clone(), position, took: *took });
        Some(id)
    }

    /// Sends a request to either process until there is an answer that is one.
    async fn command(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Option<Answer> {
        let started = Instant::now();
        let mut tries = 0;
        while started.elapsed() < KNOWN_BOUND {
            if let Some(reply) = self.once(&method, path, body.as_ref(), key, &mut tries).await {
                match reply.status {
                    StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT => {
                        self.seen.unavailable.fetch_add(1, Ordering::Relaxed);
                    }
                    status if status.is_server_error() => {
                        let text = format!("{method} {path}: {status} {}", reply.text);
                        self.world.journal.wrong(&text);
                    }
                    _ => return Some(Answer { reply, tries, took: started.elapsed() }),
                }
            }
            time::sleep(RETRY_PAUSE).await;
        }
        self.world.journal.wrong(&format!("{method} {path} has no answer after {KNOWN_BOUND:?}"));
        None
    }

    /// One try; none without an answer.
    async fn once(
        &mut self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
        tries: &mut u32,
    ) -> Option<Reply> {
        let remote = self.world.api(self.rng.random_range(0..2))?;
        *tries += 1;
        self.seen.tries.fetch_add(1, Ordering::Relaxed);
        let mut request = remote.request(&self.user, method.clone(), path).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let is_hasty = *tries < 3 && self.rng.random_bool(0.12);
        let bound = match is_hasty {
            true => Duration::from_millis(self.rng.random_range(1..40)),
            false => 2 * PATIENCE,
        };
        match time::timeout(bound, Reply::try_of(request)).await {
            Ok(Ok(reply)) => Some(reply),
            Ok(Err(_)) => {
                self.seen.broken.fetch_add(1, Ordering::Relaxed);
                None
            }
            // The connection closes with the request that is dropped.
            Err(_) => {
                self.seen.hung_up.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}
