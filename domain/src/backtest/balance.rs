//! What a run may begin with.

use rust_decimal::Decimal;

use crate::{error_code::ErrorCode, fields::FieldError};

/// Decimals of all money, as in the ledger.
const DECIMALS_MAX: u32 = 8;

/// The balance without trailing zeros: quote money, above 0, with at most 8 decimals.
///
/// # Errors
/// One at `initial_balance`.
pub fn check_balance(balance: Decimal) -> Result<Decimal, FieldError> {
    let balance = balance.normalize();
    let message = if balance <= Decimal::ZERO {
        format!("must be above 0, not {balance}")
    } else if balance.scale() > DECIMALS_MAX {
        format!("has at most {DECIMALS_MAX} decimals, not {}", balance.scale())
    } else {
        return Ok(balance);
    };
    Err(FieldError::new("initial_balance", ErrorCode::OutOfRange, message))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10000.50", Ok("10000.5"))]
    #[case("0.00000001", Ok("0.00000001"))]
    #[case("0.000000010", Ok("0.00000001"))]
    #[case("0.000000001", Err("has at most 8 decimals, not 9"))]
    #[case("0.0000000000000000000000000001", Err("has at most 8 decimals, not 28"))]
    #[case("0", Err("must be above 0, not 0"))]
    #[case("-1", Err("must be above 0, not -1"))]
    fn a_balance_is_money_above_nothing(
        #[case] balance: &str,
        #[case] expected: Result<&str, &str>,
    ) {
        let checked = check_balance(balance.parse().unwrap());
        let text = checked.map(|balance| balance.to_string()).map_err(|error| error.message);
        assert_eq!(text, expected.map(str::to_owned).map_err(str::to_owned));
    }
}
