//! Filters that several types share.

use async_graphql::InputObject;
use projections::metric::Comparison;

/// Comparisons; all of them must hold.
#[derive(Debug, Clone, Copy, Default, InputObject)]
pub(crate) struct FloatFilter {
    gt: Option<f64>,
    gte: Option<f64>,
    lt: Option<f64>,
    lte: Option<f64>,
    eq: Option<f64>,
}

impl FloatFilter {
    /// Returns those that are given.
    pub(crate) fn comparisons(self) -> impl Iterator<Item = (Comparison, f64)> {
        let all = [
            (Comparison::Gt, self.gt),
            (Comparison::Gte, self.gte),
            (Comparison::Lt, self.lt),
            (Comparison::Lte, self.lte),
            (Comparison::Eq, self.eq),
        ];
        all.into_iter().filter_map(|(comparison, value)| Some((comparison, value?)))
    }
}
