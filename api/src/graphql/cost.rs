//! Refuses a valid query that costs more, or is nested deeper, than is allowed, and says by how much.

use std::sync::Arc;

use async_graphql::{
    ServerError, ValidationResult,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation},
};
use domain::error_code::ErrorCode;

use super::{error::exceeded, limits::COMPLEXITY_MAX};

/// The limits of a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct CostLimits {
    /// Fields in one another.
    pub(super) depth_max: usize,
}

impl ExtensionFactory for CostLimits {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(*self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for CostLimits {
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(context).await?;
        let ValidationResult { complexity, depth, .. } = result;
        if complexity > COMPLEXITY_MAX {
            let message = format!(
                "The query costs {complexity}: its fields, times the rows of the lists that they are in. The limit is {COMPLEXITY_MAX}."
            );
            let cost = (complexity, COMPLEXITY_MAX);
            return Err(vec![exceeded(ErrorCode::TooComplex, message, cost, None)]);
        }
        if depth > self.depth_max {
            let limit = self.depth_max;
            let message = format!("The query nests {depth} fields; the limit is {limit}.");
            return Err(vec![exceeded(ErrorCode::TooDeep, message, (depth, limit), None)]);
        }
        Ok(result)
    }
}
