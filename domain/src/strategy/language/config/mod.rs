//! The config of a strategy: sizing, orders, stops, direction; percent on the wire, fractions inside.

mod entries;
mod exits;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{
    rules::{Rule, Term, kind},
    suggest::{did_you_mean, shown},
};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    simulation::{
        exact,
        rules::{Directions, PositionMode, Sizing, StrategyConfig},
    },
};

/// A config that was read; what is written in the rule language still has its `$parameters`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub config: StrategyConfig,
    pub prices: PriceTerms,
    pub partial_exit: Option<Rule>,
    /// `atr(period)`, where the stop trails by it.
    pub trailing_range: Option<Term>,
}

impl Default for Reading {
    fn default() -> Self {
        let config = StrategyConfig::DEFAULT;
        let prices = PriceTerms::default();
        Self { config, prices, partial_exit: None, trailing_range: None }
    }
}

/// Prices of resting entries as expressions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PriceTerms {
    pub price: Option<Term>,
    pub limit: Option<Term>,
    pub short_price: Option<Term>,
    pub short_limit: Option<Term>,
}

impl PriceTerms {
    /// Those that there are.
    pub fn all(&self) -> impl Iterator<Item = &Term> {
        [&self.price, &self.limit, &self.short_price, &self.short_limit].into_iter().flatten()
    }
}

/// A distance or a risk of at most this many percent is probably a fraction: 0.1 for a tenth.
const DISTANCE_SUSPICIOUS: Decimal = Decimal::from_parts(1, 0, 0, false, 1);
/// A part of fewer percent is probably a fraction: 0.5 for a half.
const PART_SUSPICIOUS: Decimal = Decimal::ONE;

/// Unknown settings that are reported.
const UNKNOWN_SHOWN_MAX: usize = 10;

const KNOWN: [&str; 24] = [
    "position_sizing",
    "size",
    "risk_percentage",
    "stop_loss",
    "take_profit",
    "direction",
    "entry_order",
    "entry_price",
    "entry_offset",
    "entry_limit_price",
    "entry_limit_offset",
    "short_entry_price",
    "short_entry_limit_price",
    "entry_valid_candles",
    "trailing_stop",
    "trailing_stop_atr",
    "trailing_stop_atr_period",
    "break_even",
    "max_candles",
    "partial_take_profits",
    "partial_exit_rules",
    "partial_exit_size",
    "max_entries",
    "position_mode",
];

/// Reads the object at `config`; every error and warning by field path.
pub fn read(
    config: &Value,
    errors: &mut Vec<FieldError>,
    warnings: &mut Vec<FieldError>,
) -> Reading {
    let Value::Object(members) = config else {
        let message = format!("this is {}, not an object", kind(config));
        errors.push(FieldError::new("config", ErrorCode::Invalid, message));
        return Reading::default();
    };
    let mut reader = Reader { members, errors, warnings };
    reader.check_members();
    let direction = reader.direction();
    let stop_loss = reader.percent("stop_loss");
    let take_profit = reader.percent("take_profit");
    reader.check_stops(direction, stop_loss, take_profit);
    let sizing = reader.sizing(stop_loss.is_some());
    let (entry_order, prices) = reader.entry_order(direction);
    let (trailing_stop, trailing_range) = reader.trailing_stop(direction);
    let (partial_exit, partial_exit_portion) = reader.partial_exit();
    let config = StrategyConfig {
        sizing,
        stop_loss: stop_loss.and_then(exact::fraction),
        take_profit: take_profit.and_then(exact::fraction),
        direction,
        entry_order,
        entry_valid_candles: reader.entry_valid_candles(entry_order),
        trailing_stop,
        break_even: reader.break_even(direction),
        max_candles: reader.count("max_candles", 10_000_000),
        partial_take_profits: reader.partial_take_profits(direction),
        partial_exit_portion,
        max_entries: reader.count("max_entries", 100).unwrap_or(1),
        position_mode: reader.position_mode(direction),
    };
    Reading { config, prices, partial_exit, trailing_range }
}

struct Reader<'a> {
    members: &'a Map<String, Value>,
    errors: &'a mut Vec<FieldError>,
    warnings: &'a mut Vec<FieldError>,
}

impl Reader<'_> {
    /// What the engine does not honour is refused by name, never ignored.
    fn check_members(&mut self) {
        let unknown = self
            .members
            .iter()
            .filter(|(name, value)| !KNOWN.contains(&name.as_str()) && !value.is_null());
        for (name, _) in unknown.take(UNKNOWN_SHOWN_MAX) {
            let message =
                format!("`{}` is not supported{}", shown(name), did_you_mean(name, KNOWN));
            let field = format!("config.{}", shown(name));
            self.errors.push(FieldError::new(field, ErrorCode::UnsupportedSetting, message));
        }
    }

    fn direction(&mut self) -> Directions {
        match self.word("direction", &["long", "short", "both"]) {
            Some("short") => Directions::Short,
            Some("both") => Directions::Both,
            Some(_) | None => Directions::Long,
        }
    }

    fn position_mode(&mut self, direction: Directions) -> PositionMode {
        let modes = ["single", "exclusive", "netting", "hedging"];
        let mode = match self.word("position_mode", &modes) {
            Some("exclusive") => PositionMode::Exclusive,
            Some("netting") => PositionMode::Netting,
            Some("hedging") => PositionMode::Hedging,
            Some(_) | None => PositionMode::Single,
        };
        if mode != PositionMode::Single && direction != Directions::Both {
            let message = "only direction `both` holds positions that can meet".to_owned();
            self.warn("position_mode", ErrorCode::UnusedSetting, message);
        }
        mode
    }

    fn sizing(&mut self, has_stop: bool) -> Sizing {
        let kinds =
            ["all_in", "percent_of_equity", "fixed_amount", "fixed_quantity", "risk_percentage"];
        let sizing = self.word("position_sizing", &kinds).unwrap_or("all_in");
        let size = self.percent("size");
        let risk = self.percent("risk_percentage");
        if sizing != "risk_percentage" && risk.is_some() {
            self.warn_unused("risk_percentage", sizing);
        }
        if matches!(sizing, "all_in" | "risk_percentage") && size.is_some() {
            self.warn_unused("size", sizing);
        }
        match sizing {
            "percent_of_equity" => {
                Sizing::PercentOfEquity(self.needed_percent("size", size, sizing))
            }
            "fixed_amount" => Sizing::FixedAmount(self.needed("size", size, sizing)),
            "fixed_quantity" => Sizing::FixedQuantity(self.needed("size", size, sizing)),
            "risk_percentage" => {
                if !has_stop && self.is_absent("stop_loss") {
                    let message =
                        "risk_percentage measures the risk to the stop: it needs a stop_loss";
                    self.fail("stop_loss", ErrorCode::Required, message);
                }
                Sizing::RiskPercentage(self.needed_percent("risk_percentage", risk, sizing))
            }
            _ => Sizing::AllIn,
        }
    }

    /// The value that `sizing` cannot do without. Zero stands in for an error.
    fn needed(&mut self, name: &str, value: Option<Decimal>, sizing: &str) -> Decimal {
        if value.is_none() && self.is_absent(name) {
            self.fail(name, ErrorCode::Required, format!("position_sizing {sizing} requires it"));
        }
        value.unwrap_or_default()
    }

    /// As [`Self::needed`], at most 100 percent, as a fraction.
    fn needed_percent(&mut self, name: &str, value: Option<Decimal>, sizing: &str) -> Decimal {
        match value {
            Some(value) if name == "risk_percentage" => self.check_distance(name, value),
            Some(value) => self.check_part(name, value),
            None => {}
        }
        let value = self.needed(name, value, sizing);
        if value > Decimal::ONE_HUNDRED {
            self.fail(
                name,
                ErrorCode::OutOfRange,
                format!("it must be at most 100 percent, not {value}"),
            );
        }
        exact::fraction(value).unwrap_or_default()
    }

    fn check_stops(
        &mut self,
        direction: Directions,
        stop: Option<Decimal>,
        target: Option<Decimal>,
    ) {
        let is_all = |percent: Option<Decimal>| {
            percent.is_some_and(|percent| percent >= Decimal::ONE_HUNDRED)
        };
        if direction != Directions::Short && is_all(stop) {
            let message = "the stop of a long lies less than 100 percent below the price";
            self.fail("stop_loss", ErrorCode::OutOfRange, message);
        }
        if direction != Directions::Long && is_all(target) {
            let message = "the target of a short lies less than 100 percent below the price";
            self.fail("take_profit", ErrorCode::OutOfRange, message);
        }
        for (name, value) in [("stop_loss", stop), ("take_profit", target)] {
            if let Some(value) = value {
                self.check_distance(name, value);
            }
        }
    }

    /// Warns of a distance or a risk that is probably a fraction.
    fn check_distance(&mut self, name: &str, percent: Decimal) {
        if percent <= DISTANCE_SUSPICIOUS {
            let message = format!("{percent} means {percent} percent: 5 is 5 percent");
            self.warn(name, ErrorCode::SuspiciousUnit, message);
        }
    }

    /// Warns of a part of a whole that is probably a fraction.
    fn check_part(&mut self, name: &str, percent: Decimal) {
        if percent < PART_SUSPICIOUS {
            let message = format!("{percent} means {percent} percent: 50 is one half");
            self.warn(name, ErrorCode::SuspiciousUnit, message);
        }
    }

    /// A number above 0; an error where it is something else.
    fn positive(&mut self, name: &str) -> Option<f64> {
        let number = self.number(name)?;
        if number > 0.0 {
            return Some(number);
        }
        self.fail(name, ErrorCode::OutOfRange, format!("it must be above 0, not {number}"));
        None
    }

    /// A number above 0 with the digits that were written.
    fn percent(&mut self, name: &str) -> Option<Decimal> {
        let number = self.positive(name)?;
        self.written(name, number)
    }

    /// The digits of a number; an error where they are too many to be a percentage.
    fn written(&mut self, name: &str, number: f64) -> Option<Decimal> {
        let written = exact::decimal(number).filter(|percent| exact::fraction(*percent).is_some());
        if written.is_none() {
            let message = "it must be a number of at most 28 digits and 26 decimals";
            self.fail(name, ErrorCode::OutOfRange, message);
        }
        written
    }

    /// A whole number from 1 to `maximum`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    fn count(&mut self, name: &str, maximum: u32) -> Option<usize> {
        let number = self.number(name)?;
        if number.fract() == 0.0 && (1.0..=f64::from(maximum)).contains(&number) {
            return Some(number as usize);
        }
        let message = format!("it must be a whole number from 1 to {maximum}, not {number}");
        self.fail(name, ErrorCode::OutOfRange, message);
        None
    }

    /// A finite number.
    fn number(&mut self, name: &str) -> Option<f64> {
        let value = self.members.get(name).filter(|value| !value.is_null())?;
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse::<f64>().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match number.filter(|number| number.is_finite()) {
            Some(number) => Some(number),
            None => {
                let message = match value.as_str() {
                    Some(text) => format!("`{}` is not a finite number", shown(text)),
                    None => format!("this is {}, not a number", kind(value)),
                };
                self.fail(name, ErrorCode::Invalid, message);
                None
            }
        }
    }

    /// One of some words.
    fn word(&mut self, name: &str, known: &[&'static str]) -> Option<&'static str> {
        let value = self.members.get(name).filter(|value| !value.is_null())?;
        let message = match value.as_str() {
            Some(word) => {
                if let Some(found) = known.iter().find(|known| known.eq_ignore_ascii_case(word)) {
                    return Some(found);
                }
                format!("`{}` is unknown; known values: {}", shown(word), known.join(", "))
            }
            None => format!("this is {}; known values: {}", kind(value), known.join(", ")),
        };
        self.fail(name, ErrorCode::Invalid, message);
        None
    }

    fn is_absent(&self, name: &str) -> bool {
        self.members.get(name).is_none_or(Value::is_null)
    }

    fn warn_unused(&mut self, name: &str, sizing: &str) {
        self.warn(
            name,
            ErrorCode::UnusedSetting,
            format!("position_sizing {sizing} does not use it"),
        );
    }

    /// Of two settings that say the same, only one may be given.
    fn check_either(&mut self, one: &str, other: &str) {
        if !self.is_absent(one) && !self.is_absent(other) {
            self.fail(other, ErrorCode::Conflict, format!("it cannot be combined with {one}"));
        }
    }

    fn warn(&mut self, name: &str, code: ErrorCode, message: String) {
        self.warnings.push(FieldError::new(format!("config.{name}"), code, message));
    }

    fn fail(&mut self, name: &str, code: ErrorCode, message: impl Into<String>) {
        self.errors.push(FieldError::new(format!("config.{name}"), code, message));
    }
}
