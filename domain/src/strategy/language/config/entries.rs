//! Which order enters, and where it waits.

use rust_decimal::Decimal;

use super::{PriceTerms, Reader};
use crate::{
    error_code::ErrorCode,
    simulation::{
        exact,
        rules::{Directions, EntryOrder},
    },
    strategy::language::rules::{self, Term},
};

/// Candles that a resting entry may wait.
const VALID_CANDLES_MAX: u32 = 1_000_000;

impl Reader<'_> {
    pub(super) fn entry_order(&mut self, direction: Directions) -> (EntryOrder, PriceTerms) {
        let orders = ["market", "limit", "stop", "stop_limit"];
        let order = self.word("entry_order", &orders).unwrap_or("market");
        let prices = PriceTerms {
            price: self.term("entry_price"),
            limit: self.term("entry_limit_price"),
            short_price: self.term("short_entry_price"),
            short_limit: self.term("short_entry_limit_price"),
        };
        let offset = self.entry_offset();
        let limit_offset = self.limit_offset();
        self.check_entry(order, direction);
        let order = match order {
            "limit" => EntryOrder::Limit { offset },
            "stop" => EntryOrder::Stop { offset },
            "stop_limit" => EntryOrder::StopLimit { offset, limit_offset },
            _ => EntryOrder::Market,
        };
        (order, prices)
    }

    pub(super) fn entry_valid_candles(&mut self, order: EntryOrder) -> usize {
        let candles = self.count("entry_valid_candles", VALID_CANDLES_MAX);
        if candles.is_some() && order == EntryOrder::Market {
            self.warn_unused_entry("entry_valid_candles", "market");
        }
        candles.unwrap_or(1)
    }

    /// Which of the prices there must be, and which there must not.
    fn check_entry(&mut self, order: &str, direction: Directions) {
        let price = ["entry_offset", "entry_price"];
        let limit = ["entry_limit_offset", "entry_limit_price"];
        let short = ["short_entry_price", "short_entry_limit_price"];
        for (names, is_used) in [(price, order != "market"), (limit, order == "stop_limit")] {
            let [offset, expression] = names;
            self.check_either(offset, expression);
            if is_used && self.is_absent(offset) && self.is_absent(expression) {
                let message =
                    format!("entry_order {order} needs a price: set {offset} or {expression}");
                self.fail(offset, ErrorCode::Required, message);
            }
            for name in names.into_iter().filter(|_| !is_used) {
                if !self.is_absent(name) {
                    self.warn_unused_entry(name, order);
                }
            }
        }
        for (name, long) in short.into_iter().zip([price[1], limit[1]]) {
            if self.is_absent(name) {
                continue;
            }
            if direction != Directions::Both {
                let message = "only direction `both` has a price of its own for shorts";
                self.fail(name, ErrorCode::Invalid, message);
            } else if self.is_absent(long) {
                self.fail(name, ErrorCode::Invalid, format!("it is only allowed with {long}"));
            }
        }
    }

    /// Percent to a fraction; 0 is the close itself.
    fn entry_offset(&mut self) -> Option<Decimal> {
        let offset = self.number("entry_offset")?;
        if (0.0..100.0).contains(&offset) {
            return self.written("entry_offset", offset).and_then(exact::fraction);
        }
        let message = format!("it must be from 0 to below 100 percent, not {offset}");
        self.fail("entry_offset", ErrorCode::OutOfRange, message);
        None
    }

    fn limit_offset(&mut self) -> Option<Decimal> {
        let offset = self.number("entry_limit_offset")?;
        if offset.abs() < 100.0 {
            return self.written("entry_limit_offset", offset).and_then(exact::fraction);
        }
        let message = format!("it must be between -100 and 100 percent, not {offset}");
        self.fail("entry_limit_offset", ErrorCode::OutOfRange, message);
        None
    }

    fn term(&mut self, name: &str) -> Option<Term> {
        let value = self.members.get(name).filter(|value| !value.is_null())?;
        rules::read_term(&format!("config.{name}"), value, self.errors)
    }

    fn warn_unused_entry(&mut self, name: &str, order: &str) {
        self.warn(name, ErrorCode::UnusedSetting, format!("entry_order {order} does not use it"));
    }
}
