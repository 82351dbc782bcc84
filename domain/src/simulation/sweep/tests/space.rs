//! The combinations of a search.

use serde_json::json;

use super::*;
use crate::fields::FieldError;

/// Of a strategy with the parameters a, b and c = 3.
fn all(spec: &Spec) -> Result<Vec<Parameters>, Vec<FieldError>> {
    let rule = json!({"operator": "and", "conditions": [
        {"indicator": "close", "comparator": ">", "value": "$a + $b + $c"}]});
    let body = json!({"entry_rules": rule, "default_parameters": {"a": 1, "b": 1, "c": 3}});
    let definition = definition(&body);
    let strategy = ParametricStrategy::try_new(&definition, &Parameters::new()).unwrap();
    combinations(&strategy.canonical_spec(spec.clone())?, &strategy, 100)
}

fn shown(combinations: &[Parameters]) -> Vec<Vec<f64>> {
    combinations.iter().map(|one| one.values().map(|value| value.get()).collect()).collect()
}

fn codes(result: Result<Vec<Parameters>, Vec<FieldError>>) -> Vec<(String, String)> {
    result.unwrap_err().into_iter().map(|error| (error.field, error.code.to_string())).collect()
}

#[test]
fn the_last_axis_by_name_changes_fastest_and_constraints_leave_points_out() {
    let axes = axes(&[("b", &[1.0, 2.0, 3.0]), ("a", &[1.0, 2.0])]);
    let every = all(&grid(axes.clone(), &[])).unwrap();
    assert_eq!(shown(&every), [[1., 1.], [1., 2.], [1., 3.], [2., 1.], [2., 2.], [2., 3.]]);
    // `c` does not vary and may be asked for.
    let some = all(&grid(axes, &["a < b", "b < c"])).unwrap();
    assert_eq!(shown(&some), [[1., 2.]]);
}

#[test]
fn a_range_is_counted_in_decimals_and_holds_its_end_where_it_is_met() {
    let range =
        |from, to, step| Axis::Range { from: number(from), to: number(to), step: number(step) };
    let values = |axis: Axis| {
        axis.values().map(|all| all.iter().map(|value| value.get()).collect::<Vec<_>>())
    };
    assert_eq!(values(range(0.1, 0.5, 0.1)).unwrap(), [0.1, 0.2, 0.3, 0.4, 0.5]);
    assert_eq!(values(range(5.0, 21.0, 5.0)).unwrap(), [5.0, 10.0, 15.0, 20.0]);
    assert_eq!(values(range(7.0, 7.0, 1.0)).unwrap(), [7.0]);
    for wrong in [range(1.0, 5.0, 0.0), range(5.0, 1.0, 1.0), range(0.0, 1e12, 1e-9)] {
        assert!(values(wrong).is_err());
    }
}

#[test]
fn a_list_keeps_its_order() {
    let combinations = vec![parameters(&[("a", 9.0)]), parameters(&[("a", 1.0), ("b", 5.0)])];
    let spec = Spec { search: Search::List { combinations }, ..grid(axes(&[]), &[]) };
    assert_eq!(shown(&all(&spec).unwrap()), [vec![9.0], vec![1.0, 5.0]]);
}

#[test]
fn a_random_search_draws_different_points_by_its_seed() {
    let hundred: Vec<f64> = (0..100).map(f64::from).collect();
    let draw = |seed, count| {
        let axes = axes(&[("a", &hundred), ("b", &hundred)]);
        let search = Search::Random { axes, count, seed };
        shown(&all(&Spec { search, ..grid(BTreeMap::new(), &["a < b"]) }).unwrap())
    };
    let (one, other) = (draw(1, 50), draw(2, 50));
    assert_eq!((one.len(), other.len()), (50, 50));
    assert_eq!(one, draw(1, 50));
    assert_ne!(one, other);
    assert!(one.iter().all(|point| point[0] < point[1]));
    let mut sorted = one.clone();
    sorted.sort_by(|left, right| left.partial_cmp(right).unwrap());
    sorted.dedup();
    assert_eq!(one, sorted, "in the grid's order, each once");
    // Spread over the whole grid.
    assert!(one[0][0] < 30.0 && one[49][0] > 60.0, "{one:?}");
}

#[test]
fn fewer_points_than_asked_for_are_all_taken() {
    let search = Search::Random { axes: axes(&[("a", &[1.0, 2.0])]), count: 50, seed: 0 };
    let spec = Spec { search, ..grid(BTreeMap::new(), &[]) };
    assert_eq!(shown(&all(&spec).unwrap()), [[1.0], [2.0]]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let wrong = Spec {
        search: Search::Grid { axes: axes(&[("a", &[]), ("b", &[1.0])]) },
        ..grid(BTreeMap::new(), &["a < d", "b"])
    };
    let expected = [
        ("constraints[0]", "unknown_parameter"),
        ("constraints[1]", "invalid_constraint"),
        ("grid.a", "invalid"),
    ];
    assert_eq!(codes(all(&wrong)), expected.map(|(field, code)| (field.into(), code.into())));
}

#[test]
fn too_many_combinations_and_none_are_refused() {
    let hundred: Vec<f64> = (0..101).map(f64::from).collect();
    let many = grid(axes(&[("a", &hundred)]), &[]);
    assert_eq!(codes(all(&many)), [("grid".into(), "too_many_combinations".into())]);
    let none = grid(axes(&[("a", &hundred)]), &["a > 100"]);
    assert_eq!(codes(all(&none)), [("grid".into(), "no_combinations".into())]);
    let thousand: Vec<f64> = (0..1_001).map(f64::from).collect();
    let huge = grid(axes(&[("a", &thousand), ("b", &thousand)]), &["a < 0"]);
    assert_eq!(codes(all(&huge)), [("grid".into(), "too_many_combinations".into())]);
}

#[test]
fn other_names_of_a_parameter_are_understood_and_unknown_ones_are_not() {
    let definition = definition(&json!({"code_ref": "golden_cross"}));
    let strategy =
        ParametricStrategy::try_new(&definition, &parameters(&[("long", 60.0)])).unwrap();
    assert_eq!(strategy.fixed(), &parameters(&[("long_window", 60.0)]));
    let spec = grid(axes(&[("short", &[5.0, 50.0, 70.0])]), &["short < long_window"]);
    let spec = strategy.canonical_spec(spec).unwrap();
    assert_eq!(spec.search.names(), ["short_window"]);
    assert_eq!(shown(&combinations(&spec, &strategy, 100).unwrap()), [[5.0], [50.0]]);
    let twice = grid(axes(&[("short", &[5.0]), ("short_window", &[6.0]), ("shirt", &[7.0])]), &[]);
    let errors = strategy.canonical_spec(twice).unwrap_err();
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["grid.shirt", "grid.short_window"]);
}
