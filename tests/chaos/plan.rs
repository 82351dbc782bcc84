//! Which fault comes when: each kind at each target once in any order, then any; all of it follows from the seed.

use std::{fmt, time::Duration};

use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};

/// What is hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// By its index.
    Ship(usize),
    Postgres,
    Kafka,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// kill -9, and a start after a while.
    Kill,
    /// SIGSTOP, and SIGCONT after a while.
    Pause,
    /// An orderly stop, and a start after a while.
    Restart,
    /// Of a process: all its connections to PostgreSQL are cut, answers unheard. Of PostgreSQL: it ends half of its connections.
    Cut,
    /// Nothing goes between the process and PostgreSQL for a while.
    Stall,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) number: usize,
    /// After the one before.
    pub(crate) after: Duration,
    pub(crate) target: Target,
    pub(crate) kind: Kind,
    /// How long the target is away or stands still.
    pub(crate) lasting: Duration,
}

/// The faults of one run, without an end.
pub(crate) struct Plan {
    rng: StdRng,
    all: Vec<(Target, Kind)>,
    /// Still to come once.
    first: Vec<(Target, Kind)>,
    after_max: Duration,
    number: usize,
}

/// Of the time, by when everything has happened once.
const FIRST_SHARE: f64 = 0.85;
const AFTER_MAX: Duration = Duration::from_millis(1_800);

impl Plan {
    /// For so many processes; `seconds` is how long it should last.
    pub(crate) fn new(seed: u64, ships: usize, has_kafka: bool, seconds: u64) -> Self {
        use Kind::{Cut, Kill, Pause, Restart, Stall};
        let mut all = Vec::new();
        for ship in 0..ships {
            all.extend([Kill, Pause, Restart, Cut, Stall].map(|kind| (Target::Ship(ship), kind)));
        }
        all.extend([Kill, Pause, Restart, Cut].map(|kind| (Target::Postgres, kind)));
        if has_kafka {
            all.extend([Kill, Pause, Restart].map(|kind| (Target::Kafka, kind)));
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let mut first = all.clone();
        first.shuffle(&mut rng);
        // The mean is half of it.
        let after_max = 2.0 * FIRST_SHARE * seconds as f64 / all.len() as f64;
        let after_max = AFTER_MAX.min(Duration::from_secs_f64(after_max));
        Self { rng, all, first, after_max, number: 0 }
    }

    /// Whether everything has been drawn once.
    pub(crate) fn has_all(&self) -> bool {
        self.first.is_empty()
    }

    pub(crate) fn next(&mut self) -> Fault {
        let any = || *self.all.choose_weighted(&mut self.rng, weight).expect("something to hurt");
        let (target, kind) = self.first.pop().unwrap_or_else(any);
        let lasting_max = match (target, kind) {
            (Target::Postgres, _) => 2_000,
            (_, Kind::Restart) => 1_000,
            // Longer than a lease now and then.
            _ => 4_000,
        };
        let lasting = Duration::from_millis(self.rng.random_range(100..lasting_max));
        let after = self.after_max.mul_f64(self.rng.random());
        self.number += 1;
        Fault { number: self.number, after, target, kind, lasting }
    }
}

/// Of a fault that is drawn after everything has happened once: PostgreSQL's are the most interesting, and while Kafka is
/// away there is little to disturb.
fn weight((target, _): &(Target, Kind)) -> f64 {
    match target {
        Target::Ship(_) => 1.0,
        Target::Postgres => 2.5,
        Target::Kafka => 0.75,
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill -9",
            Self::Pause => "stop and continue",
            Self::Restart => "restart",
            Self::Cut => "cut connections",
            Self::Stall => "stalled connections",
        })
    }
}
