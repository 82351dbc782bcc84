//! The canonical form of a strategy and its settings: what a result hash covers of them. What binds equally has one form.
//!
//! Parameters are in their places, aliases and defaults resolved; groups of one and groups within groups of their own kind are
//! flattened. Of the config, and of settings that were added later, only what differs from its default is there, so that a new
//! field leaves the hashes of others as they are. Decimals are strings without trailing zeros.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{
    Settings,
    indicators::IndicatorCall,
    rules::{
        Arithmetic, BoundStrategy, Comparison, Condition, Directions, EntryOrder, EntryPrices,
        Operand, PositionMode, Sizing, StrategyConfig, Test, Trailing,
    },
};

/// Rules, prices and config of a strategy.
pub(super) fn strategy(strategy: &BoundStrategy) -> Value {
    let BoundStrategy {
        entry,
        exit,
        short_entry,
        short_exit,
        partial_exit,
        entry_prices: EntryPrices { price, limit, short_price, short_limit },
        trailing_range,
        config,
    } = strategy;
    let rule = |rule: &Option<Condition>| rule.as_ref().map(condition);
    let term = |term: &Option<Operand>| term.as_ref().map(operand);
    object([
        ("entry", Some(condition(entry))),
        ("exit", rule(exit)),
        ("short_entry", rule(short_entry)),
        ("short_exit", rule(short_exit)),
        ("partial_exit", rule(partial_exit)),
        ("price", term(price)),
        ("limit", term(limit)),
        ("short_price", term(short_price)),
        ("short_limit", term(short_limit)),
        ("trailing_range", term(trailing_range)),
        ("config", Some(of_config(config))),
    ])
}

fn of_config(config: &StrategyConfig) -> Value {
    let StrategyConfig {
        sizing,
        stop_loss,
        take_profit,
        direction,
        entry_order,
        entry_valid_candles,
        trailing_stop,
        break_even,
        max_candles,
        partial_take_profits,
        partial_exit_portion,
        max_entries,
        position_mode,
    } = config;
    let default = StrategyConfig::DEFAULT;
    let targets = partial_take_profits
        .iter()
        .map(|target| json!([decimal(target.distance), decimal(target.portion)]))
        .collect::<Vec<_>>();
    let unless = |is_default: bool, value: Value| (!is_default).then_some(value);
    object([
        ("sizing", of_sizing(*sizing)),
        ("stop_loss", stop_loss.map(decimal)),
        ("take_profit", take_profit.map(decimal)),
        ("direction", of_direction(*direction)),
        ("entry_order", of_order(*entry_order)),
        (
            "entry_valid_candles",
            unless(*entry_valid_candles == default.entry_valid_candles, json!(entry_valid_candles)),
        ),
        ("trailing_stop", trailing_stop.map(of_trailing)),
        ("break_even", break_even.map(decimal)),
        ("max_candles", max_candles.map(|candles| json!(candles))),
        ("partial_take_profits", unless(targets.is_empty(), json!(targets))),
        (
            "partial_exit_portion",
            unless(
                *partial_exit_portion == default.partial_exit_portion,
                decimal(*partial_exit_portion),
            ),
        ),
        ("max_entries", unless(*max_entries == default.max_entries, json!(max_entries))),
        ("position_mode", of_mode(*position_mode)),
    ])
}

fn of_sizing(sizing: Sizing) -> Option<Value> {
    Some(match sizing {
        Sizing::AllIn => return None,
        Sizing::PercentOfEquity(fraction) => json!(["percent_of_equity", decimal(fraction)]),
        Sizing::FixedAmount(amount) => json!(["fixed_amount", decimal(amount)]),
        Sizing::FixedQuantity(quantity) => json!(["fixed_quantity", decimal(quantity)]),
        Sizing::RiskPercentage(fraction) => json!(["risk_percentage", decimal(fraction)]),
    })
}

fn of_direction(direction: Directions) -> Option<Value> {
    match direction {
        Directions::Long => None,
        Directions::Short => Some(json!("short")),
        Directions::Both => Some(json!("both")),
    }
}

fn of_order(order: EntryOrder) -> Option<Value> {
    let offset = |offset: Option<Decimal>| offset.map(decimal);
    match order {
        EntryOrder::Market => None,
        EntryOrder::Limit { offset: at } => Some(json!(["limit", offset(at)])),
        EntryOrder::Stop { offset: at } => Some(json!(["stop", offset(at)])),
        EntryOrder::StopLimit { offset: at, limit_offset } => {
            Some(json!(["stop_limit", offset(at), offset(limit_offset)]))
        }
    }
}

fn of_trailing(trailing: Trailing) -> Value {
    match trailing {
        Trailing::Fraction(fraction) => json!(["fraction", decimal(fraction)]),
        Trailing::Ranges(multiple) => json!(["ranges", multiple]),
    }
}

fn of_mode(mode: PositionMode) -> Option<Value> {
    match mode {
        PositionMode::Single => None,
        PositionMode::Exclusive => Some(json!("exclusive")),
        PositionMode::Netting => Some(json!("netting")),
        PositionMode::Hedging => Some(json!("hedging")),
    }
}

/// `["<", left, right]`, `["between", operand, low, high]`, `{"and": […]}`, `{"or": […]}`.
fn condition(rule: &Condition) -> Value {
    let (name, mut parts) = match rule {
        Condition::Compare(comparison) => return of_comparison(comparison),
        Condition::All(_) => ("and", Vec::new()),
        Condition::Any(_) => ("or", Vec::new()),
    };
    flatten(rule, &mut parts);
    match parts.as_slice() {
        [part] => condition(part),
        parts => json!({ name: parts.iter().map(|part| condition(part)).collect::<Vec<_>>() }),
    }
}

/// The parts of a group, with those of nested groups of the same kind in their places.
fn flatten<'a>(group: &'a Condition, parts: &mut Vec<&'a Condition>) {
    let (Condition::All(inner) | Condition::Any(inner)) = group else { return parts.push(group) };
    for part in inner {
        let part = alone(part);
        let is_same = std::mem::discriminant(part) == std::mem::discriminant(group);
        if is_same { flatten(part, parts) } else { parts.push(part) }
    }
}

/// The only part of a group of one.
fn alone(rule: &Condition) -> &Condition {
    match rule {
        Condition::All(parts) | Condition::Any(parts) if parts.len() == 1 => alone(&parts[0]),
        Condition::All(_) | Condition::Any(_) | Condition::Compare(_) => rule,
    }
}

/// The text follows from the rest.
fn of_comparison(Comparison { left, test, text: _ }: &Comparison) -> Value {
    match test {
        Test::Is(comparator, right) => json!([comparator.sign(), operand(left), operand(right)]),
        Test::Between(low, high) => json!(["between", operand(left), operand(low), operand(high)]),
    }
}

/// A number, the name of a source, or a list that begins with a word: an indicator's name, then its numbers, its source and the
/// name of its output; `[]`, a value of as many candles earlier; an operation, then its operands.
fn operand(of: &Operand) -> Value {
    let list = |name: &str, operands: &[Operand]| {
        let operands = operands.iter().map(operand);
        Value::Array(std::iter::once(json!(name)).chain(operands).collect())
    };
    match of {
        Operand::Number(value) => number(*value),
        Operand::Source(source) => json!(source.as_str()),
        Operand::Indicator(call) => of_call(call),
        Operand::Lag(inner, candles) => json!(["[]", operand(inner), candles]),
        Operand::Negate(inner) => json!(["-", operand(inner)]),
        Operand::Arithmetic(operator, left, right) => {
            let sign = match operator {
                Arithmetic::Add => "+",
                Arithmetic::Subtract => "-",
                Arithmetic::Multiply => "*",
                Arithmetic::Divide => "/",
            };
            json!([sign, operand(left), operand(right)])
        }
        Operand::Min(operands) => list("min()", operands),
        Operand::Max(operands) => list("max()", operands),
        Operand::Abs(inner) => json!(["abs()", operand(inner)]),
    }
}

fn of_call(IndicatorCall { spec, arguments, output }: &IndicatorCall) -> Value {
    let numbers = arguments.numbers.iter().map(|value| number(*value));
    let rest = [json!(arguments.source.as_str()), json!(spec.outputs.get(*output))];
    Value::Array(std::iter::once(json!(spec.name)).chain(numbers).chain(rest).collect())
}

/// The settings under their names. The first ten are always there, the others where they are not what follows without them.
pub(super) fn settings(settings: &Settings) -> Value {
    let Settings {
        leverage,
        maintenance_margin: _,
        funding_rate,
        funding_interval_hours,
        commission,
        commission_maker,
        commission_fixed,
        slippage_bps,
        slippage_range_percentage,
        spread_bps,
        fill,
        intrabar,
        finalize,
        warmup,
        lot,
        seed,
        preset,
    } = settings;
    let default = Settings::of_preset(*preset);
    let derived = Settings { maintenance_margin: None, ..settings.clone() };
    let maker = commission_maker.filter(|maker| maker != commission);
    let unless = |is_default: bool, value: Value| (!is_default).then_some(value);
    object([
        ("leverage", Some(json!(leverage))),
        ("commission", Some(json!(commission))),
        ("commission_fixed", Some(json!(commission_fixed))),
        ("slippage_bps", Some(json!(slippage_bps))),
        ("spread_bps", Some(json!(spread_bps))),
        ("fill", Some(json!(fill))),
        ("intrabar", Some(json!(intrabar))),
        ("finalize", Some(json!(finalize))),
        ("warmup", Some(json!(warmup))),
        // Canonical JSON has no whole numbers beyond 2^53.
        ("seed", Some(json!(seed.to_string()))),
        ("lot", lot.map(decimal)),
        ("preset", unless(preset.is_backtrail(), json!(preset))),
        (
            "maintenance_margin",
            unless(
                settings.maintenance().total_cmp(&derived.maintenance()).is_eq(),
                json!(settings.maintenance()),
            ),
        ),
        ("commission_maker", maker.map(|maker| json!(maker))),
        ("funding_rate", unless(*funding_rate == default.funding_rate, json!(funding_rate))),
        (
            "funding_interval_hours",
            unless(
                *funding_interval_hours == default.funding_interval_hours,
                json!(funding_interval_hours),
            ),
        ),
        (
            "slippage_range_percentage",
            unless(
                *slippage_range_percentage == default.slippage_range_percentage,
                json!(slippage_range_percentage),
            ),
        ),
    ])
}

/// What is there of some members.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn decimal(value: Decimal) -> Value {
    Value::from(value.normalize().to_string())
}

/// Zero has no sign: comparisons and quotients do not see it.
fn number(value: f64) -> Value {
    Value::from(value + 0.0)
}
