//! ULTOSC: 100 · (4 A + 2 B + C) ÷ 7, each Σ buying pressure ÷ Σ true range of one period (TA-Lib `ULTOSC`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling, trange::true_ranges};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "ultosc",
    aliases: &[],
    description: "Ultimate oscillator: buying pressure in the true range over three periods, the shortest the heaviest.",
    parameters: &[
        ParameterSpec::period("short", 7),
        ParameterSpec::period("medium", 14),
        ParameterSpec::period("long", 28),
    ],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0).max(arguments.period(1)).max(arguments.period(2))
}

/// Buying pressure is the close less the lower of low and close before; the periods are taken in ascending order, a
/// period without any range counts 0.
fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let ranges = true_ranges(candles).values;
    let mut pressures = vec![0.0; candles.len()];
    for (index, pressure) in pressures.iter_mut().enumerate().skip(1) {
        let low = rolling::smaller(candles.low[index], candles.close[index - 1]);
        *pressure = candles.close[index] - low;
    }
    let mut periods = [arguments.period(0), arguments.period(1), arguments.period(2)];
    periods.sort_unstable();
    let mut column = Column::undefined(candles.len(), first_defined(arguments));
    for (period, weight) in periods.into_iter().zip([4.0, 2.0, 1.0]) {
        let pressure = rolling::mean(&pressures, 1, period);
        let range = rolling::mean(&ranges, 1, period);
        for index in column.first_defined..candles.len() {
            if range.values[index] > 0.0 {
                let share = pressure.values[index] / range.values[index];
                column.values[index] += weight / 7.0 * 100.0 * share;
            }
        }
    }
    vec![column]
}
