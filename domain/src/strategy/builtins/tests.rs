//! The built-ins: found by every spelling, sound, and written down with stable ids.

use std::{fmt::Write as _, path::Path};

use rstest::rstest;

use super::*;
use crate::{simulation::rules::Condition, strategy::StrategyDefinition};

#[rstest]
#[case("core.strategies.GoldenCross", "golden_cross")]
#[case("awesome_cli.strategies.GoldenCross", "golden_cross")]
#[case("GoldenCross", "golden_cross")]
#[case("golden_cross", "golden_cross")]
#[case("golden-cross", "golden_cross")]
#[case(" goldencross ", "golden_cross")]
#[case("core.strategies.RSIMeanReversion", "rsi_mean_reversion")]
#[case("core.strategies.rsi_mean_reversion", "rsi_mean_reversion")]
#[case("MACDCross", "macd_cross")]
#[case("awesome_cli.strategies.BollingerBreakout", "bollinger_breakout")]
#[case("buy-and-hold", "buy_and_hold")]
#[case("EMACross", "ema_cross")]
#[case("core.strategies.ConnorsRSI2", "connors_rsi_2")]
#[case("connors-rsi-2", "connors_rsi_2")]
#[case("core.strategies.DonchianBreakout", "donchian_breakout")]
#[case("super_trend", "supertrend")]
#[case("awesome_cli.strategies.ADXTrend", "adx_trend")]
fn a_code_ref_has_many_spellings(#[case] code_ref: &str, #[case] name: &str) {
    assert_eq!(find(code_ref).unwrap().name, name);
}

#[rstest]
#[case(
    "",
    "there are golden_cross, ema_cross, rsi_mean_reversion, connors_rsi_2, macd_cross, bollinger_breakout, \
     bollinger_reversion, donchian_breakout, supertrend, adx_trend, momentum, stochastic_reversal, buy_and_hold"
)]
#[case("core.strategies.GoldenCros", "did you mean `golden_cross`?")]
#[case("golden_crss", "did you mean `golden_cross`?")]
#[case("golden-cros", "did you mean `golden-cross`?")]
#[case("Golden-Cros", "did you mean `golden-cross`?")]
#[case("os.system", "there are golden_cross")]
#[case("other.strategies.GoldenCross", "there are golden_cross")]
fn an_unknown_code_ref_is_explained(#[case] code_ref: &str, #[case] part: &str) {
    assert!(find(code_ref).is_none());
    let error = unknown(code_ref);
    assert_eq!((error.field.as_str(), error.code.as_str()), ("code_ref", "unknown_code_ref"));
    assert!(error.message.contains(part), "{}", error.message);
}

#[test]
fn every_built_in_is_sound_with_its_defaults() {
    for builtin in ALL {
        let definition = StrategyDefinition::of_builtin(builtin);
        assert_eq!(definition.default_parameters.len(), builtin.parameters.len());
        let bound = definition.bind(&definition.default_parameters).unwrap();
        assert_eq!(bound.exit.is_none(), builtin.name == "buy_and_hold");
        assert_eq!(builtin.slug, crate::strategy::slug(builtin.title));
        for module in ["", "core.strategies.", "awesome_cli.strategies."] {
            for name in [builtin.name, builtin.slug, builtin.class_name] {
                assert_eq!(find(&format!("{module}{name}")).unwrap().name, builtin.name);
            }
        }
        assert_eq!(find_by_id(builtin.id()).unwrap().name, builtin.name);
        assert_eq!(find_by_slug(builtin.slug).unwrap().name, builtin.name);
    }
}

#[test]
fn every_default_is_in_range_and_every_name_means_one_parameter() {
    for builtin in ALL {
        let mut names = Vec::new();
        for parameter in builtin.parameters {
            assert!((parameter.minimum..=parameter.maximum).contains(&parameter.default));
            names.push(parameter.name);
            names.extend(parameter.aliases);
        }
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{}: {names:?}", builtin.name);
    }
}

/// Python's `uuid.uuid5(uuid.NAMESPACE_URL, "backtrail:strategy:" + slug)`: clients may keep these.
#[rstest]
#[case("golden-cross", "adfd1549-4208-5557-8e9c-8eaf72ea1d1d")]
#[case("ema-cross", "0997ef90-747e-547c-ae03-2fd8b48a0402")]
#[case("rsi-mean-reversion", "a841208a-be4c-5c18-9e4f-5884089503c8")]
#[case("connors-rsi-2", "82b5a6bb-dfe3-57b7-8e5e-dc709e62e24f")]
#[case("macd-cross", "1227a04a-7c2b-5657-a1fd-2fa519dde0c6")]
#[case("bollinger-breakout", "e25b27d9-bee6-5387-bdd4-215ccea13363")]
#[case("bollinger-reversion", "45bf9b85-7ee6-568e-9af2-34752f0eeee8")]
#[case("donchian-breakout", "f06aa839-2714-51e9-ac77-6d8f0de514ef")]
#[case("supertrend", "55cd72ca-e05a-575e-ac21-af5d31634f34")]
#[case("adx-trend", "44b4d6af-7fc6-5558-bf6c-aba09e717570")]
#[case("momentum", "328fc540-331c-521c-ae2e-eefe7e2d69af")]
#[case("stochastic-reversal", "2ee22e69-45e3-5329-8619-57ac2a33087c")]
#[case("buy-and-hold", "93914897-ece2-5867-8ba3-1ab12e8d662c")]
fn the_ids_are_permanent(#[case] slug: &str, #[case] id: &str) {
    assert_eq!(find_by_slug(slug).unwrap().id().to_string(), id);
}

/// The rules of `testdata/backtesting_py/strategies.py`, with which the engine is compared run by run, and
/// those of the books.
#[rstest]
#[case("golden_cross", "sma(50) crosses_above sma(200)", "sma(50) crosses_below sma(200)")]
#[case("ema_cross", "ema(12) crosses_above ema(26)", "ema(12) crosses_below ema(26)")]
#[case("rsi_mean_reversion", "rsi(14) < 30", "rsi(14) > 70")]
#[case("connors_rsi_2", "close > sma(200) and rsi(2) < 5", "close > sma(5)")]
#[case(
    "macd_cross",
    "macd(12, 26, 9).macd crosses_above macd(12, 26, 9).signal",
    "macd(12, 26, 9).macd crosses_below macd(12, 26, 9).signal"
)]
#[case("bollinger_breakout", "close > bbands(20, 2).upper", "close < bbands(20, 2).middle")]
#[case("bollinger_reversion", "close < bbands(20, 2).lower", "close > bbands(20, 2).middle")]
#[case("donchian_breakout", "close > donchian(20).upper[1]", "close < donchian(10).lower[1]")]
#[case(
    "supertrend",
    "supertrend(10, 3).direction crosses_above 0",
    "supertrend(10, 3).direction crosses_below 0"
)]
#[case("adx_trend", "plus_di(14) > minus_di(14) and adx(14) > 25", "plus_di(14) < minus_di(14)")]
#[case("momentum", "roc(10) > 0", "roc(10) < 0")]
#[case(
    "stochastic_reversal",
    "stoch(14, 3, 3).k crosses_above stoch(14, 3, 3).d and stoch(14, 3, 3).k < 20",
    "stoch(14, 3, 3).k crosses_below stoch(14, 3, 3).d and stoch(14, 3, 3).k > 80"
)]
#[case("buy_and_hold", "close > 0", "never")]
fn a_built_in_says_what_it_does(#[case] name: &str, #[case] entry: &str, #[case] exit: &str) {
    let definition = StrategyDefinition::of_builtin(find(name).unwrap());
    let bound = definition.bind(&definition.default_parameters).unwrap();
    let text = |condition: Condition| match condition {
        Condition::Compare(comparison) => comparison.text,
        other @ (Condition::All(_) | Condition::Any(_)) => panic!("{other:?}"),
    };
    let texts = |condition: Condition| match condition {
        Condition::All(inner) => inner.into_iter().map(text).collect::<Vec<_>>().join(" and "),
        other @ (Condition::Compare(_) | Condition::Any(_)) => panic!("{other:?}"),
    };
    assert_eq!(texts(bound.entry), entry);
    assert_eq!(bound.exit.map_or("never".to_owned(), texts), exit);
}

/// What `docs/strategies.md` says before the built-ins.
const PAGE_HEAD: &str = "# The built-in strategies

A test generates this page from `domain/src/strategy/builtins/`, which has a file for each strategy: `UPDATE_DOCS=1 cargo test
-p domain page_of_built_ins` rewrites it. All of them are rules in [the rule language](rules.md), so yours can do everything that
they do.

Refer to one by `code_ref` in any spelling (`golden_cross`, `golden-cross`, `GoldenCross`, `core.strategies.GoldenCross`), or use
its slug as a `strategy_id`. A backtest overrides parameters with `parameters`, under their names or aliases. The engine's
trades of each strategy are compared with an independent source: backtesting.py's runs (`domain/testdata/backtesting_py`), or a
script that shares no code with the engine (`domain/testdata/builtins`).

The sources describe the ideas; the built-ins implement the plain signals. The Turtles, for example, also skipped a breakout after
a winner, added to positions and set stops by volatility, and Wilder waited for the extreme point of a crossing.
";

fn rule_text(rules: &Value) -> String {
    let conditions = rules["conditions"].as_array().unwrap().iter().map(|condition| {
        let word = |name: &str| {
            let value = &condition[name];
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        };
        format!("`{} {} {}`", word("indicator"), word("comparator"), word("value"))
    });
    conditions.collect::<Vec<_>>().join(" and ")
}

fn section(builtin: &Builtin) -> String {
    let Builtin { name, slug, title, description, source, .. } = builtin;
    let exit = builtin.exit_rules.map_or("never".to_owned(), |rules| rule_text(&rules()));
    let entry = rule_text(&(builtin.entry_rules)());
    let mut text = format!(
        "\n## {title}\n\n{description}\n\n- `code_ref`: `{name}`, slug: `{slug}`\n- Buys when {entry}\n- Sells when {exit}\n"
    );
    for (low, high) in builtin.ascending {
        writeln!(text, "- `{low}` is below `{high}`").unwrap();
    }
    writeln!(text, "- Source: {source}").unwrap();
    if !builtin.parameters.is_empty() {
        text += "\n| parameter | default | from | to | aliases | |\n| --- | --- | --- | --- | --- | --- |\n";
    }
    for BuiltinParameter { name, aliases, kind, default, minimum, maximum, description } in
        builtin.parameters
    {
        let aliases: Vec<_> = aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let aliases = aliases.join(" ");
        let kind = kind.as_str();
        writeln!(
            text,
            "| `{name}` ({kind}) | {default} | {minimum} | {maximum} | {aliases} | {description} |"
        )
        .unwrap();
    }
    text
}

#[test]
fn the_page_of_built_ins_says_what_they_are() {
    let sections: String = ALL.iter().map(|builtin| section(builtin)).collect();
    let page = format!("{PAGE_HEAD}{sections}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/strategies.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "UPDATE_DOCS=1 writes docs/strategies.md; git diff shows what differs"
    );
}
