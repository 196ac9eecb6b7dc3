//! Writes an object. Its one invariant: however long the input, one part is held; and what did not end well leaves no part
//! behind. Where the program dies in it, or drops it in the middle, the upload's entry in `blob_deletions` sees to that.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::PutOptions;

use super::{BlobError, BlobPlace, Blobs, stream, stream::PartSealer};
use crate::vault::key::Key;

impl Blobs {
    /// Seals `plain` under the key of its record and stores it; returns its length in bytes.
    ///
    /// # Errors
    /// When the input breaks off, is too large, or the store fails; what was stored of it has been removed as far as the
    /// store lets it.
    pub async fn write(
        &self,
        record: &Key,
        place: BlobPlace,
        plain: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
    ) -> Result<u64, BlobError> {
        let written = self.write_parts(record, place, plain).await;
        if written.is_err() {
            // The first error is the one to tell; the outbox repeats a removal that fails.
            let _ = self.remove(place).await;
        }
        written
    }

    async fn write_parts(
        &self,
        record: &Key,
        place: BlobPlace,
        mut plain: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
    ) -> Result<u64, BlobError> {
        let mut number = 0;
        let mut length = 0;
        let mut part = PartSealer::new(record, place.purpose(number))?;
        while let Some(block) = plain.next().await {
            let block = block.map_err(|error| BlobError::Input { place, kind: error.kind() })?;
            let mut rest = &block[..];
            loop {
                rest = &rest[part.fill(rest)..];
                // A full chunk stays open until more arrives, because the last one is sealed as the last.
                if rest.is_empty() {
                    break;
                }
                if !part.close_chunk(false)? {
                    self.put(place, number, part).await?;
                    number += 1;
                    if number == stream::MAX_PARTS {
                        return Err(BlobError::TooLarge { place });
                    }
                    part = PartSealer::new(record, place.purpose(number))?;
                }
            }
            length += block.len() as u64;
        }
        part.close_chunk(true)?;
        self.put(place, number, part).await?;
        Ok(length)
    }

    async fn put(&self, place: BlobPlace, number: u32, part: PartSealer) -> Result<(), BlobError> {
        let payload = part.into_bytes().into();
        self.store.put_opts(&place.part(number), payload, PutOptions::default()).await?;
        Ok(())
    }
}
