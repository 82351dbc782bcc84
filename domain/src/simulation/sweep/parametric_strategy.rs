//! One strategy with many parameters: its rules are read once and bound for each combination.

use std::collections::{BTreeMap, BTreeSet};

use super::spec::{Search, Spec};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    simulation::rules::BoundStrategy,
    strategy::{
        Builtin, StrategyDefinition, builtins,
        language::suggest::shown,
        parameters::{self, Parameters},
        rules::StrategyRules,
    },
};

/// A strategy whose parameters vary.
#[derive(Debug)]
pub struct ParametricStrategy {
    builtin: Option<&'static Builtin>,
    rules: StrategyRules,
    defaults: Parameters,
    /// What does not vary, in canonical names.
    fixed: Parameters,
}

impl ParametricStrategy {
    /// The strategy with `given` over its defaults, for every parameter that a combination leaves out.
    ///
    /// # Errors
    /// What is wrong with the rules or the parameters.
    pub fn try_new(
        definition: &StrategyDefinition,
        given: &Parameters,
    ) -> Result<Self, Vec<FieldError>> {
        let builtin = definition.code_ref.as_deref().and_then(builtins::find);
        let mut errors = Vec::new();
        let rules = StrategyRules::read(definition, &mut errors, &mut Vec::new());
        let defaults = definition.default_parameters.clone();
        let strategy = |rules| Self { builtin, rules, defaults, fixed: Parameters::new() };
        match rules.map(strategy) {
            Some(strategy) if errors.is_empty() => {
                let fixed = strategy.rename("parameters", given.clone(), &mut errors);
                if errors.is_empty() { Ok(Self { fixed, ..strategy }) } else { Err(errors) }
            }
            Some(_) | None => Err(errors),
        }
    }

    /// The spec with every parameter under the name by which the strategy knows it.
    ///
    /// # Errors
    /// Unknown parameters, and those that are named twice.
    pub fn canonical_spec(&self, spec: Spec) -> Result<Spec, Vec<FieldError>> {
        let mut errors = Vec::new();
        let search = match spec.search {
            Search::Grid { axes } => Search::Grid { axes: self.rename("grid", axes, &mut errors) },
            Search::Random { axes, count, seed } => {
                Search::Random { axes: self.rename("grid", axes, &mut errors), count, seed }
            }
            Search::List { combinations } => {
                let named = combinations.into_iter().enumerate().map(|(index, one)| {
                    self.rename(&format!("combinations[{index}]"), one, &mut errors)
                });
                Search::List { combinations: named.collect() }
            }
        };
        if errors.is_empty() { Ok(Spec { search, ..spec }) } else { Err(errors) }
    }

    /// The names that constraints may use: all parameters, with their other names.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        let own = self.defaults.keys().map(String::as_str);
        own.chain(self.aliases().map(|(alias, _)| alias)).collect()
    }

    /// Other names of parameters, each with the one that is canonical.
    pub(super) fn aliases(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let parameters = self.builtin.map_or(&[][..], |builtin| builtin.parameters);
        parameters.iter().flat_map(|one| one.aliases.iter().map(|alias| (*alias, one.name)))
    }

    /// The parameters of a combination over those that do not vary and the defaults.
    #[must_use]
    pub fn parameters(&self, combination: &Parameters) -> Parameters {
        let mut all = self.defaults.clone();
        for given in [&self.fixed, combination] {
            all.extend(given.iter().map(|(name, value)| (name.clone(), *value)));
        }
        all
    }

    /// What does not vary and was given, in canonical names.
    #[must_use]
    pub fn fixed(&self) -> &Parameters {
        &self.fixed
    }

    /// The name by which the strategy knows a parameter.
    fn canonical_name(&self, field: &str, name: &str) -> Result<String, FieldError> {
        let known = match self.builtin {
            Some(builtin) => builtin.parameter(name).map(|parameter| parameter.name),
            None => {
                let known = self.defaults.get_key_value(name);
                known.map(|(name, _)| name.as_str())
            }
        };
        known
            .map(str::to_owned)
            .ok_or_else(|| parameters::unknown(field.to_owned(), name, &self.defaults))
    }

    /// The rules with a combination's parameters in place.
    ///
    /// # Errors
    /// Unknown parameters and numbers that are out of range, below `field`.
    pub fn bind(
        &self,
        field: &str,
        combination: &Parameters,
    ) -> Result<BoundStrategy, Vec<FieldError>> {
        let given = self.parameters(combination);
        let mut errors = Vec::new();
        let merged = parameters::merge(self.builtin, &self.defaults, &given, field, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        self.rules.bind(&merged, field, &mut errors).ok_or(errors)
    }

    /// The same values under canonical names.
    fn rename<T>(
        &self,
        field: &str,
        given: BTreeMap<String, T>,
        errors: &mut Vec<FieldError>,
    ) -> BTreeMap<String, T> {
        let mut renamed = BTreeMap::new();
        for (given, value) in given {
            let at = format!("{field}.{}", shown(&given));
            match self.canonical_name(&at, &given) {
                Ok(name) => {
                    if renamed.insert(name, value).is_some() {
                        let message = "this parameter is named twice, by two of its names";
                        errors.push(FieldError::new(at, ErrorCode::Conflict, message));
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        renamed
    }
}
