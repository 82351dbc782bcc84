//! `min_position`: a read waits until the read models have reached a position of the log.

use domain::{error_code::ErrorCode, fields::FieldError};
use poem::Request;

use super::{error::ApiError, links};
use crate::context::Context;

/// Waits until the read models have reached the request's `min_position`, if it has one.
///
/// # Errors
/// 422 for what is no position of the log; 503 if the read models do not reach it in time.
pub(crate) async fn wait_for(request: &Request, api: &Context) -> Result<(), ApiError> {
    const NAME: &str = "min_position";
    let Some(text) = links::parameter(request.uri(), NAME) else { return Ok(()) };
    let position = text.parse().ok().filter(|position: &i64| *position >= 0);
    let message = "`min_position` must be a non-negative integer.";
    let position = position.ok_or_else(|| ApiError::invalid_field(NAME, message))?;
    let head = api.store.head().await?;
    if position > head {
        let message = format!("`min_position` is beyond the end of the log, which is at {head}.");
        let error = FieldError::new(NAME, ErrorCode::OutOfRange, message);
        return Err(ApiError::invalid(vec![error]));
    }
    Ok(api.reads.wait_for(&projections::NAMES, position, api.options.write_wait).await?)
}
