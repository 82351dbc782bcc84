//! The objective over two parameters: a table whose cells hold the best of all rows that meet there.

use std::collections::BTreeMap;

use super::{Row, spec::Objective};
use crate::number::Number;

/// Values of a metric over two parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// The first parameter's values, ascending: the columns.
    pub x: Vec<Number>,
    /// The second parameter's values, ascending: the rows.
    pub y: Vec<Number>,
    /// `cells[row][column]`; `None` if the sweep has no row there.
    pub cells: Vec<Vec<Option<Cell>>>,
}

/// Where two values meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The number of the best row there.
    pub number: u32,
    /// Its value of the metric; `None` if it is undefined.
    pub value: Option<f64>,
    /// Rows that meet there: they differ in other parameters.
    pub rows_count: u32,
}

impl HeatMap {
    /// The table over the parameters `x` and `y`; rows without one of them are left out. The best row of a cell is the
    /// one that `objective` ranks first, the earlier of equals.
    #[must_use]
    pub fn new(rows: &[Row], x: &str, y: &str, objective: &Objective) -> Self {
        let mut cells: BTreeMap<(Place, Place), Cell> = BTreeMap::new();
        let (mut columns, mut lines) = (BTreeMap::new(), BTreeMap::new());
        for row in rows {
            let (Some(at_x), Some(at_y)) = (row.parameters.get(x), row.parameters.get(y)) else {
                continue;
            };
            columns.insert(Place::of(*at_x), *at_x);
            lines.insert(Place::of(*at_y), *at_y);
            let value = row.objective(objective);
            let new = Cell { number: row.number, value, rows_count: 0 };
            let cell = cells.entry((Place::of(*at_y), Place::of(*at_x))).or_insert(new);
            if objective.order(value, cell.value).is_lt() {
                (cell.number, cell.value) = (row.number, value);
            }
            cell.rows_count += 1;
        }
        let line = |y: &Place| columns.keys().map(|x| cells.get(&(*y, *x)).copied()).collect();
        Self {
            cells: lines.keys().map(line).collect(),
            x: columns.into_values().collect(),
            y: lines.into_values().collect(),
        }
    }
}

/// A number by its order: finite, and never negative zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(i64);

impl Place {
    fn of(number: Number) -> Self {
        let bits = number.get().to_bits().cast_signed();
        // Negative numbers have their bits the other way round.
        Self(bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_numbers() {
        let numbers = [-1e9, -2.5, -1e-9, 0.0, 1e-9, 1.0, 3.5, 1e12];
        let places = numbers.map(|number| Place::of(Number::try_new(number).unwrap()));
        assert!(places.is_sorted() && places.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
