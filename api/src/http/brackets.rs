//! Filters in brackets, such as `sharpe_ratio[gte]=2`.

use domain::error_code::ErrorCode;
use projections::metric::Comparison;
use serde_json::Value;

use super::fields::Fields;

/// A parameter of the query whose name has brackets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bracketed<'a> {
    /// As it came.
    pub(crate) name: &'a str,
    /// Before the brackets.
    pub(crate) filtered: &'a str,
    /// In them.
    pub(crate) comparison: &'a str,
}

impl<'a> Bracketed<'a> {
    /// Splits such a name into its parts.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let (filtered, comparison) = name.strip_suffix(']')?.split_once('[')?;
        Some(Self { name, filtered, comparison })
    }

    /// Reads a comparison with a number; what is wrong is noted.
    pub(crate) fn number(
        &self,
        fields: &mut Fields<'_>,
        value: &Value,
    ) -> Option<(Comparison, f64)> {
        let name = self.name;
        let comparison = Comparison::parse(self.comparison);
        if comparison.is_none() {
            let message = format!("`{name}`: use gt, gte, lt, lte or eq.");
            fields.error(name, ErrorCode::Invalid, message);
        }
        let number = value.as_str().and_then(|text| text.trim().parse::<f64>().ok());
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            let message = format!("`{name}` must be a finite number.");
            fields.error(name, ErrorCode::Invalid, message);
        }
        comparison.zip(number)
    }
}
