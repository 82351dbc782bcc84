//! `/sweeps/{id}/cancel`.

use poem_openapi::{OpenApi, param::Path};

use super::{TOUCHED, after_command, resource::SweepResource, show};
use crate::{
    http::{caller::Caller, error::ApiError, response::Item},
    lookup,
    rest::Chapter,
};

/// Ending a sweep early.
pub(crate) struct SweepCancel;

#[OpenApi(tag = "Chapter::Sweeps")]
impl SweepCancel {
    /// Cancels a sweep. Waits up to a second for its executor and returns the current state.
    #[oai(path = "/sweeps/:id/cancel", method = "post", operation_id = "cancelSweep")]
    async fn cancel(
        &self,
        caller: Caller,
        id: Path<String>,
    ) -> Result<Item<SweepResource>, ApiError> {
        let id = lookup::sweep_id(&id.0)?;
        let context = caller.action(&format!("POST /sweeps/{id}/cancel"));
        let accepted = caller.api.commands.cancel_sweep(&context, id).await?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        let row = after_command(&caller.api, id, receipt.is_pending).await?;
        Ok(receipt.apply(show(&caller.api, row).await?))
    }
}
