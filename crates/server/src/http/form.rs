//! Forms with a file. Its one invariant: what stands around the fields, which the parser holds in memory until it has seen its end, has a
//! bound; what is in a field passes through.
//!
//! The parser takes whatever is ready before it looks at what it has: a sender that is fast would fill the memory, and pieces of a field
//! would count as what stands around it. So nothing is ready for a moment behind each piece.

use std::{
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, ready},
};

use axum::{
    body::Body,
    extract::{
        DefaultBodyLimit, FromRequest as _, Multipart, Request,
        multipart::{Field, MultipartError, MultipartRejection},
    },
};
use futures::{StreamExt as _, stream};

/// Bytes before the first field, and of a part's headers: a few hundred are usual. One piece of the body more may be held.
const MAX_FRAMING: usize = 64 << 10;

/// Inside of a field, where the body is not counted.
const IN_FIELD: usize = usize::MAX;

/// The fields of a form that is being read.
pub struct Fields {
    form: Multipart,
    /// Bytes that may come until the next field begins.
    left: Arc<AtomicUsize>,
}

impl Fields {
    /// Those of the form in a request, whose body has that limit.
    ///
    /// # Errors
    /// When there is none.
    pub async fn of(request: Request, limit: DefaultBodyLimit) -> Result<Self, MultipartRejection> {
        let left = Arc::new(AtomicUsize::new(IN_FIELD));
        let (parts, body) = request.into_parts();
        let counted = Arc::clone(&left);
        let mut pieces = body.into_data_stream().map(move |piece| {
            let piece = piece.map_err(io::Error::other)?;
            match counted.load(Ordering::Relaxed) {
                IN_FIELD => {}
                0 => return Err(io::Error::from(io::ErrorKind::InvalidData)),
                most => counted.store(most.saturating_sub(piece.len()), Ordering::Relaxed),
            }
            Ok(piece)
        });
        let mut is_given = false;
        let pieces = stream::poll_fn(move |context| {
            if mem::take(&mut is_given) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let piece = ready!(pieces.poll_next_unpin(context));
            is_given = piece.is_some();
            Poll::Ready(piece)
        });
        let mut request = Request::from_parts(parts, Body::from_stream(pieces));
        limit.apply(&mut request);
        Ok(Self { form: Multipart::from_request(request, &()).await?, left })
    }

    /// The next field, of which one at a time is there.
    ///
    /// # Errors
    /// When the form is none, is too long, or broke off.
    pub async fn next_field(&mut self) -> Result<Option<Field<'_>>, MultipartError> {
        self.left.store(MAX_FRAMING, Ordering::Relaxed);
        let field = self.form.next_field().await;
        self.left.store(IN_FIELD, Ordering::Relaxed);
        field
    }
}
