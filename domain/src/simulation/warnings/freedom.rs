//! Degrees of freedom: how many trades there are for each number that the strategy could be fitted with.

use super::Review;
use crate::simulation::{
    Warning,
    indicators::IndicatorCall,
    rules::{BoundStrategy, Condition, EntryOrder, Operand, StrategyConfig, Test},
};

/// Events for each variable: P. Peduzzi and others, "A simulation study of the number of events per variable in logistic
/// regression analysis", Journal of Clinical Epidemiology 49 (1996).
const TRADES_PER_PARAMETER_MIN: usize = 10;

/// `few_trades_per_parameter`: closed trades ÷ free numbers < 10, where there is any of both. Free numbers are those by
/// which the rules could be fitted to the candles: the arguments of each different indicator, each different constant
/// but 0, each lag above 1, and the stops' distances.
pub(super) fn few_trades_per_parameter(review: &Review<'_>) -> Option<Warning> {
    let trades = review.metrics.total_trades as usize;
    let parameters = free_numbers(review.input.strategy);
    (trades > 0 && trades < TRADES_PER_PARAMETER_MIN * parameters).then(|| {
        let message = format!(
            "{trades} trades for {parameters} free numbers in the rules: fewer than {TRADES_PER_PARAMETER_MIN} for each invite overfitting"
        );
        Warning::new("few_trades_per_parameter", message)
    })
}

pub(super) fn free_numbers(strategy: &BoundStrategy) -> usize {
    let BoundStrategy { entry, exit, short_entry, short_exit, partial_exit, config, .. } = strategy;
    let rules = [Some(entry), exit.as_ref(), short_entry.as_ref(), short_exit.as_ref()];
    let mut numbers = Numbers::default();
    let rules = rules.into_iter().chain([partial_exit.as_ref()]).flatten();
    rules.for_each(|rule| numbers.add_condition(rule));
    let levels = strategy.entry_prices.all().chain(&strategy.trailing_range);
    levels.for_each(|operand| numbers.add_operand(operand));
    let arguments: usize = numbers.calls.iter().map(|call| call.arguments.numbers.len()).sum();
    let distances = [config.stop_loss, config.take_profit, config.break_even];
    let stops = distances.iter().flatten().count()
        + config.trailing_stop.iter().count()
        + config.max_candles.iter().count();
    let parts = config.partial_take_profits.len();
    arguments + numbers.constants.len() + numbers.lags.len() + stops + parts + offsets(config)
}

/// Offsets at which entries wait, where no expression says it.
fn offsets(config: &StrategyConfig) -> usize {
    match config.entry_order {
        EntryOrder::Market => 0,
        EntryOrder::Limit { offset } | EntryOrder::Stop { offset } => offset.iter().count(),
        EntryOrder::StopLimit { offset, limit_offset } => {
            offset.iter().chain(&limit_offset).count()
        }
    }
}

/// What is different of each kind.
#[derive(Default)]
struct Numbers<'a> {
    calls: Vec<&'a IndicatorCall>,
    constants: Vec<f64>,
    lags: Vec<usize>,
}

impl<'a> Numbers<'a> {
    fn add_condition(&mut self, condition: &'a Condition) {
        match condition {
            Condition::All(conditions) | Condition::Any(conditions) => {
                conditions.iter().for_each(|inner| self.add_condition(inner));
            }
            Condition::Compare(comparison) => {
                self.add_operand(&comparison.left);
                match &comparison.test {
                    Test::Is(_, right) => self.add_operand(right),
                    Test::Between(low, high) => {
                        self.add_operand(low);
                        self.add_operand(high);
                    }
                }
            }
        }
    }

    fn add_operand(&mut self, operand: &'a Operand) {
        match operand {
            Operand::Source(_) => {}
            Operand::Number(number) => {
                if *number != 0.0 && !self.constants.contains(number) {
                    self.constants.push(*number);
                }
            }
            Operand::Indicator(call) => {
                let is_same = |known: &&IndicatorCall| {
                    (known.spec.name, &known.arguments) == (call.spec.name, &call.arguments)
                };
                if !self.calls.iter().any(is_same) {
                    self.calls.push(call);
                }
            }
            Operand::Lag(inner, lag) => {
                if *lag > 1 && !self.lags.contains(lag) {
                    self.lags.push(*lag);
                }
                self.add_operand(inner);
            }
            Operand::Negate(inner) | Operand::Abs(inner) => self.add_operand(inner),
            Operand::Arithmetic(_, left, right) => {
                self.add_operand(left);
                self.add_operand(right);
            }
            Operand::Min(operands) | Operand::Max(operands) => {
                operands.iter().for_each(|inner| self.add_operand(inner));
            }
        }
    }
}
