//! What ends a trade beside its rules: trailing stops, partial targets and exits.

use rust_decimal::Decimal;
use serde_json::Value;

use super::Reader;
use crate::{
    error_code::ErrorCode,
    simulation::{
        exact,
        rules::{Directions, PartialTarget, StrategyConfig, Trailing},
    },
    strategy::language::rules::{self, Rule, Term, kind},
};

/// Targets of one trade.
const PARTIAL_TARGETS_MAX: usize = 20;

/// ATR multiples by which a stop may trail.
const MULTIPLE_MAX: f64 = 1_000.0;

impl Reader<'_> {
    /// By percent of the close or by a multiple of the average true range, whose expression comes with it.
    pub(super) fn trailing_stop(
        &mut self,
        direction: Directions,
    ) -> (Option<Trailing>, Option<Term>) {
        self.check_either("trailing_stop", "trailing_stop_atr");
        if let Some(percent) = self.percent("trailing_stop") {
            self.check_stop_distance("trailing_stop", direction, percent);
            return (exact::fraction(percent).map(Trailing::Fraction), None);
        }
        let multiple = self.positive("trailing_stop_atr");
        if multiple.is_some_and(|multiple| multiple > MULTIPLE_MAX) {
            let message = format!("it must be at most {MULTIPLE_MAX} average true ranges");
            self.fail("trailing_stop_atr", ErrorCode::OutOfRange, message);
        }
        let period = self.count("trailing_stop_atr_period", u32::MAX);
        let Some(multiple) = multiple else {
            if period.is_some() {
                let message = "it is only allowed with trailing_stop_atr".to_owned();
                self.warn("trailing_stop_atr_period", ErrorCode::UnusedSetting, message);
            }
            return (None, None);
        };
        let call = Value::from(format!("atr({})", period.unwrap_or(14)));
        let range = rules::read_term("config.trailing_stop_atr_period", &call, self.errors);
        (Some(Trailing::Ranges(multiple)), range)
    }

    pub(super) fn break_even(&mut self, direction: Directions) -> Option<Decimal> {
        let gain = self.percent("break_even")?;
        if direction != Directions::Long && gain >= Decimal::ONE_HUNDRED {
            let message = "a short gains less than 100 percent";
            self.fail("break_even", ErrorCode::OutOfRange, message);
        }
        self.check_distance("break_even", gain);
        exact::fraction(gain)
    }

    /// Rules that close a part, and the portion.
    pub(super) fn partial_exit(&mut self) -> (Option<Rule>, Decimal) {
        let size = self.percent("partial_exit_size");
        if size.is_some_and(|size| size >= Decimal::ONE_HUNDRED) {
            let message = "a part is less than 100 percent";
            self.fail("partial_exit_size", ErrorCode::OutOfRange, message);
        }
        if let Some(size) = size {
            self.check_part("partial_exit_size", size);
        }
        let rules = self.members.get("partial_exit_rules").filter(|rules| !rules.is_null());
        if rules.is_none() && size.is_some() {
            let message = "it is only allowed with partial_exit_rules".to_owned();
            self.warn("partial_exit_size", ErrorCode::UnusedSetting, message);
        }
        let rule =
            rules.and_then(|rules| rules::read("config.partial_exit_rules", rules, self.errors));
        let portion = size.and_then(exact::fraction);
        (rule, portion.unwrap_or(StrategyConfig::DEFAULT.partial_exit_portion))
    }

    /// A list of `{"at": percent of gain, "close": percent of the quantity entered}`, nearest first.
    pub(super) fn partial_take_profits(&mut self, direction: Directions) -> Vec<PartialTarget> {
        let name = "partial_take_profits";
        let Some(value) = self.members.get(name).filter(|value| !value.is_null()) else {
            return Vec::new();
        };
        let Value::Array(list) = value else {
            self.fail(name, ErrorCode::Invalid, format!("this is {}, not a list", kind(value)));
            return Vec::new();
        };
        if list.len() > PARTIAL_TARGETS_MAX {
            self.fail(
                name,
                ErrorCode::TooLong,
                format!("at most {PARTIAL_TARGETS_MAX} are allowed"),
            );
            return Vec::new();
        }
        let targets = list.iter().enumerate();
        let mut targets: Vec<PartialTarget> =
            targets.filter_map(|(place, value)| self.target(place, value, direction)).collect();
        // Each is at most 1, and there are few.
        let sum: Decimal = targets.iter().map(|target| target.portion).sum();
        if sum > Decimal::ONE {
            self.fail(name, ErrorCode::OutOfRange, "together they close more than 100 percent");
        }
        targets.sort_by_key(|target| target.distance);
        targets
    }

    fn target(
        &mut self,
        place: usize,
        value: &Value,
        direction: Directions,
    ) -> Option<PartialTarget> {
        let field = format!("partial_take_profits[{place}]");
        let Value::Object(members) = value else {
            self.fail(
                &field,
                ErrorCode::Invalid,
                format!("this is {}, not an object", kind(value)),
            );
            return None;
        };
        for unknown in members.keys().filter(|name| !["at", "close"].contains(&name.as_str())) {
            let message = "a partial target has `at` and `close`";
            self.fail(
                &format!("{field}.{}", super::shown(unknown)),
                ErrorCode::UnknownField,
                message,
            );
        }
        let mut part = |name: &str, is_allowed: fn(f64) -> bool, expected: &str| {
            let value = members.get(name).unwrap_or(&Value::Null);
            let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
            let field = format!("{field}.{name}");
            let Some(number) = number.filter(|number| is_allowed(*number)) else {
                let code =
                    if value.is_null() { ErrorCode::Required } else { ErrorCode::OutOfRange };
                self.fail(&field, code, format!("it must be {expected}"));
                return None;
            };
            self.written(&field, number)
        };
        let at = if direction == Directions::Long {
            part("at", |at| at > 0.0 && at.is_finite(), "a percent above 0")
        } else {
            part("at", |at| at > 0.0 && at < 100.0, "a percent above 0 and below 100")
        };
        let close = part("close", |close| close > 0.0 && close <= 100.0, "a percent up to 100");
        let (at, close) = (at?, close?);
        self.check_distance(&format!("{field}.at"), at);
        self.check_part(&format!("{field}.close"), close);
        Some(PartialTarget { distance: exact::fraction(at)?, portion: exact::fraction(close)? })
    }

    fn check_stop_distance(&mut self, name: &str, direction: Directions, percent: Decimal) {
        if direction != Directions::Short && percent >= Decimal::ONE_HUNDRED {
            let message = "the stop of a long lies less than 100 percent below the price";
            self.fail(name, ErrorCode::OutOfRange, message);
        }
        self.check_distance(name, percent);
    }
}
