//! Expressions: what each text means, and what is said about the wrong ones.

use rstest::rstest;

use crate::strategy::language::parse;

#[rstest]
#[case::a_number("30", "30")]
#[case::a_fraction("  .5 ", "0.5")]
#[case::an_exponent("1e-3", "0.001")]
#[case::a_negative_number("-5", "-5")]
#[case::signs_cancel_out("--5", "5")]
#[case::a_source("HL2", "hl2")]
#[case::a_parameter("$short_window", "$short_window")]
#[case::a_bare_indicator("rsi", "rsi(14)")]
#[case::an_indicator_in_any_case("RSI(7)", "rsi(7)")]
#[case::arguments_by_place("sma(20, hl2)", "sma(20, hl2)")]
#[case::the_default_source_is_left_out("sma(20, close)", "sma(20)")]
#[case::arguments_by_name("sma(source = hl2, period = 20)", "sma(20, hl2)")]
#[case::mixed_arguments("bbands(20, deviations = 2.5).upper", "bbands(20, 2.5).upper")]
#[case::a_parameter_as_argument("sma($short)", "sma($short)")]
#[case::the_default_output("macd(12, 26, 9)", "macd(12, 26, 9).macd")]
#[case::an_output_by_name("bbands.LOWER", "bbands(20, 2).lower")]
#[case::a_source_that_comes_first("highest(high, 20)[1]", "highest(high, 20)[1]")]
#[case::the_name_of_ta_lib("max", "highest(high, 20)")]
#[case::no_arguments("obv()", "obv")]
#[case::a_lag("close[1]", "close[1]")]
#[case::lags_add_up("close[1][2]", "close[3]")]
#[case::lags_add_up_through_parentheses("(close[1])[2]", "close[3]")]
#[case::signs_cancel_out_through_parentheses("-(-close)", "close")]
#[case::no_lag("close[0]", "close")]
#[case::products_before_sums("1+2*3", "1 + 2 * 3")]
#[case::parentheses("(1+2)*3", "(1 + 2) * 3")]
#[case::needless_parentheses("((1*2))+((3))", "1 * 2 + 3")]
#[case::left_to_right("8-4-2", "8 - 4 - 2")]
#[case::right_in_parentheses("8-(4-2)", "8 - (4 - 2)")]
#[case::division_left_to_right("8/4/2*3", "8 / 4 / 2 * 3")]
#[case::minus_binds_tighter_than_product("-close*2", "-close * 2")]
#[case::minus_a_sum("-(open+close)", "-(open + close)")]
#[case::lag_of_a_sum("(open+close)[2]", "(open + close)[2]")]
#[case::lag_binds_tighter_than_minus("-close[1]", "-close[1]")]
#[case::functions("max(open, close, 3) - min(1, 2)", "max(open, close, 3) - min(1, 2)")]
#[case::absolute("ABS(close - open)", "abs(close - open)")]
#[case::the_documented_example("highest(high, 20)[1] * 1.01", "highest(high, 20)[1] * 1.01")]
fn an_expression_means(#[case] text: &str, #[case] canonical: &str) {
    let expression = parse(text).unwrap();
    assert_eq!(expression.to_string(), canonical);
    assert_eq!(parse(canonical).unwrap(), expression);
}

#[rstest]
#[case::nothing("", "syntax", "at the end: a number, a name, `$parameter` or `(` is expected")]
#[case::no_operand("1 +", "syntax", "at the end: a number, a name")]
#[case::no_operator("1 2", "syntax", "at character 3 (`2`): an operator or the end is expected")]
#[case::not_closed("(1", "syntax", "at the end: an operator or `)` is expected")]
#[case::call_not_closed("sma(20", "syntax", "at the end: an operator, `,` or `)` is expected")]
#[case::an_argument_too_few("sma(20,)", "syntax", "at character 8 (`)`)")]
#[case::a_strange_character("close € 1", "syntax", "at character 7 (`€`)")]
#[case::a_parameter_without_name("$", "syntax", "the name of a parameter is expected")]
#[case::an_output_without_name("macd.", "syntax", "the name of an output is expected")]
#[case::an_unknown_name("smaa(20)", "unknown_indicator", "`smaa`; did you mean `sma`?")]
#[case::nan("NaN", "unknown_indicator", "`NaN`")]
#[case::too_large("1e999", "invalid", "this number is too large")]
#[case::a_look_ahead("close[-1]", "invalid_lag", "a lag looks back: it cannot be negative")]
#[case::too_long_a_lag("close[10001]", "invalid_lag", "at most 10000")]
#[case::far_too_long_a_lag("close[99999999999999999999]", "invalid_lag", "at most 10000")]
#[case::lags_that_add_up("close[6000][6000]", "invalid_lag", "at most 10000")]
#[case::lags_that_add_up_in_parentheses("(close[6000])[6000]", "invalid_lag", "at most 10000")]
#[case::a_fractional_lag("close[1.5]", "syntax", "`]` is expected")]
#[case::an_unknown_output("macd.sgnal", "unknown_output", "it has macd, signal, histogram")]
#[case::an_unknown_argument("sma(perod = 3)", "unknown_argument", "did you mean `period`?")]
#[case::too_many_arguments("rsi(14, close, 3)", "invalid", "at most 2 arguments")]
#[case::arguments_for_none("obv(3)", "invalid", "`obv` takes no arguments")]
#[case::an_argument_twice("sma(20, period = 30)", "invalid", "given twice")]
#[case::a_place_after_a_name("sma(period = 20, close)", "invalid", "follows one with a name")]
#[case::a_source_for_a_number("sma(close)", "invalid", "period of `sma` is a number")]
#[case::a_number_for_a_source("highest(20)", "invalid", "source of `highest` is a source")]
#[case::an_expression_as_argument("sma(10 + 10)", "invalid", "not an expression")]
#[case::an_indicator_as_source("sma(20, rsi)", "unknown_source", "`rsi` is not a source")]
#[case::a_call_of_a_source("close(3)", "invalid", "it takes no arguments")]
#[case::an_output_of_a_source("close.upper", "invalid", "it takes no arguments or outputs")]
#[case::a_function_alone("abs + 1", "unknown_indicator", "`abs` is a function of expressions")]
#[case::min_of_one("min(close)", "invalid", "`min` takes two arguments or more, not 1")]
#[case::abs_of_two("abs(close, open)", "invalid", "`abs` takes one argument, not 2")]
#[case::a_named_argument_of_a_function("abs(x = 1)", "unknown_argument", "have no names")]
fn a_wrong_expression_is_explained(#[case] text: &str, #[case] code: &str, #[case] part: &str) {
    let faults = parse(text).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].code.as_str(), code, "{faults:?}");
    assert!(faults[0].message.contains(part), "{}", faults[0].message);
}

#[test]
fn every_unknown_name_of_an_expression_is_reported() {
    let faults = parse("smaa(20) + emaa(rsi, 3) * foo").unwrap_err();
    let codes: Vec<_> = faults.iter().map(|fault| fault.code.as_str()).collect();
    assert_eq!(codes, ["unknown_indicator", "unknown_indicator", "unknown_indicator"]);
}

#[test]
fn parentheses_may_be_nested_32_deep_and_no_deeper() {
    let nested = |depth: usize| format!("{}close{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(32)).is_ok());
    assert_eq!(parse(&nested(33)).unwrap_err()[0].code.as_str(), "too_deep");
    let calls = format!("{}1{}", "abs(".repeat(33), ")".repeat(33));
    assert_eq!(parse(&calls).unwrap_err()[0].code.as_str(), "too_deep");
}

#[test]
fn an_expression_may_have_500_bytes_and_no_more() {
    let sum = vec!["1"; 250].join("+");
    assert_eq!(sum.len(), 499);
    assert!(parse(&sum).is_ok());
    assert_eq!(parse(&format!("{sum}+1")).unwrap_err()[0].code.as_str(), "too_long");
}

#[rstest]
#[case::groups("(")]
#[case::signs("-")]
#[case::calls("abs(")]
#[case::lags("close[1]")]
fn a_megabyte_of_it_is_refused(#[case] piece: &str) {
    let text = piece.repeat(1_000_000 / piece.len());
    assert_eq!(parse(&text).unwrap_err()[0].code.as_str(), "too_long");
}
