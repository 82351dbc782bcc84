//! What holds for every strategy over any candles.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::simulation::{
    engine::{Engine, IntrabarPriority},
    exact::{to_f64, written},
    indicators::IndicatorCall,
    rules::signals::RuleSignals,
    settings::Preset,
};

/// Candles whose prices may jump by a factor of twenty from one to the next.
pub(super) fn any_candles() -> impl Strategy<Value = Candles> {
    let step = (-1.0..1.0_f64, -1.0..1.0_f64, 0.0..0.5_f64, 0.0..0.5_f64, 0.0..4.0_f64);
    let wild = prop_oneof![8 => Just(0.03), 3 => Just(0.3), 1 => Just(3.0)];
    (0.01..50_000.0_f64, prop::collection::vec((step, wild), 3..80)).prop_map(|(start, steps)| {
        let mut last = start;
        let rows = steps.into_iter().map(|((gap, change, up, down, volume), wildness)| {
            let open = (last * libm::exp(gap * wildness)).clamp(1e-4, 1e6);
            let close = (open * libm::exp(change * wildness)).clamp(1e-4, 1e6);
            let high = open.max(close) * (1.0 + up * wildness);
            let low = open.min(close) / (1.0 + down * wildness);
            last = close;
            // Markets quote in decimals.
            let [open, high, low, close] =
                [open, high, low, close].map(|price| (price * 1e8).round() / 1e8);
            [open, high, low, close, volume.floor()]
        });
        candles(rows)
    })
}

pub(super) fn any_rule() -> impl Strategy<Value = Value> {
    let column = prop::sample::select(vec![
        "close",
        "open",
        "sma(2)",
        "sma(5)",
        "ema(3)",
        "close[1]",
        "(high + low) / 2",
        "volume * close",
        "highest(high, 4)[1]",
        "rsi(3) * close / 50",
        "close / volume",
    ]);
    let comparator =
        prop::sample::select(vec![">", "<", ">=", "<=", "!=", "crosses_above", "crosses_below"]);
    let comparison = (column.clone(), comparator, column)
        .prop_map(|(left, comparator, right)| json!({"indicator": left, "comparator": comparator, "value": right}));
    let conditions = prop::collection::vec(comparison, 1..3);
    (prop::sample::select(vec!["and", "or"]), conditions)
        .prop_map(|(operator, conditions)| json!({"operator": operator, "conditions": conditions}))
}

fn any_config() -> impl Strategy<Value = Value> {
    let sizing = prop_oneof![
        Just(json!({"position_sizing": "all_in"})),
        (1..=100_u32).prop_map(|size| json!({"position_sizing": "percent_of_equity", "size": size})),
        (1..=20_000_u32).prop_map(|size| json!({"position_sizing": "fixed_amount", "size": size})),
        (1..=500_u32).prop_map(|size| json!({"position_sizing": "fixed_quantity", "size": f64::from(size) / 100.0})),
        (1..=10_u32).prop_map(|risk| json!({"position_sizing": "risk_percentage", "risk_percentage": risk, "stop_loss": 3})),
    ];
    let percent = || prop::option::of((1..40_u32).prop_map(|half| f64::from(half) / 2.0));
    let direction = prop::sample::select(vec!["long", "short", "both"]);
    (sizing, percent(), percent(), direction).prop_map(|(mut config, stop, target, direction)| {
        config["direction"] = json!(direction);
        if let Some(stop) = stop {
            config["stop_loss"] = json!(stop);
        }
        if let Some(target) = target {
            config["take_profit"] = json!(target);
        }
        config
    })
}

pub(super) fn any_body() -> impl Strategy<Value = Value> {
    let optional = || prop::option::weighted(0.7, any_rule());
    (any_rule(), optional(), optional(), optional(), any_config()).prop_map(
        |(entry, exit, short_entry, short_exit, config)| {
            let mut body = json!({"entry_rules": entry, "config": config});
            let short_rules =
                [("short_entry_rules", short_entry), ("short_exit_rules", short_exit)];
            let is_both = body["config"]["direction"] == "both";
            if let Some(exit) = exit {
                body["exit_rules"] = exit;
            }
            for (name, rule) in short_rules.into_iter().filter(|_| is_both) {
                if let Some(rule) = rule {
                    body[name] = rule;
                }
            }
            body
        },
    )
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let choice = |words: &'static [&'static str]| prop::sample::select(words.to_vec());
    (
        (0..60_u32, 0..3_u32, 0..30_u32, 0..30_u32),
        choice(&["next_open", "close"]),
        choice(&["stop_first", "target_first"]),
        choice(&["close", "open", "leave_open"]),
        choice(&["0.00000001", "0.001", "1"]),
        choice(&["backtrail", "backtrail", "backtesting_py"]),
    )
        .prop_map(|((commission, fixed, slippage, spread), fill, intrabar, finalize, lot, preset)| {
            let is_refused = finalize == "open" && preset == "backtrail";
            let finalize = if is_refused { "close" } else { finalize };
            settings(json!({
                "commission": f64::from(commission) / 1e4, "commission_fixed": fixed, "slippage_bps": slippage,
                "spread_bps": spread, "fill": fill, "intrabar": intrabar, "finalize": finalize, "lot": lot, "preset": preset,
            }))
        })
}

pub(super) fn the_ledger_adds_up(outcome: &Outcome, last_close: f64) {
    let mut sum = Decimal::from(10_000) + outcome.shortfall + outcome.funding;
    for trade in &outcome.trades {
        sum += match (&trade.pnl, trade.direction) {
            (Some(pnl), _) => *pnl,
            (None, direction) => {
                let notional = trade.entry.notional().unwrap();
                let close = written(last_close).unwrap();
                let worth = (close * trade.entry.quantity).round_dp(8);
                let gain = match direction {
                    Direction::Long => worth - notional,
                    Direction::Short => notional - worth,
                };
                gain - trade.entry.fee
            }
        };
    }
    // An open trade's share of its entry may lie a last digit beside what is left of the entry.
    let parts = outcome.trades.iter().filter(|trade| trade.part_of.is_some()).count();
    let is_open = outcome.trades.iter().any(|trade| trade.exit.is_none());
    let digits = if is_open { 2 * i64::try_from(parts).unwrap() } else { 0 };
    assert!((sum - outcome.final_balance).abs() <= Decimal::new(digits, 8), "{sum}");
    let last_equity = *outcome.equity.last().unwrap();
    let final_balance = to_f64(outcome.final_balance);
    assert!((last_equity - final_balance).abs() <= 1e-6 * final_balance.abs().max(1.0));
}

fn fills_are_sound(outcome: &Outcome, candles: &Candles, settings: &Settings) {
    let lot = settings.lot.unwrap();
    let slip = 1.0 + (settings.slippage_bps.get() + settings.spread_bps.get()) / 1e4;
    for trade in &outcome.trades {
        assert!(trade.entry.quantity > Decimal::ZERO && (trade.entry.quantity % lot).is_zero());
        for fill in std::iter::once(&trade.entry).chain(&trade.exit) {
            assert!(
                fill.price > Decimal::ZERO && fill.price.scale() <= 20 && fill.fee.scale() <= 8
            );
            assert_eq!(fill.cash_after, fill.cash_after.normalize());
            assert!(!fill.reason.is_empty());
            let index = candles.open_time.binary_search(&fill.time).unwrap();
            let (price, low, high) = (to_f64(fill.price), candles.low[index], candles.high[index]);
            assert!(low / slip * 0.999 <= price && price <= high * slip * 1.001 + 1e-8, "{price}");
        }
        let exit_cash = trade.exit.as_ref().map(|exit| exit.cash_after);
        assert!(exit_cash.is_none_or(|cash| cash >= Decimal::ZERO));
        // The preset pays its fee on the price after the spread, which it has not counted on.
        if trade.direction == Direction::Long && settings.preset == Preset::Backtrail {
            assert!(trade.entry.cash_after >= Decimal::ZERO);
        }
    }
}

pub(super) fn nothing_follows_a_ruin(outcome: &Outcome, candles: &Candles) {
    let Some(index) = outcome.equity.iter().position(|equity| *equity <= 0.0) else { return };
    assert!(outcome.equity[index..].iter().all(|equity| *equity == 0.0), "at {index}");
    let time = candles.open_time[index];
    assert!(outcome.trades.iter().all(|trade| trade.entry.time <= time));
}

/// The same by the general walk, candle by candle and each open trade on each of them, where the run itself leaps.
pub(super) fn slowly(input: &Input<'_>) -> Outcome {
    let first_defined = input.strategy.first_defined();
    let compute =
        |call: &IndicatorCall| Ok::<_, SimulationError>(Arc::new(call.compute(input.candles)));
    let rules = RuleSignals::evaluate(input.strategy, input.candles, compute).unwrap();
    let walk = |priority: IntrabarPriority| {
        let mut observer = ();
        let mut engine = Engine::try_new(*input, &rules, &mut observer, priority).unwrap();
        engine.walk_slowly(first_defined + 1).unwrap();
        engine.outcome(first_defined + 1, first_defined).unwrap()
    };
    let mut outcome = walk(IntrabarPriority::of(input.settings.intrabar));
    outcome.final_balance_stop_first = walk(IntrabarPriority::StopFirst).final_balance;
    outcome.final_balance_target_first = walk(IntrabarPriority::TargetFirst).final_balance;
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_general_walk_gives_the_same_bytes_as_the_fast_path(
        candles in any_candles(), body in any_body(), settings in any_settings(),
    ) {
        let strategy = strategy(&body);
        let input = input(&strategy, &candles, &settings);
        let Ok(outcome) = run(&input, &mut ()) else { return Ok(()) };
        prop_assert_eq!(slowly(&input), outcome);
    }

    #[test]
    fn the_ledger_adds_up_and_cash_is_never_negative(
        candles in any_candles(), body in any_body(), settings in any_settings(),
    ) {
        let strategy = strategy(&body);
        let input = input(&strategy, &candles, &settings);
        let outcome = match recorded::accepted(&input) {
            Ok(outcome) => outcome,
            Err(SimulationError::NothingToEvaluate { .. }) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(outcome.equity.len(), candles.len());
        assert!(outcome.equity.iter().all(|equity| equity.is_finite() && *equity >= 0.0));
        assert!(outcome.metrics.values().into_iter().flatten().all(f64::is_finite));
        the_ledger_adds_up(&outcome, *candles.close.last().unwrap());
        fills_are_sound(&outcome, &candles, &settings);
        nothing_follows_a_ruin(&outcome, &candles);
        let again = simulate(&body, &candles, &settings).unwrap();
        assert_eq!(again, outcome);
    }
}
