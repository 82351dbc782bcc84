//! Parses the search of a sweep from a request body: `grid`, `combinations`, `random`, `constraints`, `objective`, `walk_forward`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::spec::{Axis, Goal, Mode, Objective, Search, Spec, WalkForward};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    number::Number,
    simulation::metrics::{Metrics, is_objective},
    strategy::{
        language::suggest::{did_you_mean, shown},
        parameters,
    },
};

/// Constraints of one sweep.
const CONSTRAINTS_MAX: usize = 20;

/// Walk-forward windows of one sweep.
const WINDOWS_MAX: u64 = 100;

impl Spec {
    /// The fields of a body that make a search.
    pub const FIELDS: [&'static str; 6] =
        ["grid", "combinations", "random", "constraints", "objective", "walk_forward"];

    /// Reads them out of a body (other fields are ignored); what is wrong is noted, and what can be read is there, so
    /// that all of it can be checked at once.
    pub fn parse(body: &Map<String, Value>, errors: &mut Vec<FieldError>) -> Option<Self> {
        let mut reader = Reader { body, errors };
        let search = reader.search();
        let constraints = reader.constraints();
        let objective = reader.objective();
        let walk_forward = reader.walk_forward();
        let objective = objective.unwrap_or_default();
        Some(Self { search: search?, constraints, objective, walk_forward })
    }
}

struct Reader<'a> {
    body: &'a Map<String, Value>,
    errors: &'a mut Vec<FieldError>,
}

impl<'a> Reader<'a> {
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    fn refuse(&mut self, field: impl Into<String>, code: ErrorCode, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, code, message));
    }

    fn search(&mut self) -> Option<Search> {
        let list = self.value("combinations");
        let (grid, random) = (self.value("grid"), self.value("random"));
        match (grid, list) {
            (None, None) => {
                let message = "is required: the values of each parameter, or `combinations`";
                self.refuse("grid", ErrorCode::Required, message);
                None
            }
            (Some(_), Some(_)) => {
                self.refuse(
                    "combinations",
                    ErrorCode::Conflict,
                    "give either `grid` or `combinations`",
                );
                None
            }
            (None, Some(list)) => {
                if random.is_some() {
                    self.refuse(
                        "random",
                        ErrorCode::Conflict,
                        "draws from a `grid`, not from a list",
                    );
                }
                self.combinations(list)
            }
            (Some(grid), None) => {
                let axes = self.axes(grid)?;
                match random {
                    None => Some(Search::Grid { axes }),
                    Some(random) => self.random(random, axes),
                }
            }
        }
    }

    fn combinations(&mut self, list: &Value) -> Option<Search> {
        let Value::Array(list) = list else {
            self.refuse("combinations", ErrorCode::Invalid, "must be a list of objects");
            return None;
        };
        let before = self.errors.len();
        let mut combinations = Vec::with_capacity(list.len());
        for (index, one) in list.iter().enumerate() {
            let field = format!("combinations[{index}]");
            combinations.push(parameters::read(&field, Some(one), self.errors));
        }
        (self.errors.len() == before).then_some(Search::List { combinations })
    }

    fn axes(&mut self, grid: &Value) -> Option<BTreeMap<String, Axis>> {
        let Value::Object(members) = grid else {
            let message = "must be an object: a list, or {from, to, step}, for each parameter";
            self.refuse("grid", ErrorCode::Invalid, message);
            return None;
        };
        let before = self.errors.len();
        let mut axes = BTreeMap::new();
        for (name, values) in members {
            match axis(values) {
                Ok(axis) => {
                    axes.insert(name.clone(), axis);
                }
                Err(message) => {
                    self.refuse(format!("grid.{}", shown(name)), ErrorCode::Invalid, message)
                }
            }
        }
        (self.errors.len() == before).then_some(axes)
    }

    fn random(&mut self, random: &'a Value, axes: BTreeMap<String, Axis>) -> Option<Search> {
        let known = ["count", "seed"];
        let members = self.object("random", random, &known)?;
        let count = self.whole("random.count", members.get("count"), 1, u64::from(u32::MAX));
        let seed = match members.get("seed") {
            None | Some(Value::Null) => Some(0),
            seed => self.whole("random.seed", seed, 0, u64::MAX),
        };
        let count = u32::try_from(count?).ok()?;
        Some(Search::Random { axes, count, seed: seed? })
    }

    fn constraints(&mut self) -> Vec<String> {
        let Some(value) = self.value("constraints") else { return Vec::new() };
        let texts: Option<Vec<String>> = value
            .as_array()
            .and_then(|list| list.iter().map(|text| text.as_str().map(str::to_owned)).collect());
        match texts {
            Some(texts) if texts.len() <= CONSTRAINTS_MAX => texts,
            Some(_) | None => {
                let message = format!("must be a list of at most {CONSTRAINTS_MAX} strings");
                self.refuse("constraints", ErrorCode::Invalid, message);
                Vec::new()
            }
        }
    }

    /// A metric's name, or an object with its direction.
    fn objective(&mut self) -> Option<Objective> {
        let (metric, direction) = match self.value("objective") {
            None => return Some(Objective::default()),
            Some(Value::String(metric)) => (metric.as_str(), None),
            Some(value) => {
                let members = self.object("objective", value, &["metric", "direction"])?;
                let metric = members.get("metric").and_then(Value::as_str);
                let Some(metric) = metric else {
                    self.refuse("objective.metric", ErrorCode::Required, "is the name of a metric");
                    return None;
                };
                (metric, members.get("direction").filter(|value| !value.is_null()))
            }
        };
        if !is_objective(metric) {
            let near = did_you_mean(metric, Metrics::all_names().filter(|name| is_objective(name)));
            let message = format!("rows are not ranked by a metric `{}`{near}", shown(metric));
            self.refuse("objective", ErrorCode::UnknownMetric, message);
            return None;
        }
        let direction = match direction.map(Value::as_str) {
            None => Objective::direction_of(metric),
            Some(Some("maximize")) => Goal::Maximize,
            Some(Some("minimize")) => Goal::Minimize,
            Some(_) => {
                self.refuse(
                    "objective.direction",
                    ErrorCode::Invalid,
                    "must be maximize or minimize",
                );
                return None;
            }
        };
        Some(Objective { metric: metric.to_owned(), direction })
    }

    fn walk_forward(&mut self) -> Option<WalkForward> {
        let value = self.value("walk_forward")?;
        let members =
            self.object("walk_forward", value, &["mode", "windows", "in_sample_percentage"])?;
        let mode = match members.get("mode").map(Value::as_str) {
            None | Some(Some("rolling")) => Some(Mode::Rolling),
            Some(Some("anchored")) => Some(Mode::Anchored),
            Some(_) => {
                self.refuse("walk_forward.mode", ErrorCode::Invalid, "must be rolling or anchored");
                None
            }
        };
        let windows = self.whole("walk_forward.windows", members.get("windows"), 1, WINDOWS_MAX);
        let percentage = match members.get("in_sample_percentage") {
            None | Some(Value::Null) => Some(70),
            value => self.whole("walk_forward.in_sample_percentage", value, 1, 99),
        };
        Some(WalkForward {
            mode: mode?,
            windows: u32::try_from(windows?).ok()?,
            in_sample_percentage: u32::try_from(percentage?).ok()?,
        })
    }

    fn object(
        &mut self,
        field: &str,
        value: &'a Value,
        known: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let Value::Object(members) = value else {
            self.refuse(
                field,
                ErrorCode::Invalid,
                format!("must be an object of {}", known.join(", ")),
            );
            return None;
        };
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let name = shown(name);
            let message = format!("is not a field of it; there are {}", known.join(", "));
            self.refuse(format!("{field}.{name}"), ErrorCode::UnknownField, message);
        }
        Some(members)
    }

    fn whole(&mut self, field: &str, value: Option<&Value>, least: u64, most: u64) -> Option<u64> {
        let number = match value {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            None | Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let message = format!("must be a whole number from {least} to {most}");
            self.refuse(field, ErrorCode::Invalid, message);
        }
        number
    }
}

/// Parses a list of numbers, or `{from, to, step}`; `step` defaults to 1.
fn axis(value: &Value) -> Result<Axis, String> {
    let number = |value: &Value| {
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        number.and_then(Number::try_new).ok_or_else(|| "must hold finite numbers".to_owned())
    };
    match value {
        Value::Array(list) => list.iter().map(number).collect::<Result<_, _>>().map(Axis::Values),
        Value::Object(members) => {
            let known = ["from", "to", "step"];
            if let Some(other) = members.keys().find(|name| !known.contains(&name.as_str())) {
                return Err(format!("has {}, not `{}`", known.join(", "), shown(other)));
            }
            let member = |name: &str| members.get(name).map(number).transpose();
            let required = |name: &str| member(name)?.ok_or_else(|| format!("needs `{name}`"));
            Ok(Axis::Range {
                from: required("from")?,
                to: required("to")?,
                step: member("step")?.unwrap_or(Number::ONE),
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err("must be a list of numbers, or {from, to, step}".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
    fn parse(body: Value) -> Result<Spec, Vec<(String, String)>> {
        let mut errors = Vec::new();
        let spec = Spec::parse(body.as_object().unwrap(), &mut errors);
        let spec = spec.filter(|_| errors.is_empty());
        spec.ok_or_else(|| {
            errors.into_iter().map(|error| (error.field, error.code.to_string())).collect()
        })
    }

    #[test]
    fn a_whole_search_is_read_with_its_defaults() {
        let spec = parse(json!({
            "grid": {"b": {"from": 5, "to": 50, "step": 5}, "a": [1, "2.5"]},
            "random": {"count": 10},
            "constraints": ["a < b"],
            "objective": "max_drawdown",
            "walk_forward": {"windows": 4}
        }))
        .unwrap();
        let expected = json!({
            "search": {"kind": "random", "count": 10, "seed": 0,
                "axes": {"a": [1, 2.5], "b": {"from": 5, "to": 50, "step": 5}}},
            "constraints": ["a < b"],
            "objective": {"metric": "max_drawdown", "direction": "minimize"},
            "walk_forward": {"mode": "rolling", "windows": 4, "in_sample_percentage": 70}
        });
        assert_eq!(serde_json::to_value(&spec).unwrap(), expected);
        let list = parse(json!({"combinations": [{"a": 1}, {"a": 2, "b": 3}]})).unwrap();
        assert!(matches!(list.search, Search::List { combinations } if combinations.len() == 2));
        assert_eq!(list.objective.metric, "sharpe_ratio");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = parse(json!({
            "grid": {"a": "5", "b": {"from": 1}, "c": {"from": 1, "to": 2, "stop": 1}},
            "constraints": "a < b",
            "objective": {"metric": "sharp_ratio"},
            "walk_forward": {"mode": "backwards", "windows": 0, "in_sample_percentage": 100, "x": 1}
        }));
        let fields: Vec<String> = wrong.unwrap_err().into_iter().map(|(field, _)| field).collect();
        let expected = [
            "grid.a",
            "grid.b",
            "grid.c",
            "constraints",
            "objective",
            "walk_forward.x",
            "walk_forward.mode",
            "walk_forward.windows",
            "walk_forward.in_sample_percentage",
        ];
        assert_eq!(fields, expected);
    }

    /// A new metric needs a decision.
    #[test]
    fn every_metric_has_its_direction_unless_one_is_given() {
        let maximized = "total_trades winning_trades total_pnl sharpe_ratio sharpe_geometric sortino_ratio annual_return \
            cagr calmar_ratio win_rate profit_factor profit_factor_percent average_trade best_trade worst_trade expectancy \
            exposure sqn kelly average_holding_seconds max_holding_seconds total_pnl_percentage total_return \
            buy_and_hold_return alpha beta value_at_risk conditional_value_at_risk skew tail_ratio omega t_statistic \
            average_win average_loss payoff_ratio longest_winning_streak recovery_factor";
        let minimized = "losing_trades total_fees volatility max_drawdown max_drawdown_percentage turnover kurtosis \
            ulcer_index p_value longest_losing_streak longest_drawdown_seconds";
        let of = |metric: &str| parse(json!({"grid": {"a": [1]}, "objective": metric}));
        let mut decided = Vec::new();
        for (names, direction) in [(maximized, Goal::Maximize), (minimized, Goal::Minimize)] {
            for name in names.split_whitespace() {
                assert_eq!(of(name).unwrap().objective.direction, direction, "{name}");
                decided.push(name);
            }
        }
        let mut all: Vec<&str> = Metrics::all_names().filter(|name| is_objective(name)).collect();
        all.sort_unstable();
        decided.sort_unstable();
        assert_eq!(decided, all);
        let given = json!({"grid": {"a": [1]}, "objective": {"metric": "p_value", "direction": "maximize"}});
        assert_eq!(parse(given).unwrap().objective.direction, Goal::Maximize);
    }

    #[test]
    fn a_metric_that_ranks_no_rows_is_not_suggested() {
        for (metric, suggested) in [
            ("luck_percentile", None),
            ("luck_percentil", None),
            ("sharp_ratio", Some("sharpe_ratio")),
        ] {
            let mut errors = Vec::new();
            let body = json!({"grid": {"a": [1]}, "objective": metric});
            Spec::parse(body.as_object().unwrap(), &mut errors);
            let hint = suggested.map_or("`".to_owned(), |name| format!("did you mean `{name}`?"));
            assert!(errors[0].message.ends_with(&hint), "{}", errors[0].message);
        }
    }

    #[test]
    fn a_search_is_a_grid_or_a_list() {
        let code = |body| parse(body).unwrap_err();
        assert_eq!(code(json!({})), [("grid".into(), "required".into())]);
        let both = json!({"grid": {"a": [1]}, "combinations": [{"a": 1}]});
        assert_eq!(code(both), [("combinations".into(), "conflict".into())]);
        let drawn = json!({"random": {"count": 1}, "combinations": [{"a": 1}]});
        assert_eq!(code(drawn), [("random".into(), "conflict".into())]);
        let unnamed = json!({"combinations": [{"a": "x"}]});
        assert_eq!(code(unnamed), [("combinations[0].a".into(), "invalid".into())]);
    }
}
