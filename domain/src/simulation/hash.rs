//! SHA-256 over the inputs and the outcome of a run: the same inputs give the same bytes everywhere.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    Candles, canonical as form, equity::EquityPoint, metrics::Metrics, rules::BoundStrategy,
};
use crate::{
    market::{Symbol, Timeframe},
    run_spec::RunSpec,
};

/// A SHA-256, shown as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// A text that is not a SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 of 64 hexadecimal digits")]
pub struct DigestError(pub String);

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let error = || DigestError(text.chars().take(80).collect());
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(0..) {
            let pair = text.get(digits * 2..digits * 2 + 2).ok_or_else(error)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

/// Something that canonical JSON cannot say.
#[derive(Debug, thiserror::Error)]
#[error("not writable as canonical JSON: {0}")]
pub struct CanonicalError(#[from] serde_json::Error);

/// RFC 8785: sorted keys, no white space, numbers as ECMAScript writes them.
///
/// # Errors
/// Values that JSON cannot hold.
pub fn canonical(value: &impl Serialize) -> Result<Vec<u8>, CanonicalError> {
    Ok(serde_json_canonicalizer::to_vec(value)?)
}

/// The hash of a dataset: of each row `open_time` as i64 and open, high, low, close, volume as f64, little endian.
#[must_use]
pub fn dataset_sha256(candles: &Candles) -> Digest {
    let mut hasher = Sha256::new();
    let mut buffer = Vec::with_capacity(48 * 1_024);
    for index in 0..candles.len() {
        buffer.extend_from_slice(&candles.open_time[index].to_le_bytes());
        for column in [&candles.open, &candles.high, &candles.low, &candles.close, &candles.volume]
        {
            buffer.extend_from_slice(&column[index].to_le_bytes());
        }
        if buffer.len() == 48 * 1_024 {
            hasher.update(&buffer);
            buffer.clear();
        }
    }
    hasher.update(&buffer);
    Digest(hasher.finalize().into())
}

/// The hash of a dataset and the finer candles beside it: SHA-256 of both hashes, 32 bytes each.
#[must_use]
pub fn with_fine(dataset: Digest, fine: Digest) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(dataset.0);
    hasher.update(fine.0);
    Digest(hasher.finalize().into())
}

/// The hash of a result: dataset hash (32 bytes) ‖ canonical JSON of [`HashedSpec`], with the strategy as the run binds it ‖
/// ledger hash (32 bytes) ‖ the metrics of [`Metrics::hashed`], 00 for none, else 01 and the f64 ‖ the recorded equity points,
/// midnight i64 and equity f64;
/// numbers little endian.
///
/// # Errors
/// Values that canonical JSON cannot hold.
pub fn result_hash(
    dataset: Digest,
    run: &RunSpec,
    strategy: &BoundStrategy,
    ledger: Digest,
    metrics: &Metrics,
    points: &[EquityPoint],
) -> Result<Digest, CanonicalError> {
    let mut hasher = Sha256::new();
    hasher.update(dataset.0);
    hasher.update(canonical(&HashedSpec::new(run, strategy))?);
    hasher.update(ledger.0);
    for metric in metrics.hashed() {
        match metric {
            None => hasher.update([0]),
            Some(value) => {
                hasher.update([1]);
                hasher.update(value.to_le_bytes());
            }
        }
    }
    for point in points {
        hasher.update(point.time.to_le_bytes());
        hasher.update(point.equity.to_le_bytes());
    }
    Ok(Digest(hasher.finalize().into()))
}

/// The hash of what a run is asked to compute, with the strategy as the run binds it: of the canonical JSON that
/// [`result_hash`] takes in, too.
///
/// # Errors
/// Values that canonical JSON cannot hold.
pub fn request_hash(run: &RunSpec, strategy: &BoundStrategy) -> Result<Digest, CanonicalError> {
    Ok(Digest(Sha256::digest(canonical(&HashedSpec::new(run, strategy))?).into()))
}

/// The hash of everything that a result follows from: [`request_hash`] (32 bytes) ‖ the revision of each of the run's candle series,
/// i64 little endian ‖ the engine's version. Runs with the same one have the same result.
#[must_use]
pub fn inputs_hash(request: Digest, revisions: &[i64], engine_version: &str) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(request.0);
    for revision in revisions {
        hasher.update(revision.to_le_bytes());
    }
    hasher.update(engine_version);
    Digest(hasher.finalize().into())
}

/// The part of a [`RunSpec`] that a result follows from: what means the same is the same, however it was written.
#[derive(Serialize)]
struct HashedSpec<'a> {
    /// Definition and parameters as they are bound.
    strategy: Value,
    symbol: &'a Symbol,
    timeframe: Timeframe,
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
    initial_balance: Decimal,
    metadata: Value,
}

impl<'a> HashedSpec<'a> {
    fn new(run: &'a RunSpec, strategy: &BoundStrategy) -> Self {
        Self {
            strategy: form::strategy(strategy),
            symbol: &run.symbol,
            timeframe: run.timeframe,
            start_time: run.start_time,
            end_time: run.end_time,
            initial_balance: run.initial_balance.normalize(),
            metadata: form::settings(&run.settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Candle;

    // The expected digests were computed with Python's hashlib and struct over the documented bytes.

    fn dataset() -> Candles {
        let candle = |open_time, open, high, low, close, volume| Candle {
            open_time,
            open,
            high,
            low,
            close,
            volume,
        };
        [
            candle(1_502_928_000_000, 4261.48, 4485.39, 4200.74, 4285.08, 795.150377),
            candle(1_503_014_400_000, 4285.08, 4371.52, 3938.77, 4108.37, 1199.888264),
        ]
        .into_iter()
        .collect()
    }

    const DATASET: &str = "7833ea1b317df0eb224227e817367b5ace863ff8282788cd07ca6068ec829487";

    #[test]
    fn a_dataset_is_hashed_row_by_row_in_little_endian() {
        assert_eq!(dataset_sha256(&dataset()).to_string(), DATASET);
        let long: Candles = (0..3_000).map(|_| dataset().get(0).unwrap()).collect();
        let mut whole = Sha256::new();
        for _ in 0..3_000 {
            whole.update(1_502_928_000_000_i64.to_le_bytes());
            for value in [4261.48_f64, 4485.39, 4200.74, 4285.08, 795.150377] {
                whole.update(value.to_le_bytes());
            }
        }
        assert_eq!(dataset_sha256(&long).0, <[u8; 32]>::from(whole.finalize()));
    }

    #[test]
    fn a_result_is_hashed_as_documented() {
        let definition = serde_json::from_str(
            r#"{"code_ref": "golden_cross", "default_parameters": {"long_window": 200, "short_window": 50}}"#,
        );
        let settings = serde_json::from_str(
            r#"{"leverage": 1, "commission": 0.001, "commission_fixed": 0, "slippage_bps": 0, "spread_bps": 0,
                "fill": "next_open", "intrabar": "stop_first", "finalize": "close", "warmup": "before_start", "seed": 0}"#,
        );
        let parameters = serde_json::from_str(r#"{"long_window": 200, "short_window": 50}"#);
        let run = RunSpec {
            start_time: "2017-08-17T00:00:00Z".parse().unwrap(),
            end_time: "2017-08-18T00:00:00Z".parse().unwrap(),
            initial_balance: "10000.00".parse().unwrap(),
            parameters: parameters.unwrap(),
            settings: settings.unwrap(),
            ..RunSpec::example(definition.unwrap())
        };
        let ledger = "249cc5f8694c832164186c0130e550a25d029c8514ae6aa78e57faccb4ec126b";
        let metrics = Metrics {
            sharpe_ratio: Some(1.25),
            total_fees: "19.56".parse().unwrap(),
            total_pnl: "-431.2943".parse().unwrap(),
            omega: Some(0.75),
            recovery_factor: Some(-2.5),
            ..Metrics::default()
        };
        let point = |time, equity| EquityPoint { time, equity };
        let points = [point(1_502_928_000_000, 10_000.0), point(1_503_014_400_000, 9573.0021)];
        let dataset = DATASET.parse().unwrap();
        let strategy = run.definition.bind(&run.parameters).unwrap();
        let ledger = ledger.parse().unwrap();
        let hash = result_hash(dataset, &run, &strategy, ledger, &metrics, &points);
        let expected = "430341c75faaa4d75e0172f7cc1d02949ab381dea42582fd04f3609b7f93ba2d";
        assert_eq!(hash.unwrap().to_string(), expected);
    }

    #[test]
    fn equal_inputs_have_one_hash_however_they_are_written() {
        let run = |parameters: &str, balance: &str| {
            let definition = r#"{"code_ref": "golden_cross", "default_parameters": {"long_window": 200, "short_window": 50}}"#;
            RunSpec {
                initial_balance: balance.parse().unwrap(),
                parameters: serde_json::from_str(parameters).unwrap(),
                ..RunSpec::example(serde_json::from_str(definition).unwrap())
            }
        };
        let hash = |run: &RunSpec| {
            let strategy = run.definition.bind(&run.parameters).unwrap();
            request_hash(run, &strategy).unwrap().to_string()
        };
        let one = run(r#"{"long_window": 200, "short_window": 50}"#, "10000");
        let same = run(r#"{"short_window": 50.0, "long_window": 200}"#, "10000.00");
        assert_eq!(hash(&one), hash(&same));
        let others = [
            run(r#"{"long_window": 200, "short_window": 51}"#, "10000"),
            run(r#"{"long_window": 200, "short_window": 50}"#, "10000.01"),
            RunSpec { timeframe: Timeframe::OneHour, ..one.clone() },
            RunSpec { end_time: one.start_time, ..one.clone() },
        ];
        for other in others {
            assert_ne!(hash(&one), hash(&other));
        }
        let owned =
            RunSpec { strategy_name: "Another".to_owned(), strategy_version: 7, ..one.clone() };
        assert_eq!(hash(&one), hash(&owned), "a name is no input");
    }

    #[test]
    fn inputs_are_hashed_as_documented() {
        let request = DATASET.parse().unwrap();
        let expected = "d1d74a09c3af884ff9aa43f294dc5362b85b644c00190e8283cbba0206a2ecf8";
        assert_eq!(inputs_hash(request, &[42], "2").to_string(), expected);
        let expected = "dce925114db7cf4fe13cdf89d73757c91310aa27f866c09524a5179f16e31fc9";
        assert_eq!(inputs_hash(request, &[42, 43], "2").to_string(), expected);
    }

    #[test]
    fn a_digest_is_read_from_its_own_text_alone() {
        assert_eq!(DATASET.parse::<Digest>().unwrap().to_string(), DATASET);
        for text in ["", "12", &DATASET[1..], &format!("é{}", &DATASET[2..]), &"g".repeat(64)] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
