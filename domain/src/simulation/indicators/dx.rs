//! DX: 100 · |+DI − −DI| ÷ (+DI + −DI) (TA-Lib `DX`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, directional};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "dx",
    aliases: &[],
    description: "Directional movement index: the difference of both directional indicators in percent of their sum.",
    parameters: &[ParameterSpec::period("period", 14)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0)
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    vec![directional::index(candles, arguments.period(0))]
}
