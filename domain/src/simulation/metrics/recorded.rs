//! Metrics as events and tables write them: what is a fraction is called one, and times are RFC 3339.

use serde_json::Value;

use crate::upcasting::rfc3339;

/// What the API gives in percent, under that name, with the name under which its fraction is recorded.
const FRACTIONS: [(&str, &str); 2] = [
    ("max_drawdown_percentage", "max_drawdown_fraction"),
    ("total_pnl_percentage", "total_pnl_fraction"),
];

/// The name of a metric in events and tables; it differs from the API's only where the API gives percent.
#[must_use]
pub fn recorded_name(name: &'static str) -> &'static str {
    FRACTIONS.iter().find(|(wire, _)| *wire == name).map_or(name, |(_, recorded)| recorded)
}

/// Metrics of earlier events called fractions percentages, and had times in epoch milliseconds. No number changes.
pub(crate) fn upcast(metrics: &mut Value) {
    for (wire, recorded) in FRACTIONS {
        rename(metrics, wire, recorded);
    }
    let periods = metrics.get_mut("drawdown_periods").and_then(Value::as_array_mut);
    for period in periods.into_iter().flatten() {
        rename(period, "depth", "depth_fraction");
        for time in ["start", "bottom", "recovery"] {
            if let Some(time) = period.get_mut(time) {
                rfc3339(time);
            }
        }
    }
}

fn rename(value: &mut Value, from: &str, to: &str) {
    if let Some(fields) = value.as_object_mut()
        && let Some(value) = fields.remove(from)
    {
        fields.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::metrics::Metrics;

    #[test]
    fn the_names_are_those_that_serde_writes() {
        let mut metrics = Metrics::default();
        for name in Metrics::NAMES {
            assert!(metrics.set(name, Some(0.5)));
        }
        let written = serde_json::to_value(&metrics).unwrap();
        for name in Metrics::NAMES {
            assert_eq!(written[recorded_name(name)], 0.5, "{name}");
        }
        assert!(!written.to_string().contains("percentage"));
    }
}
