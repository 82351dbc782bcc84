//! Sweeps: a hundred pairs over a million minutes beside the bare loop, ten thousand combinations over a year of hours.

#[path = "../../../domain/benches/pairs.rs"]
mod pairs;

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    hint::black_box,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use domain::{market::Timeframe, simulation::Candles};

use crate::{
    Figure, median,
    simulation::{bare_loop, minutes},
};

pub(crate) const NAMES: [&str; 4] = [
    "sweep_100_pairs_1_thread",
    "sweep_100_pairs_scaling",
    "sweep_10000_hourly_seconds",
    "sweep_10000_peak_mb",
];
const MINUTES: usize = 1_000_000;
const HOURS: usize = 8_760;
const ROUNDS: usize = 5;

/// Medians of alternating rounds; the peak is that of the whole program `backtrail sweep`.
pub(crate) fn measure() -> Result<Vec<Figure>, Box<dyn Error>> {
    let candles = minutes::minutes(MINUTES)?;
    let definition = pairs::crosses()?;
    let hundred = pairs::pairs((5..=50).step_by(5), (60..=240).step_by(20))?;
    let cores = std::thread::available_parallelism()?.get();
    let (mut bares, mut ones, mut manys) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let sweep = |threads| {
            let runs = (hundred.len() * candles.len()) as f64;
            let minute = Timeframe::OneMinute;
            rate(runs, || pairs::sweep(&definition, &hundred, &candles, minute, threads))
        };
        let run = || bare_loop::run(&candles.open, &candles.close);
        bares.push(rate(candles.len() as f64, run));
        ones.push(sweep(1));
        manys.push(sweep(cores));
    }
    let (one, many) = (median(ones), median(manys));
    let hours = hourly(&candles);
    let ten_thousand = pairs::pairs(2..=101, 102..=201)?;
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let rows = pairs::sweep(&definition, &ten_thousand, &hours, Timeframe::OneHour, cores)?;
        seconds.push(start.elapsed().as_secs_f64());
        black_box(rows);
    }
    let unit = "candles/s";
    Ok(vec![
        Figure::beside(NAMES[0], one, unit, median(bares), "ratio >= 1.6"),
        Figure::beside(NAMES[1], many, unit, one, scaling_aim(cores)),
        Figure::alone(NAMES[2], median(seconds), "s", "value < 10"),
        Figure::alone(NAMES[3], peak_mb(&hours)?, "MB", "value < 300"),
    ])
}

const fn scaling_aim(cores: usize) -> &'static str {
    if cores == 2 { "ratio >= 1.8" } else { "–" }
}

fn rate<T>(runs: f64, work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    runs / start.elapsed().as_secs_f64()
}

/// The first minutes, taken for hours.
fn hourly(minutes: &Candles) -> Candles {
    let mut hours = minutes.rows(0..HOURS);
    let start = hours.open_time.first().copied().unwrap_or_default();
    let times = (0..).map(|hour: i64| start + hour * Timeframe::OneHour.duration_ms());
    hours.open_time = times.take(HOURS).collect();
    hours
}

/// The most memory that `backtrail sweep` ever holds on those ten thousand combinations.
fn peak_mb(hours: &Candles) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (candles, strategy) = (folder.path().join("BTCUSDT_1h.csv"), folder.path().join("s.json"));
    let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
    for index in 0..hours.len() {
        let candle = hours.get(index).ok_or("a candle")?;
        let (open, high, low, close) = (candle.open, candle.high, candle.low, candle.close);
        writeln!(text, "{},{open},{high},{low},{close},{}", candle.open_time, candle.volume)?;
    }
    fs::write(&candles, text)?;
    fs::write(&strategy, serde_json::to_string(&pairs::crosses()?)?)?;
    let child = Command::new(env!("CARGO_BIN_EXE_backtrail-under-test"))
        .args(["sweep", "--grid", "short=2:101", "--grid", "long=102:201", "--candles"])
        .arg(&candles)
        .arg("--strategy")
        .arg(&strategy)
        .stdout(Stdio::null())
        .spawn()?;
    watch(child)
}

/// Looks at the process until it ends.
fn watch(mut child: Child) -> Result<f64, Box<dyn Error>> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kb = 0.0_f64;
    loop {
        if let Some(ended) = child.try_wait()? {
            let is_well = ended.success() && peak_kb > 0.0;
            return if is_well { Ok(peak_kb / 1_000.0) } else { Err("the sweep failed".into()) };
        }
        peak_kb = peak_kb.max(high_water_kb(Path::new(&status)).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn high_water_kb(status: &Path) -> Option<f64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
