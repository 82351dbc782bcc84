//! All rules of a definition, typed, with their `$parameters` still in them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    builtins::{self, Builtin},
    definition::StrategyDefinition,
    language::{
        bind::Binder,
        config::{self, Reading},
        doubts,
        rules::{self, Rule, RuleTest, Term},
    },
    parameters,
};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    number::Number,
    simulation::rules::{BoundStrategy, Directions, EntryPrices},
};

/// What [`StrategyDefinition`] says, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct StrategyRules {
    pub entry: Option<Rule>,
    pub exit: Option<Rule>,
    pub short_entry: Option<Rule>,
    pub short_exit: Option<Rule>,
    pub config: Reading,
}

impl StrategyRules {
    /// Reads the rules of a definition, or of the built-in that it names. `None` if it names an
    /// unknown one; other faults are added to the errors, and the parts that have them are left out.
    pub fn read(
        definition: &StrategyDefinition,
        errors: &mut Vec<FieldError>,
        warnings: &mut Vec<FieldError>,
    ) -> Option<Self> {
        let config = definition
            .config
            .as_ref()
            .map_or_else(Reading::default, |config| config::read(config, errors, warnings));
        let mut rule = |field: &str, value: Option<&Value>| {
            value.and_then(|value| rules::read(field, value, errors))
        };
        if let Some(code_ref) = &definition.code_ref {
            let Some(builtin) = builtins::find(code_ref) else {
                errors.push(builtins::unknown(code_ref));
                return None;
            };
            let entry = rule("entry_rules", Some(&(builtin.entry_rules)()));
            let exit = rule("exit_rules", builtin.exit_rules.map(|rules| rules()).as_ref());
            return Some(Self { entry, exit, short_entry: None, short_exit: None, config });
        }
        let entry = rule("entry_rules", definition.entry_rules.as_ref());
        let exit = rule("exit_rules", definition.exit_rules.as_ref());
        let short_entry = rule("short_entry_rules", definition.short_entry_rules.as_ref());
        let short_exit = rule("short_exit_rules", definition.short_exit_rules.as_ref());
        let short_rules = [
            ("short_entry_rules", &definition.short_entry_rules),
            ("short_exit_rules", &definition.short_exit_rules),
        ];
        for (field, given) in short_rules {
            if given.is_some() && config.config.direction != Directions::Both {
                let message = "only direction `both` has rules of its own for shorts";
                errors.push(FieldError::new(field, ErrorCode::Invalid, message));
            }
        }
        Some(Self { entry, exit, short_entry, short_exit, config })
    }

    /// Returns the rules with these parameters in place; `None` if something is wrong, which the errors say.
    pub fn bind(
        &self,
        parameters: &BTreeMap<String, Number>,
        parameters_field: &str,
        errors: &mut Vec<FieldError>,
    ) -> Option<BoundStrategy> {
        let before = errors.len();
        let mut binder = Binder::new(parameters, parameters_field, errors);
        let mut bind = |rule: &Option<Rule>| rule.as_ref().and_then(|rule| binder.bind(rule));
        let entry = bind(&self.entry);
        let exit = bind(&self.exit);
        let short_entry = bind(&self.short_entry);
        let short_exit = bind(&self.short_exit);
        let partial_exit = bind(&self.config.partial_exit);
        let mut operand = |term: &Option<Term>| term.as_ref().and_then(|term| binder.operand(term));
        let prices = &self.config.prices;
        let entry_prices = EntryPrices {
            price: operand(&prices.price),
            limit: operand(&prices.limit),
            short_price: operand(&prices.short_price),
            short_limit: operand(&prices.short_limit),
        };
        let trailing_range = operand(&self.config.trailing_range);
        if errors.len() > before {
            return None;
        }
        Some(BoundStrategy {
            entry: entry?,
            exit,
            short_entry,
            short_exit,
            partial_exit,
            entry_prices,
            trailing_range,
            config: self.config.config.clone(),
        })
    }

    /// Warns of what is valid and cannot mean what it says with these parameters.
    #[must_use]
    pub fn doubts(&self, parameters: &BTreeMap<String, Number>) -> Vec<FieldError> {
        let mut warnings = Vec::new();
        let rules = [&self.entry, &self.exit, &self.short_entry, &self.short_exit];
        for rule in rules.into_iter().chain([&self.config.partial_exit]).flatten() {
            doubts::of_rule(rule, parameters, &mut warnings);
        }
        for term in self.config.prices.all() {
            doubts::of_term(term, parameters, &mut warnings);
        }
        warnings
    }

    /// The names of all parameters that the rules use.
    #[must_use]
    pub fn used_parameters(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        let rules = [&self.entry, &self.exit, &self.short_entry, &self.short_exit];
        for rule in rules.into_iter().chain([&self.config.partial_exit]).flatten() {
            collect(rule, &mut names);
        }
        for term in self.config.prices.all() {
            term.expression.visit_parameters(&mut |name| {
                names.insert(name);
            });
        }
        names
    }
}

impl StrategyDefinition {
    /// The definition of a built-in with its own defaults.
    #[must_use]
    pub fn of_builtin(builtin: &Builtin) -> Self {
        Self {
            code_ref: Some(builtin.name.to_owned()),
            default_parameters: parameters::defaults_of(builtin),
            ..Self::default()
        }
    }

    /// The default parameters with `parameters` over them, in canonical names.
    ///
    /// # Errors
    /// Unknown names (with the nearest known one) and out-of-range values, as `parameters.<name>`.
    pub fn merge_parameters(
        &self,
        parameters: &BTreeMap<String, Number>,
    ) -> Result<BTreeMap<String, Number>, Vec<FieldError>> {
        let builtin = self.code_ref.as_deref().and_then(builtins::find);
        let mut errors = Vec::new();
        let merged = parameters::merge(
            builtin,
            &self.default_parameters,
            parameters,
            "parameters",
            &mut errors,
        );
        if errors.is_empty() {
            self.bind(&merged)?;
            return Ok(merged);
        }
        Err(errors)
    }

    /// The typed rules with these parameters (as [`Self::merge_parameters`] gave them) in place.
    ///
    /// # Errors
    /// Arguments that the parameters put out of range.
    pub fn bind(
        &self,
        parameters: &BTreeMap<String, Number>,
    ) -> Result<BoundStrategy, Vec<FieldError>> {
        let mut errors = Vec::new();
        let bound = StrategyRules::read(self, &mut errors, &mut Vec::new())
            .and_then(|rules| rules.bind(parameters, "parameters", &mut errors));
        match bound {
            Some(bound) if errors.is_empty() => Ok(bound),
            Some(_) | None => Err(errors),
        }
    }
}

fn collect<'a>(rule: &'a Rule, names: &mut BTreeSet<&'a str>) {
    let mut visit = |name| {
        names.insert(name);
    };
    match rule {
        Rule::All(rules) | Rule::Any(rules) => {
            for rule in rules {
                collect(rule, names);
            }
        }
        Rule::Compare(comparison) => {
            comparison.left.expression.visit_parameters(&mut visit);
            match &comparison.test {
                RuleTest::Is(_, right) => right.expression.visit_parameters(&mut visit),
                RuleTest::Between(low, high) => {
                    low.expression.visit_parameters(&mut visit);
                    high.expression.visit_parameters(&mut visit);
                }
            }
        }
    }
}
