//! The built-in strategies: parametrised rule sets written in the rule language, constants with fixed ids.

mod adx_trend;
mod bollinger_breakout;
mod bollinger_reversion;
mod buy_and_hold;
mod connors_rsi_2;
mod donchian_breakout;
mod ema_cross;
mod golden_cross;
mod macd_cross;
mod momentum;
mod rsi_mean_reversion;
mod stochastic_reversal;
mod supertrend;

use serde_json::Value;
use uuid::Uuid;

use super::language::suggest::{did_you_mean, nearest, shown};
use crate::{error_code::ErrorCode, fields::FieldError, ids::StrategyId};

/// A strategy that is available to every user, has no owner and was not created by an event.
#[derive(Debug)]
pub struct Builtin {
    /// Its `code_ref` in canonical spelling: `golden_cross`.
    pub name: &'static str,
    /// `golden-cross`
    pub slug: &'static str,
    /// `GoldenCross`, as in `core.strategies.GoldenCross`.
    pub class_name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it does, in a sentence or two.
    pub description: &'static str,
    /// Where the idea is described.
    pub source: &'static str,
    pub parameters: &'static [BuiltinParameter],
    /// Pairs of parameters of which the first must be below the second.
    pub ascending: &'static [(&'static str, &'static str)],
    pub entry_rules: fn() -> Value,
    /// None is never.
    pub exit_rules: Option<fn() -> Value>,
}

/// A number that a built-in can be tuned with.
#[derive(Debug)]
pub struct BuiltinParameter {
    /// Canonical.
    pub name: &'static str,
    /// Other names that mean it.
    pub aliases: &'static [&'static str],
    pub kind: NumberKind,
    pub default: f64,
    /// Included.
    pub minimum: f64,
    /// Included.
    pub maximum: f64,
    pub description: &'static str,
}

/// Which numbers a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberKind {
    Integer,
    Number,
}

impl NumberKind {
    /// Its name in parameter schemas.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
        }
    }
}

/// Every built-in, in the order of the catalogue.
pub const ALL: &[&Builtin] = &[
    &golden_cross::GOLDEN_CROSS,
    &ema_cross::EMA_CROSS,
    &rsi_mean_reversion::RSI_MEAN_REVERSION,
    &connors_rsi_2::CONNORS_RSI_2,
    &macd_cross::MACD_CROSS,
    &bollinger_breakout::BOLLINGER_BREAKOUT,
    &bollinger_reversion::BOLLINGER_REVERSION,
    &donchian_breakout::DONCHIAN_BREAKOUT,
    &supertrend::SUPERTREND,
    &adx_trend::ADX_TREND,
    &momentum::MOMENTUM,
    &stochastic_reversal::STOCHASTIC_REVERSAL,
    &buy_and_hold::BUY_AND_HOLD,
];

/// Modules whose classes name a built-in.
const MODULES: [&str; 2] = ["core.strategies.", "awesome_cli.strategies."];

impl Builtin {
    /// UUIDv5 of the slug: the same in every installation.
    #[must_use]
    pub fn id(&self) -> StrategyId {
        let name = format!("backtrail:strategy:{}", self.slug);
        StrategyId::new(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
    }

    /// The parameter of that name or alias.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'static BuiltinParameter> {
        let is_it = |known: &&BuiltinParameter| known.name == name || known.aliases.contains(&name);
        self.parameters.iter().find(is_it)
    }
}

/// The built-in that a `code_ref` names: `core.strategies.GoldenCross`,
/// `awesome_cli.strategies.GoldenCross`, `GoldenCross`, `golden_cross` and `golden-cross` are one.
#[must_use]
pub fn find(code_ref: &str) -> Option<&'static Builtin> {
    let name = without_module(code_ref.trim());
    let letters: String = letters(name).take(NAME_LENGTH_MAX).collect();
    let is_it = |builtin: &&Builtin| letters.chars().eq(self::letters(builtin.name));
    ALL.iter().copied().find(is_it)
}

/// The built-in with that id.
#[must_use]
pub fn find_by_id(id: StrategyId) -> Option<&'static Builtin> {
    ALL.iter().copied().find(|builtin| builtin.id() == id)
}

/// The built-in with that slug.
#[must_use]
pub fn find_by_slug(slug: &str) -> Option<&'static Builtin> {
    ALL.iter().copied().find(|builtin| builtin.slug == slug)
}

/// The slug that is nearest to a misspelt one.
#[must_use]
pub fn nearest_slug(slug: &str) -> Option<&'static str> {
    nearest(slug, ALL.iter().map(|builtin| builtin.slug))
}

/// The error of a `code_ref` that names no built-in, with the nearest one.
#[must_use]
pub fn unknown(code_ref: &str) -> FieldError {
    let name = without_module(code_ref.trim());
    let near = if name.contains('-') {
        did_you_mean(name, ALL.iter().map(|builtin| builtin.slug))
    } else {
        did_you_mean(name, ALL.iter().map(|builtin| builtin.name))
    };
    let near = match near.is_empty() {
        true => did_you_mean(name, ALL.iter().map(|builtin| builtin.class_name)),
        false => near,
    };
    let message = match near.is_empty() {
        true => {
            let all: Vec<_> = ALL.iter().map(|builtin| builtin.name).collect();
            format!("there is no strategy `{}`; there are {}", shown(code_ref), all.join(", "))
        }
        false => format!("there is no strategy `{}`{near}", shown(code_ref)),
    };
    FieldError::new("code_ref", ErrorCode::UnknownCodeRef, message)
}

/// Longer than any name.
const NAME_LENGTH_MAX: usize = 60;

fn without_module(code_ref: &str) -> &str {
    MODULES.iter().find_map(|module| code_ref.strip_prefix(module)).unwrap_or(code_ref)
}

/// Its letters without case, `_` and `-`.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
