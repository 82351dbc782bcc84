//! The stable codes of errors: what `error.code` and the `code` of each detail can be, in answers, OpenAPI and docs.

use std::fmt;

use serde::{Serialize, Serializer};

/// Whether a code is of a whole request, or of one of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `error.code`.
    Request,
    /// The `code` of an entry of `error.details`, and of a warning of `/strategies/validate`.
    Field,
    /// Either.
    Both,
}

macro_rules! codes {
    ($($variant:ident $text:literal $scope:ident $meaning:literal,)*) => {
        /// A stable word for programs. New ones may be added; none changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// Where it stands.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope,)* }
            }
        }
    };
}

codes! {
    Malformed "malformed" Request "The request cannot be parsed.",
    Unauthorized "unauthorized" Request "There is no valid session.",
    Forbidden "forbidden" Request "The resource belongs to another user.",
    NotFound "not_found" Both "The resource does not exist.",
    NoData "no_data" Request "There are no candles for this market, timeframe and range.",
    MethodNotAllowed "method_not_allowed" Request "The path does not support the method; see `Allow`.",
    Conflict "conflict" Both "The resource was changed concurrently, or two fields exclude each other.",
    EmailTaken "email_taken" Both "Another account has the email address.",
    PreconditionFailed "precondition_failed" Request "The resource is not in the state that `If-Match` names.",
    TooLarge "too_large" Request "The body is too large.",
    UnsupportedMediaType "unsupported_media_type" Request "The body is not of a supported media type.",
    ValidationFailed "validation_failed" Request "Fields are invalid; see `details`.",
    IdempotencyMismatch "idempotency_mismatch" Request "The `Idempotency-Key` was used with another body.",
    NotCancellable "not_cancellable" Request "The run or sweep has ended already.",
    NotCompleted "not_completed" Request "The sweep is not completed yet.",
    Internal "internal" Request "Something went wrong in the service; it is in its log under the request id.",
    Unavailable "unavailable" Request "The service is temporarily unavailable; see `Retry-After`.",
    TooComplex "too_complex" Request "The GraphQL query costs more than the limit.",
    FragmentCycle "fragment_cycle" Request "A GraphQL fragment spreads itself.",
    Required "required" Field "The field is missing.",
    Invalid "invalid" Field "The value is not of the expected type or form.",
    InvalidNumber "invalid_number" Field "The number is not finite.",
    OutOfRange "out_of_range" Field "The value is outside of its range.",
    TooShort "too_short" Field "The value is too short.",
    TooLong "too_long" Both "The text is too long.",
    TooDeep "too_deep" Both "The value is nested too deeply.",
    UnknownField "unknown_field" Field "There is no field or query parameter of that name.",
    ReadOnly "read_only" Field "The field cannot be changed.",
    ConflictingSynonyms "conflicting_synonyms" Field "Two names of the same field have different values.",
    Syntax "syntax" Field "The expression cannot be parsed.",
    EmptyGroup "empty_group" Field "A group of rules has no conditions.",
    TooManyConditions "too_many_conditions" Field "The rules have too many conditions and groups.",
    TooManyIndicators "too_many_indicators" Field "The strategy uses too many different indicators.",
    TooManyParameters "too_many_parameters" Field "The strategy has too many parameters.",
    UnknownIndicator "unknown_indicator" Field "There is no indicator of that name.",
    UnknownArgument "unknown_argument" Field "The indicator has no argument of that name.",
    UnknownOutput "unknown_output" Field "The indicator has no output of that name.",
    UnknownSource "unknown_source" Field "There is no price source of that name.",
    UnknownParameter "unknown_parameter" Field "The strategy has no parameter of that name.",
    UnknownComparator "unknown_comparator" Field "There is no such comparator.",
    UnknownOperator "unknown_operator" Field "There is no such operator of groups.",
    UnknownCodeRef "unknown_code_ref" Field "There is no built-in strategy of that name.",
    UnknownMetric "unknown_metric" Field "There is no metric of that name.",
    InvalidPeriod "invalid_period" Field "The period is not a whole number in the indicator's range.",
    InvalidLag "invalid_lag" Field "The lag is not a whole number in its range.",
    InvalidConstraint "invalid_constraint" Field "The constraint does not compare parameters and numbers.",
    UnsupportedSetting "unsupported_setting" Field "The engine does not honour the setting, alone or in this combination.",
    NoCandles "no_candles" Field "There are no candles in the range.",
    NotEnoughCandles "not_enough_candles" Field "The range has fewer candles than the strategy needs.",
    TooManyCombinations "too_many_combinations" Field "The sweep has more combinations than the limit.",
    NoCombinations "no_combinations" Field "No combination of the sweep meets all constraints.",
    TooManyWindows "too_many_windows" Field "The range has fewer candles than the walk-forward windows need.",
    AlwaysTrue "always_true" Field "A warning: the condition always holds, whatever the candles.",
    NeverTrue "never_true" Field "A warning: the condition never holds, whatever the candles.",
    SameOnBothSides "same_on_both_sides" Field "A warning: both sides of the condition are the same.",
    ConstantCondition "constant_condition" Field "A warning: the condition compares constants.",
    ReversedRange "reversed_range" Field "A warning: the lower end of `between` is above the upper one.",
    DivisionByZero "division_by_zero" Field "A warning: the expression divides by what is always zero.",
    SuspiciousUnit "suspicious_unit" Field "A warning: the value looks like another unit (percent, fraction, basis points).",
    UnusedParameter "unused_parameter" Field "A warning: no rule uses the parameter.",
    UnusedSetting "unused_setting" Field "A warning: the setting has no effect in this combination.",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_code_with_its_meaning() {
        let docs = include_str!("../../docs/rules.md");
        for code in ErrorCode::ALL {
            let row = format!("| `{code}` | {} |", code.meaning());
            let count = if code.scope() == Scope::Both { 2 } else { 1 };
            assert_eq!(docs.matches(&row).count(), count, "docs/rules.md: {row}");
        }
    }

    #[test]
    fn no_code_comes_twice() {
        let mut words: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ErrorCode::ALL.len());
    }
}
