//! `/strategies/{id}/versions`.

use poem_openapi::{OpenApi, param::Path};

use super::resource::VersionResource;
use crate::{
    http::{caller::Caller, error::ApiError, paging::Paging, query::Query, response::List},
    lookup::FoundStrategy,
    rest::Chapter,
};

/// The versions of a strategy.
pub(crate) struct Versions;

#[OpenApi(tag = "Chapter::Strategies")]
impl Versions {
    /// Lists the versions of a strategy, newest first. Of another user's strategy, only versions that were public.
    #[oai(path = "/strategies/:id/versions", method = "get", operation_id = "listStrategyVersions")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<Paging>,
    ) -> Result<List<VersionResource>, ApiError> {
        match caller.strategy(&id.0).await? {
            FoundStrategy::Stored(row) => {
                let request = query.0.request()?;
                let published = caller.published_versions(&row).await?;
                let reads = &caller.api.reads;
                let page = reads.strategy_versions(row.id, published.as_ref(), &request).await?;
                Ok(List::of(&query.0, page, VersionResource::from))
            }
            FoundStrategy::Builtin(builtin) => Ok(List::whole(vec![builtin.into()])),
        }
    }
}
