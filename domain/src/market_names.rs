//! Which market a user means: by its symbol, by a pair of assets, or by an asset alone.

use crate::{
    market::Market,
    strategy::language::suggest::{nearest, shown},
};

/// The quote asset of an asset's market if none is named.
const DEFAULT_QUOTE: &str = "USDT";
/// What may stand between the two assets of a pair.
const SEPARATORS: [char; 4] = ['/', '-', '_', ':'];
/// The most markets that a message lists.
const LISTED_MAX: usize = 10;

/// Why no market is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMarket {
    /// No market has that name. The message suggests those that are probably meant.
    #[error("{0}")]
    Unknown(String),
    /// The market is known, but it has another quote asset than the one named beside it.
    #[error("{0}")]
    OtherQuote(String),
}

/// Finds the market that is meant by `text`, with `quote` as its quote asset where one is named: the market of that symbol
/// (`BTCUSDT`), the pair (`BTC/USDT`, `BTC-USDT`), or the asset's market in the quote asset, which defaults to `USDT` and, for an
/// asset with one market, to that market's.
///
/// # Errors
/// [`NoMarket`], with the markets that come near.
pub fn resolve<'a>(
    text: &str,
    quote: Option<&str>,
    markets: &'a [Market],
) -> Result<&'a Market, NoMarket> {
    let name = text.trim().to_ascii_uppercase();
    let quote = quote.map(|quote| quote.trim().to_ascii_uppercase());
    if let Some(market) = by_symbol(&name, markets) {
        return with_quote(market, quote.as_deref());
    }
    if let Some((base, paid)) = name.split_once(SEPARATORS) {
        let of_pair = |market: &&Market| market.base == base && market.quote == paid;
        let market = markets.iter().find(of_pair);
        let market = market.or_else(|| by_symbol(&format!("{base}{paid}"), markets));
        return match market {
            Some(market) => with_quote(market, quote.as_deref()),
            None => Err(unknown(text, base, markets)),
        };
    }
    let of_base: Vec<&Market> = markets.iter().filter(|market| market.base == name).collect();
    let wanted = quote.as_deref().unwrap_or(DEFAULT_QUOTE);
    let in_quote = of_base.iter().find(|market| market.quote == wanted);
    match (in_quote, of_base.as_slice(), &quote) {
        (Some(market), ..) => Ok(market),
        (None, [only], None) => Ok(only),
        (None, [], _) => Err(unknown(text, &name, markets)),
        (None, several, None) => Err(NoMarket::Unknown(format!(
            "`{name}` has several markets and none in {DEFAULT_QUOTE}: name one of {}",
            list(several)
        ))),
        (None, others, Some(quote)) => Err(NoMarket::Unknown(format!(
            "there is no market of {name} in `{}`; there is {}",
            shown(quote),
            list(others)
        ))),
    }
}

fn by_symbol<'a>(symbol: &str, markets: &'a [Market]) -> Option<&'a Market> {
    markets.iter().find(|market| market.symbol.as_str() == symbol)
}

fn with_quote<'a>(market: &'a Market, quote: Option<&str>) -> Result<&'a Market, NoMarket> {
    match quote.filter(|quote| *quote != market.quote) {
        None => Ok(market),
        Some(quote) => Err(NoMarket::OtherQuote(format!(
            "the quote asset of {} is {}, and `quote` is `{}`",
            market.symbol,
            market.quote,
            shown(quote)
        ))),
    }
}

/// Suggests the markets of the same base or of the base that the name begins with, otherwise the nearest symbol or asset.
fn unknown(text: &str, base: &str, markets: &[Market]) -> NoMarket {
    let longest = markets.iter().map(|market| market.base.as_str());
    let longest = longest.filter(|known| base.starts_with(known)).max_by_key(|known| known.len());
    let of_base: Vec<&Market> =
        markets.iter().filter(|market| Some(market.base.as_str()) == longest).collect();
    let hint = if of_base.is_empty() {
        let symbols = markets.iter().map(|market| market.symbol.as_str());
        let names = symbols.chain(markets.iter().map(|market| market.base.as_str()));
        nearest(base, names).map(|near| format!("`{near}`"))
    } else {
        Some(list(&of_base))
    };
    let hint = hint.map_or_else(String::new, |hint| format!("; did you mean {hint}?"));
    NoMarket::Unknown(format!("there is no market `{}`{hint}", shown(text.trim())))
}

fn list(markets: &[&Market]) -> String {
    let listed = markets.iter().take(LISTED_MAX).map(|market| format!("`{}`", market.symbol));
    let listed = listed.collect::<Vec<_>>().join(", ");
    if markets.len() > LISTED_MAX { format!("{listed} …") } else { listed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::MarketKind;

    fn market(symbol: &str, base: &str, quote: &str) -> Market {
        Market {
            symbol: symbol.parse().unwrap(),
            base: base.to_owned(),
            quote: quote.to_owned(),
            kind: MarketKind::Crypto,
            lot: "0.001".parse().unwrap(),
            price_decimals: 2,
            volume_decimals: 3,
        }
    }

    fn markets() -> Vec<Market> {
        vec![
            market("BTCUSDT", "BTC", "USDT"),
            market("EURUSD", "EUR", "USD"),
            market("GBPUSD", "GBP", "USD"),
            market("GBPJPY", "GBP", "JPY"),
            market("GOOG", "GOOG", "USD"),
            market("BRK-B", "BRK-B", "USD"),
        ]
    }

    fn found(text: &str, quote: Option<&str>) -> Result<String, String> {
        let markets = markets();
        let found = resolve(text, quote, &markets).map(|market| market.symbol.to_string());
        found.map_err(|error| error.to_string())
    }

    #[test]
    fn symbols_pairs_and_assets_mean_their_market() {
        for (text, quote, symbol) in [
            ("BTCUSDT", None, "BTCUSDT"),
            ("btcusdt", Some("usdt"), "BTCUSDT"),
            ("BTC/USDT", None, "BTCUSDT"),
            ("btc-usdt", None, "BTCUSDT"),
            ("BTC_USDT", None, "BTCUSDT"),
            ("BTC:USDT", None, "BTCUSDT"),
            ("BTC", None, "BTCUSDT"),
            (" btc ", None, "BTCUSDT"),
            ("EUR", None, "EURUSD"),
            ("EUR", Some("USD"), "EURUSD"),
            ("GBP", Some("JPY"), "GBPJPY"),
            ("GOOG", None, "GOOG"),
            ("GOOG/USD", None, "GOOG"),
            ("BRK-B", None, "BRK-B"),
        ] {
            assert_eq!(found(text, quote).as_deref(), Ok(symbol), "{text} {quote:?}");
        }
    }

    #[test]
    fn what_is_meant_otherwise_is_suggested_by_name() {
        for (text, quote, hint) in [
            ("BTCUSD", None, "there is no market `BTCUSD`; did you mean `BTCUSDT`?"),
            ("BTC/EUR", None, "there is no market `BTC/EUR`; did you mean `BTCUSDT`?"),
            ("BTC", Some("EUR"), "there is no market of BTC in `EUR`; there is `BTCUSDT`"),
            ("BTCUSDT", Some("EUR"), "the quote asset of BTCUSDT is USDT, and `quote` is `EUR`"),
            ("BTC/USDT", Some("EUR"), "the quote asset of BTCUSDT is USDT, and `quote` is `EUR`"),
            (
                "GBP",
                None,
                "`GBP` has several markets and none in USDT: name one of `GBPUSD`, `GBPJPY`",
            ),
            ("EURUDS", None, "there is no market `EURUDS`; did you mean `EURUSD`?"),
            ("GOGG", None, "there is no market `GOGG`; did you mean `GOOG`?"),
            ("XYZABC", None, "there is no market `XYZABC`"),
        ] {
            assert_eq!(found(text, quote), Err(hint.to_owned()), "{text} {quote:?}");
        }
    }
}
