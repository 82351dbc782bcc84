//! Chaos: kills, stops and cuts off every part of the service under load, and shows that nothing is lost or done twice.
//!
//! `scripts/test` runs it for two minutes, `scripts/chaos` for longer. docs/testing.md says what it does and prints.

#![expect(clippy::print_stderr, reason = "its report is printed")]

mod checks;
mod clients;
mod faults;
mod figures;
mod journal;
mod line;
mod options;
mod plan;
mod report;
mod ship;
mod world;

use std::{
    fs,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::{JoinSet, block_in_place};

use crate::{
    checks::{
        commands, drain,
        log::Log,
        read_models,
        runs::{self, Ends},
        topics,
    },
    clients::{Accepted, Seen},
    faults::Recoveries,
    figures::Figures,
    journal::Journal,
    options::Options,
    report::Report,
    world::World,
};

/// The binary as users run it.
const BACKTRAIL: &str = env!("CARGO_BIN_EXE_backtrail-under-test");

fn main() -> ExitCode {
    if !options::is_wanted("chaos") {
        return ExitCode::SUCCESS;
    }
    let options = Options::from_environment();
    let Options { seconds, seed } = options;
    let again = format!("scripts/chaos --seconds {seconds} --seed {seed}");
    eprintln!("\nchaos: {seconds} s of faults, seed {seed}; again: {again}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let wrongs = runtime.expect("a runtime").block_on(run(options));
    if wrongs.is_empty() {
        eprintln!("chaos: ok\n");
        return ExitCode::SUCCESS;
    }
    eprintln!("chaos: FAILED, {} wrong; again: {again}", wrongs.len());
    ExitCode::FAILURE
}

/// Answers all that is wrong.
async fn run(options: Options) -> Vec<String> {
    let world = Arc::new(World::start(Journal::new()).await);
    world.journal.say("everything runs");
    let figures = Figures::default();
    let (recoveries, accepted, seen) = disturb(&world, &figures, options).await;
    world.journal.say("the last fault is over, everything shall come to rest");
    drain::drain(&world).await;
    figures.read(&world).await;
    for ship in &world.ships {
        block_in_place(|| ship.terminate(&world.journal));
    }
    check(&world, &figures, &recoveries, &accepted, &seen).await;
    let wrongs = world.journal.wrongs();
    if !wrongs.is_empty() {
        keep_logs(&world, options.seed);
    }
    wrongs
}

/// Faults and load side by side; the clients go home when there are no more faults.
async fn disturb(
    world: &Arc<World>,
    figures: &Figures,
    options: Options,
) -> (Recoveries, Vec<Accepted>, Arc<Seen>) {
    let mut watchers = JoinSet::new();
    watchers.spawn(faults::look_after(Arc::clone(world)));
    watchers.spawn(figures.clone().follow(Arc::clone(world)));
    let looking = Arc::clone(world);
    watchers.spawn(async move {
        let mut looks = tokio::time::interval(Duration::from_millis(500));
        loop {
            looks.tick().await;
            looking.look_at_runs().await;
        }
    });
    let is_over = Arc::new(AtomicBool::new(false));
    let is_over_for_clients = {
        let is_over = Arc::clone(&is_over);
        move || is_over.load(Ordering::Relaxed)
    };
    let hurting = async {
        let recoveries = faults::inject(world, options.seed, options.seconds).await;
        is_over.store(true, Ordering::Relaxed);
        recoveries
    };
    let (recoveries, (accepted, seen)) =
        tokio::join!(hurting, clients::work(world, options.seed, is_over_for_clients));
    watchers.shutdown().await;
    (recoveries, accepted, seen)
}

/// Checks everything that must hold, and prints what was counted.
async fn check(
    world: &World,
    figures: &Figures,
    recoveries: &Recoveries,
    accepted: &[Accepted],
    seen: &Seen,
) {
    let journal = &world.journal;
    journal.say("at rest; reading the log");
    let log = Log::read(world).await;
    commands::check(journal, &log, accepted);
    let ends: Ends = runs::ends(world, &log);
    let topics = world.kafka.as_ref().map(|kafka| {
        journal.say("reading the topics");
        block_in_place(|| topics::check(world, kafka, &log))
    });
    journal.say("rebuilding the read models");
    let read_model_rows = read_models::check(world).await;
    journal.say(&format!("running {} runs again, undisturbed", ends.completed.len()));
    let ledger_entries = runs::compare_with_undisturbed(world, &ends.completed).await;
    journal.say("everything is compared");
    Report {
        world,
        recoveries,
        accepted,
        seen,
        figures,
        log: &log,
        ends: &ends,
        topics,
        ledger_entries,
        read_model_rows,
    }
    .print();
}

/// Keeps what the processes wrote, for whoever looks for the cause.
fn keep_logs(world: &World, seed: u64) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}"));
    fs::create_dir_all(&folder).expect("a folder");
    let logs = world.ships.iter().map(|ship| (ship.name, ship.log()));
    for (name, log) in logs.chain([("postgres", world.cluster.folder().join("log"))]) {
        if log.exists() {
            fs::copy(&log, folder.join(format!("{name}.log"))).expect("a log is kept");
        }
    }
    eprintln!("the logs of all processes are in {}", folder.display());
}
