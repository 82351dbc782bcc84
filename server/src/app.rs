//! The composition root: starts the service, for the binary and for tests alike.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use api::ops::health::{Health, Probe};
use commands::{
    Commands,
    executors::{self, ExecutorOptions, JobSource, SweepOptions},
};
use infra::{
    clock::Clock,
    kafka::Relay,
    postgres::{
        Database, EventStore,
        accounts::Accounts,
        jobs::{JobQueue, KINDS},
        leaders::Candidate,
        market_data::{CandleStore, Markets},
        reaper,
        relays::Relays,
        request_keys::RequestKeys,
    },
    process,
};
use poem::{
    EndpointExt,
    listener::{Acceptor, TcpAcceptor},
    web::{LocalAddr, RemoteAddr},
};
use projections::equity::EquityCurves;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::{
    backend::{Access, Backend},
    config::Config,
    roles::{Role, Roles},
};

/// How long requests may take to finish after a stop.
const DRAIN_BOUND: Duration = Duration::from_secs(3);
/// How long all tasks together may take to end; the rest of ten seconds is for the embedded cluster.
const END_BOUND: Duration = Duration::from_secs(4);

/// The least time that reads wait for a read model, even if commands do not wait.
const READ_WAIT_MIN: Duration = Duration::from_secs(2);

/// A running service.
pub struct App {
    address: SocketAddr,
    context: api::Context,
    backend: Backend,
    stop: watch::Sender<bool>,
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    /// Ends with the app.
    _upkeep: JoinSet<()>,
}

/// Starts the roles over the configured database.
///
/// # Errors
/// What is missing or in the way, with the remedy.
pub async fn start(config: &Config, roles: &Roles, clock: Clock) -> anyhow::Result<App> {
    // Bound first: a taken port must not cost the start of a database.
    let listener = bind(&config.http.listen).await?;
    let address = listener.local_addr()?;
    let backend = Backend::open(config, Access::Serve).await?;
    let database = &backend.database;
    let store = EventStore::start(database.clone());
    let candles = CandleStore::new(database.clone());
    let markets = Markets::new(database.clone());
    let commands = Commands::new(store.clone(), candles.clone(), markets.clone(), clock.clone());
    let write_wait = Duration::from_millis(config.api.write_wait_ms);
    let reads = config
        .projector
        .read_models(database.clone())?
        .with_read_wait(write_wait.max(READ_WAIT_MIN));
    reads.prepare().await?;
    let context = api::Context {
        commands: commands.clone(),
        reads: reads.clone(),
        equity: EquityCurves::new(store.clone(), candles.clone()),
        store: store.clone(),
        accounts: Accounts::new(database.clone(), clock.clone()),
        request_keys: RequestKeys::new(database.clone()),
        candles,
        markets,
        jobs: JobQueue::new(database.clone(), &KINDS),
        clock: clock.clone(),
        cors: config.http.cors()?,
        options: api_options(config),
    };
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut upkeep = JoinSet::new();
    upkeep.spawn(api::ops::metrics::record()?);
    let mut probes = Vec::new();
    if roles.has(Role::Projector) {
        let projector = projections::runner::start(reads.clone(), store.clone(), stopped.clone());
        tasks.spawn(async move { ("projector", projector.await.map_err(Into::into)) });
        probes.push(Probe::Projector);
    }
    if roles.has(Role::Relay)
        && let Some(options) = config.kafka.options()
    {
        let relay = Relay::new(store.clone(), options, config.database.migrate_at_start);
        probes.push(start_relay(relay, database, stopped.clone(), &mut tasks));
    }
    if roles.has(Role::Executor) {
        let executor =
            executors::start(commands, executor_options(config, &clock), stopped.clone());
        probes.push(Probe::Executor(executor.pulses));
        tasks.spawn(async move { ("executor", executor.task.await.map_err(Into::into)) });
    }
    if roles.has(Role::Reaper) {
        let candidate = Candidate::new(database, reaper::ROLE, process::name().to_owned());
        probes.push(Probe::Reaper(Box::new(candidate.clone())));
        let reaper = reaper::run(candidate, database.clone(), stopped.clone());
        tasks.spawn(async move {
            reaper.await;
            ("reaper", Ok(()))
        });
    }
    let mut health = Health { database: database.clone(), store, reads, probes };
    if roles.has(Role::Api) {
        health.probes.push(Probe::Api);
        let endpoint = api::endpoint(context.clone(), health)?;
        tasks.spawn(serve_http(listener, endpoint, stopped));
    } else {
        tasks.spawn(serve_http(listener, api::ops::routes::endpoint(health), stopped));
    }
    Ok(App { address, context, backend, stop, tasks, _upkeep: upkeep })
}

fn api_options(config: &Config) -> api::Options {
    api::Options {
        write_wait: Duration::from_millis(config.api.write_wait_ms),
        body_bytes_max: config.api.body_bytes_max,
        sweep_combinations_max: config.sweep.combinations_max,
    }
}

fn start_relay(
    relay: Relay,
    database: &Database,
    stopped: watch::Receiver<bool>,
    tasks: &mut JoinSet<(&'static str, anyhow::Result<()>)>,
) -> Probe {
    let candidate = Candidate::new(database, Relays::ROLE, process::name().to_owned());
    let probe = Probe::Relay(Box::new((candidate.clone(), relay.clone())));
    tasks.spawn(async move {
        relay.run(candidate, stopped).await;
        ("relay", Ok(()))
    });
    probe
}

impl App {
    /// Returns the address that it serves HTTP on: everything with the role `api`, only its health without.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the handles that its requests use.
    #[must_use]
    pub fn context(&self) -> &api::Context {
        &self.context
    }

    /// Describes the database, without secrets.
    #[must_use]
    pub fn database_description(&self) -> String {
        self.backend.description()
    }

    /// Waits until a role ends before it was asked to.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow::anyhow!("the {name} ended"),
            Some(Ok((name, Err(error)))) => error.context(format!("the {name} failed")),
            Some(Err(error)) => error.into(),
            None => std::future::pending().await,
        }
    }

    /// Stops accepting requests, finishes or releases work in progress, and stops an embedded cluster, all within ten seconds.
    ///
    /// # Errors
    /// What did not end cleanly.
    pub async fn shutdown(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        let mut problems = Vec::new();
        let ended = tokio::time::timeout(END_BOUND, async {
            while let Some(task) = self.tasks.join_next().await {
                match task {
                    Ok((_, Ok(()))) => {}
                    Ok((name, Err(error))) => {
                        problems.push(format!("the {name} failed: {error:#}"))
                    }
                    Err(error) => problems.push(error.to_string()),
                }
            }
        });
        if ended.await.is_err() {
            // Leases and checkpoints make this safe: another process takes over the work.
            tracing::warn!("some work did not end within {END_BOUND:?} and is abandoned");
            self.tasks.shutdown().await;
        }
        drop(self.context);
        self.backend.close().await?;
        if problems.is_empty() { Ok(()) } else { anyhow::bail!(problems.join("; ")) }
    }
}

async fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!(
            "cannot listen on {listen}; another address is set by BACKTRAIL_HTTP__LISTEN \
             (port 0 picks a free one)"
        )
    })
}

fn executor_options(config: &Config, clock: &Clock) -> ExecutorOptions {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    ExecutorOptions {
        name: format!("executor-{}", clock.new_ulid()),
        concurrency: match config.executor.concurrency {
            0 => cores(),
            concurrency => concurrency,
        },
        lease: Duration::from_millis(config.executor.lease_ms),
        running_per_user_max: config.executor.running_per_user_max,
        sweeps: SweepOptions {
            concurrency: config.sweep.concurrency,
            threads: match config.sweep.threads {
                0 => cores(),
                threads => threads,
            },
        },
        source: config.kafka.options().map_or(JobSource::Log, |options| JobSource::Kafka {
            options,
            creates_topics: config.database.migrate_at_start,
        }),
    }
}

async fn serve_http(
    listener: TcpListener,
    endpoint: impl EndpointExt + 'static,
    mut stopped: watch::Receiver<bool>,
) -> (&'static str, anyhow::Result<()>) {
    let served = async {
        let acceptor = NoDelay(TcpAcceptor::from_tokio(listener)?);
        let signal = async move { crate::signals::stopped(&mut stopped).await };
        poem::Server::new_with_acceptor(acceptor)
            .run_with_graceful_shutdown(endpoint, signal, Some(DRAIN_BOUND))
            .await
    };
    ("HTTP server", served.await.map_err(Into::into))
}

/// TCP without Nagle's delay, which would hold up small responses on kept-alive connections.
struct NoDelay(TcpAcceptor);

impl Acceptor for NoDelay {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr()
    }

    async fn accept(
        &mut self,
    ) -> std::io::Result<(TcpStream, LocalAddr, RemoteAddr, poem::http::uri::Scheme)> {
        let accepted = self.0.accept().await?;
        accepted.0.set_nodelay(true)?;
        Ok(accepted)
    }
}
