//! Work that may last longer than the request that asked for it. Its one invariant: it comes to its end, or is undone as a whole when the
//! service stops, whether or not somebody still waits for the answer.

use api::error::ErrorCode;

use super::request_id;
use crate::{
    app::App,
    error::{ApiError, ApiResult},
};

/// Runs it on its own, so that it comes to its end when the request, and with it its future, goes away.
///
/// # Errors
/// `unavailable` when the service stops before; whatever the work ends with.
pub(crate) async fn to_its_end<T: Send + 'static>(
    app: &App,
    work: impl Future<Output = ApiResult<T>> + Send + 'static,
) -> ApiResult<T> {
    let app = app.clone();
    let work = async move {
        tokio::select! {
            done = work => done,
            () = app.operation.cut_off() => {
                // Its end may be on its way to the database.
                let message = "the service is stopping: this may not have been removed or changed; ask again";
                Err(ApiError::new(ErrorCode::Unavailable, message).retry_after(30))
            }
        }
    };
    request_id::to_its_end(work).await.map_err(|error| ApiError::internal(&error))?
}
