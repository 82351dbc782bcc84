//! `/strategies/validate`: checks of what is not stored.

use domain::{fields::FieldError, strategy::validate_strategy};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::{
    body::{AnyObject, StrategyBody},
    resource::Finding,
};
use crate::{
    http::{caller::Caller, error::ApiError, fields, json::ValidJson, request_key, response::Item},
    rest::Chapter,
};

/// Checks of what is not stored.
pub(crate) struct Validate;

/// The result of validating a strategy.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Validation")]
pub(crate) struct ValidationResource {
    valid: bool,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    /// Number of candles needed before rules can first be evaluated. Null if the strategy is invalid.
    warmup_candles: Option<u64>,
}

#[OpenApi(tag = "Chapter::Strategies")]
impl Validate {
    /// Validates a strategy without storing it.
    #[oai(path = "/strategies/validate", method = "post", operation_id = "validateStrategy")]
    async fn validate(
        &self,
        caller: Caller,
        body: ValidJson<AnyObject>,
    ) -> Result<Item<ValidationResource>, ApiError> {
        let is_replayed = caller.remember("POST /strategies/validate", &body.hash).await?;
        let AnyObject(body) = body.value;
        let found = validate_strategy(&body);
        // Valid is what a POST would take; only the name may still be missing.
        let mut errors = fields::read::<StrategyBody>(&body, false).err().unwrap_or_default();
        errors.retain(|error| error.field != "name" || body.contains_key("name"));
        let findings = |errors: Vec<FieldError>| errors.into_iter().map(Finding::from).collect();
        let item = Item::new(ValidationResource {
            valid: errors.is_empty(),
            errors: findings(errors),
            warnings: findings(found.warnings),
            warmup_candles: found.warmup_candles.map(|candles| candles as u64),
        });
        Ok(if is_replayed { request_key::replayed(item) } else { item })
    }
}
