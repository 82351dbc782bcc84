//! Injects the faults of the plan, each in a separate task, and measures how soon its target works again.
//!
//! The clock starts when the fault ends: when the process is started again or continued, or its connections are cut or free.
//! A process works again when its `/readyz` says so, PostgreSQL when an API process is ready, Kafka when the relay has
//! published all that was in the log when the broker was started again or continued.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{sync::Mutex, task::spawn_blocking, time};

use crate::{
    journal::Journal,
    plan::{Fault, Kind, Plan, Target},
    ship::until,
    world::World,
};

/// How long each target took to work again, by how it was hurt.
pub(crate) type Recoveries = BTreeMap<(Target, Kind), Vec<Duration>>;

/// What does not work by then does not come back by itself.
const RECOVERY_BOUND: Duration = Duration::from_secs(90);

/// One fault at a time for each target: until it works again, nothing else happens to it.
struct Injector {
    world: Arc<World>,
    busy: BTreeMap<Target, Mutex<()>>,
    recoveries: RefCell<Recoveries>,
}

/// Hurts everything for so long, and until each thing was hurt in each way at least once.
pub(crate) async fn inject(world: &Arc<World>, seed: u64, seconds: u64) -> Recoveries {
    let ships = world.ships.len();
    let mut plan = Plan::new(seed, ships, world.kafka.is_some(), seconds);
    let targets = (0..ships).map(Target::Ship).chain([Target::Postgres, Target::Kafka]);
    let injector = Injector {
        world: Arc::clone(world),
        busy: targets.map(|target| (target, Mutex::default())).collect(),
        recoveries: RefCell::default(),
    };
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut faults = FuturesUnordered::new();
    while Instant::now() < until || !plan.has_all() {
        let fault = plan.next();
        let next = Instant::now() + fault.after;
        while !faults.is_empty() && time::timeout_at(next.into(), faults.next()).await.is_ok() {}
        time::sleep_until(next.into()).await;
        faults.push(injector.run(fault, seed.wrapping_add(fault.number as u64)));
    }
    while faults.next().await.is_some() {}
    drop(faults);
    injector.recoveries.into_inner()
}

impl Injector {
    async fn run(&self, fault: Fault, chance: u64) {
        let Fault { number, target, kind, lasting, .. } = fault;
        let _alone = self.busy[&target].lock().await;
        let name = match target {
            Target::Ship(index) => self.world.ships[index].name,
            Target::Postgres => "PostgreSQL",
            Target::Kafka => "Kafka",
        };
        let journal = &self.world.journal;
        journal.say(&format!("fault {number}: {name}: {kind}, {} ms", lasting.as_millis()));
        let ended = match target {
            Target::Ship(index) => self.hurt_ship(index, kind, lasting).await,
            Target::Postgres => self.hurt_postgres(kind, lasting, chance).await,
            Target::Kafka => self.hurt_kafka(kind, lasting).await,
        };
        let works = self.until_it_works(target).await;
        let recovery = ended.elapsed();
        match works {
            Some(_) => {
                journal.say(&format!("fault {number}: {name} works after {recovery:.3?}"));
                let mut recoveries = self.recoveries.borrow_mut();
                recoveries.entry((target, kind)).or_default().push(recovery);
            }
            None => journal.wrong(&format!("{name} does not work {recovery:?} after {kind}")),
        }
    }

    /// Answers when the fault ended.
    async fn hurt_ship(&self, index: usize, kind: Kind, lasting: Duration) -> Instant {
        let ship = || &self.world.ships[index];
        match kind {
            Kind::Kill => {
                ship().kill();
                time::sleep(lasting).await;
                self.blocking(move |world| world.ships[index].start()).await
            }
            Kind::Restart => {
                self.blocking(move |world| world.ships[index].terminate(&world.journal)).await;
                time::sleep(lasting).await;
                self.blocking(move |world| world.ships[index].start()).await
            }
            Kind::Pause => {
                ship().pause();
                time::sleep(lasting).await;
                ship().resume();
                Instant::now()
            }
            Kind::Cut => {
                ship().line.cut().await;
                Instant::now()
            }
            Kind::Stall => {
                ship().line.stall(lasting).await;
                Instant::now()
            }
        }
    }

    async fn hurt_postgres(&self, kind: Kind, lasting: Duration, chance: u64) -> Instant {
        match kind {
            Kind::Kill => {
                self.world.cluster.kill();
                time::sleep(lasting).await;
                self.blocking(|world| world.cluster.start_after_kill()).await
            }
            Kind::Restart => {
                self.blocking(|world| world.cluster.stop()).await;
                time::sleep(lasting).await;
                self.blocking(|world| world.cluster.start_again()).await
            }
            Kind::Pause => {
                self.world.cluster.pause();
                time::sleep(lasting).await;
                self.world.cluster.resume();
                Instant::now()
            }
            Kind::Cut | Kind::Stall => {
                let client = self.world.database.superuser().await;
                let others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                              AND application_name = 'backtrail' AND pid <> pg_backend_pid() ORDER BY pid";
                let mut rng = StdRng::seed_from_u64(chance);
                for row in client.query(others, &[]).await.expect("the connections") {
                    if rng.random_bool(0.5) {
                        let process: i32 = row.get(0);
                        let end = format!("SELECT pg_terminate_backend({process})");
                        client.batch_execute(&end).await.expect("a connection ends");
                    }
                }
                Instant::now()
            }
        }
    }

    async fn hurt_kafka(&self, kind: Kind, lasting: Duration) -> Instant {
        let broker = || &self.world.kafka.as_ref().expect("a broker").broker;
        let start = |world: &World| world.kafka.as_ref().expect("a broker").broker.start();
        match kind {
            Kind::Kill => {
                broker().kill();
                time::sleep(lasting).await;
                self.blocking(start).await
            }
            Kind::Restart => {
                self.blocking(|world| world.kafka.as_ref().expect("a broker").broker.stop()).await;
                time::sleep(lasting).await;
                self.blocking(start).await
            }
            Kind::Pause | Kind::Cut | Kind::Stall => {
                broker().pause();
                time::sleep(lasting).await;
                broker().resume();
                Instant::now()
            }
        }
    }

    /// Answers when it began.
    async fn blocking(&self, work: impl FnOnce(&World) + Send + 'static) -> Instant {
        let (begun, world) = (Instant::now(), Arc::clone(&self.world));
        spawn_blocking(move || work(&world)).await.expect("it is done");
        begun
    }

    /// The end of the log, as soon as it can be known.
    async fn head(&self) -> i64 {
        loop {
            if let Ok(head) = self.world.store.head().await {
                return head;
            }
            time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_it_works(&self, target: Target) -> Option<Duration> {
        let world = &self.world;
        match target {
            Target::Ship(index) => {
                until(RECOVERY_BOUND, async || world.ships[index].is_ready().await).await
            }
            Target::Postgres => {
                let is_ready = async || {
                    let [one, other] = [0, 1].map(|index| world.apis()[index].is_ready());
                    let (one, other) = tokio::join!(one, other);
                    one || other
                };
                until(RECOVERY_BOUND, is_ready).await
            }
            Target::Kafka => {
                let head = self.head().await;
                let is_published =
                    async || world.relayed().await.is_some_and(|relayed| relayed >= head);
                until(RECOVERY_BOUND, is_published).await
            }
        }
    }
}

/// Starts again what ended by itself, and says so, until it is dropped.
pub(crate) async fn look_after(world: Arc<World>) {
    let mut looks = time::interval(Duration::from_millis(500));
    loop {
        looks.tick().await;
        let world = Arc::clone(&world);
        let looked = spawn_blocking(move || {
            let journal: &Journal = &world.journal;
            for ship in &world.ships {
                ship.look_after(journal);
            }
        });
        looked.await.expect("the processes are looked after");
    }
}
