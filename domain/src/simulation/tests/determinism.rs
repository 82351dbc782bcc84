//! The same bytes again: every golden run's result hash is pinned, in one thread and in many, in debug and in release
//! (`scripts/test` runs this in both).

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, thread};

use super::*;
use crate::{
    ids::BacktestId,
    ledger::entries::LedgerWriter,
    run_spec::RunSpec,
    simulation::hash::{dataset_sha256, result_hash},
    strategy::builtins,
};

/// A run by name: a strategy body over a market's days, by its settings.
struct Golden {
    name: String,
    market: &'static str,
    body: Value,
    metadata: Value,
}

/// Every built-in over Bitcoin's days, and every run of `testdata/backtesting_py`.
fn goldens() -> Vec<Golden> {
    let of_builtin = |builtin: &&builtins::Builtin| Golden {
        name: format!("BTCUSDT_1d.{}", builtin.name),
        market: "BTCUSDT_1d",
        body: json!({"code_ref": builtin.name}),
        metadata: json!({"lot": "0.00000001"}),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/backtesting_py");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = files.map(|name| name.into_string().unwrap());
    let runs = names.filter_map(|name| Some(name.strip_suffix(".metrics.json")?.to_owned()));
    let of_reference = |name: String| {
        let file = testdata(&format!("backtesting_py/{name}.metrics.json"));
        let reference: Value = serde_json::from_reader(file).unwrap();
        let market = if name.starts_with("GOOG_1d") { "GOOG_1d" } else { "BTCUSDT_1d" };
        let (body, metadata) = (golden::body(&reference), golden::metadata(&reference));
        Golden { name, market, body, metadata }
    };
    builtins::ALL.iter().map(of_builtin).chain(runs.map(of_reference)).collect()
}

/// Writes the ledger during the run.
struct Recorder<'a>(LedgerWriter<'a>);

impl Observer for Recorder<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        drop(self.0.step(step).unwrap());
        ControlFlow::Continue(())
    }
}

impl Golden {
    /// The hash of its result, as the service computes it.
    fn result_hash(&self, candles: &Candles) -> String {
        let definition = StrategyDefinition::parse(self.body.as_object().unwrap()).unwrap();
        let parameters = definition.merge_parameters(&BTreeMap::new()).unwrap();
        let strategy = definition.bind(&parameters).unwrap();
        let metadata = settings(self.metadata.clone());
        let input = Input { lot: metadata.lot.unwrap(), ..input(&strategy, candles, &metadata) };
        let (timeframe, initial_balance) = (input.timeframe, input.initial_balance);
        let symbol: crate::market::Symbol = self.market.trim_end_matches("_1d").parse().unwrap();
        let (writer, _) = LedgerWriter::open(
            BacktestId::default(),
            symbol.clone(),
            timeframe,
            initial_balance,
            candles,
        )
        .unwrap();
        let mut recorder = Recorder(writer);
        let outcome = run(&input, &mut recorder).unwrap();
        let ending = recorder.0.finish(&candles.open_time, &outcome).unwrap();
        let time = |index: usize| {
            chrono::DateTime::from_timestamp_millis(candles.open_time[index]).unwrap()
        };
        let run = RunSpec {
            symbol,
            timeframe,
            start_time: time(0),
            end_time: time(candles.len() - 1),
            initial_balance,
            parameters,
            settings: metadata.clone(),
            ..RunSpec::example(definition)
        };
        let (dataset, metrics) = (dataset_sha256(candles), &outcome.metrics);
        let (ledger, points) = (ending.ledger_hash, &ending.points);
        result_hash(dataset, &run, &strategy, ledger, metrics, points).unwrap().to_string()
    }
}

/// A line for each run, in order of names.
fn hashes(goldens: &[Golden], candles: &BTreeMap<&str, Candles>) -> String {
    let by_name: BTreeMap<&str, String> = goldens
        .iter()
        .map(|golden| (golden.name.as_str(), golden.result_hash(&candles[golden.market])))
        .collect();
    by_name.iter().fold(String::new(), |mut lines, (name, hash)| {
        writeln!(lines, "{name} {hash}").unwrap();
        lines
    })
}

#[test]
fn every_golden_run_has_its_bytes_in_one_thread_and_in_many() {
    let goldens = goldens();
    let candles = ["BTCUSDT_1d", "GOOG_1d"].map(|market| (market, candles_of(market)));
    let candles = BTreeMap::from(candles);
    let alone = hashes(&goldens, &candles);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/result_hashes.txt");
    if std::env::var_os("UPDATE_HASHES").is_some() {
        fs::write(&path, &alone).unwrap();
    }
    let pinned = fs::read_to_string(&path).unwrap_or_default();
    for (ours, pinned) in alone.lines().zip(pinned.lines()) {
        assert_eq!(ours, pinned, "a changed hash requires a new ENGINE_VERSION");
    }
    assert_eq!(alone.lines().count(), pinned.lines().count(), "UPDATE_HASHES=1 adds new runs");

    // Each run in two threads at once, beside the other runs.
    let (some, others) = goldens.split_at(goldens.len() / 2);
    thread::scope(|scope| {
        let together = [some, others, some, others];
        let together = together.map(|part| scope.spawn(|| hashes(part, &candles)));
        for lines in together.map(|thread| thread.join().unwrap()) {
            assert!(lines.lines().all(|line| alone.contains(line)), "{lines}");
        }
    });
}
