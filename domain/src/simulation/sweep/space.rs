//! The combinations of a search that meet its constraints, in order, numbered from 1.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{
    ParametricStrategy,
    spec::{Axis, Search, Spec},
};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    number::Number,
    simulation::{exact, random::SplitMix64},
    strategy::{language::constraint::Constraint, parameters::Parameters},
};

/// Points of a grid that are looked at, those that break a constraint included.
pub const GRID_POINTS_MAX: u64 = 250_000;

/// Parameters that are swept at once.
pub const AXES_MAX: usize = 10;

/// The combinations that `spec` names, at most `combinations_max`; its parameters have their canonical names.
///
/// # Errors
/// Axes without values, constraints that cannot be read, too many combinations or none: all at once.
pub fn combinations(
    spec: &Spec,
    strategy: &ParametricStrategy,
    combinations_max: usize,
) -> Result<Vec<Parameters>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let constraints = constraints(spec, &strategy.names(), &mut errors);
    let grid = match &spec.search {
        Search::List { .. } => None,
        Search::Grid { axes } | Search::Random { axes, .. } => Some(Grid::read(axes, &mut errors)),
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    let fits = |combination: &Parameters| {
        if constraints.is_empty() {
            return true;
        }
        let mut all = strategy.parameters(combination);
        for (alias, name) in strategy.aliases() {
            if let Some(value) = all.get(name).copied() {
                all.insert(alias.to_owned(), value);
            }
        }
        constraints.iter().all(|constraint| constraint.holds(&all))
    };
    let (field, found) = match (&spec.search, &grid) {
        (Search::List { combinations }, _) => {
            let fitting = combinations.iter().filter(|one| fits(one));
            ("combinations", fitting.take(combinations_max + 1).cloned().collect())
        }
        (Search::Grid { .. }, Some(grid)) => {
            ("grid", grid.points().filter(fits).take(combinations_max + 1).collect())
        }
        (Search::Random { count, seed, .. }, Some(grid)) => {
            ("random", grid.draw(*count, *seed, combinations_max, fits))
        }
        (Search::Grid { .. } | Search::Random { .. }, None) => ("grid", Vec::new()),
    };
    let refuse = |code, message: String| Err(vec![FieldError::new(field, code, message)]);
    match found.len() {
        0 => refuse(ErrorCode::NoCombinations, "no combination meets all constraints".to_owned()),
        count if count > combinations_max => refuse(
            ErrorCode::TooManyCombinations,
            format!("there are more than {combinations_max} combinations"),
        ),
        _ => Ok(found),
    }
}

fn constraints(
    spec: &Spec,
    names: &BTreeSet<&str>,
    errors: &mut Vec<FieldError>,
) -> Vec<Constraint> {
    let mut read = Vec::new();
    for (index, text) in spec.constraints.iter().enumerate() {
        match Constraint::parse(text, names) {
            Ok(constraint) => read.push(constraint),
            Err(fault) => {
                let field = format!("constraints[{index}]");
                errors.push(FieldError::new(field, fault.code, fault.message));
            }
        }
    }
    read
}

/// Axes with their values.
struct Grid(Vec<(String, Vec<Number>)>);

impl Grid {
    fn read(axes: &BTreeMap<String, Axis>, errors: &mut Vec<FieldError>) -> Self {
        if axes.is_empty() || axes.len() > AXES_MAX {
            let message = format!("names 1 to {AXES_MAX} parameters, not {}", axes.len());
            errors.push(FieldError::new("grid", ErrorCode::Invalid, message));
        }
        let mut grid = Vec::new();
        let mut points: u64 = 1;
        for (name, axis) in axes {
            match axis.values() {
                Ok(values) => {
                    points = points.saturating_mul(u64::try_from(values.len()).unwrap_or(u64::MAX));
                    grid.push((name.clone(), values));
                }
                Err(message) => {
                    errors.push(FieldError::new(
                        format!("grid.{name}"),
                        ErrorCode::Invalid,
                        message,
                    ));
                }
            }
        }
        if points > GRID_POINTS_MAX {
            let message = format!("the grid has {points} points, more than {GRID_POINTS_MAX}");
            errors.push(FieldError::new("grid", ErrorCode::TooManyCombinations, message));
        }
        Self(grid)
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|(_, values)| u64::try_from(values.len()).unwrap_or(u64::MAX)).product()
    }

    fn points(&self) -> impl Iterator<Item = Parameters> {
        (0..self.len()).map(|index| self.point(index))
    }

    /// The last axis changes fastest.
    fn point(&self, index: u64) -> Parameters {
        let mut rest = index;
        let mut point = Parameters::new();
        for (name, values) in self.0.iter().rev() {
            let len = u64::try_from(values.len()).unwrap_or(u64::MAX);
            let value = usize::try_from(rest % len).ok().and_then(|at| values.get(at));
            rest /= len;
            point.extend(value.map(|value| (name.clone(), *value)));
        }
        point
    }

    /// `count` of the fitting points in the grid's order, or all where there are fewer: a shuffle that stops.
    fn draw(
        &self,
        count: u32,
        seed: u64,
        combinations_max: usize,
        fits: impl Fn(&Parameters) -> bool,
    ) -> Vec<Parameters> {
        let mut fitting: Vec<u64> =
            (0..self.len()).filter(|index| fits(&self.point(*index))).collect();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let count = count.min(fitting.len()).min(combinations_max + 1);
        let mut random = SplitMix64::new(seed);
        for at in 0..count {
            let other = at + random.below(fitting.len() - at);
            fitting.swap(at, other);
        }
        fitting.truncate(count);
        fitting.sort_unstable();
        fitting.into_iter().map(|index| self.point(index)).collect()
    }
}

impl Axis {
    /// The values, in order.
    ///
    /// # Errors
    /// A sentence: none of them, a step that leads nowhere, too many.
    pub fn values(&self) -> Result<Vec<Number>, String> {
        match self {
            Self::Values(values) if values.is_empty() => Err("has no values".to_owned()),
            Self::Values(values) => {
                let mut values = values.clone();
                values.dedup();
                Ok(values)
            }
            Self::Range { from, to, step } => {
                let exact = |number: &Number| {
                    exact::decimal(number.get())
                        .ok_or_else(|| format!("{} is out of range", number.get()))
                };
                let (start, end, step) = (exact(from)?, exact(to)?, exact(step)?);
                if step <= Decimal::ZERO {
                    return Err(format!("step must be above 0, not {step}"));
                }
                if end < start {
                    return Err(format!("to must not be below from, {start}"));
                }
                let many = || format!("has more than {GRID_POINTS_MAX} values");
                let steps = (end - start).checked_div(step).ok_or_else(many)?.floor();
                let steps = u64::try_from(steps).ok().filter(|steps| *steps < GRID_POINTS_MAX);
                let value = |index: u64| {
                    let moved = Decimal::from(index).checked_mul(step)?.checked_add(start)?;
                    Number::try_new(exact::to_f64(moved.normalize()))
                };
                (0..=steps.ok_or_else(many)?).map(|index| value(index).ok_or_else(many)).collect()
            }
        }
    }
}
