//! Old events of sweeps become current ones when they are read.

use serde_json::Value;

use crate::{
    simulation::metrics,
    upcasting::{Upcasters, step},
};

/// One step a version, older first; the sample of each old version stays in `testdata/events/sweep`.
#[must_use]
pub fn upcasters() -> Upcasters {
    vec![step("SweepCompleted", "2.0", fractions)]
}

/// 1.0 called fractions percentages, in whatever figures it has.
fn fractions(mut payload: Value) -> Value {
    upcast_within(&mut payload);
    payload
}

fn upcast_within(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "metrics" { metrics::upcast(value) } else { upcast_within(value) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(upcast_within),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
