//! A recording that is kept, with what opens it, read by stretches. Its one invariant: a part of the object at most is held, still sealed,
//! and what leaves of the redacted one is silent where a finding is, also one that came after the recording was made.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{Media, Rendition, silence::Silences, store::Kept, wave};
use crate::{
    db::{Access, TenantTx},
    redaction::findings,
    vault::{
        blobs::{BlobError, BlobReader, Blobs},
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// A recording that may be read, and what opens it.
pub struct Open {
    /// What is read.
    pub kept: Kept,
    key: Key,
    silences: Silences,
}

impl Open {
    /// Opens what is kept of a call.
    ///
    /// # Errors
    /// [`VaultError::Gone`] when the call's key is not there; what a transaction may fail with.
    pub async fn of<A: Access>(
        tx: &mut TenantTx<A>,
        vault: &Vault,
        (kept, rendition): (Kept, Rendition),
    ) -> Result<Self, VaultError> {
        let call = kept.place.record;
        let key = vault.record_key(tx, RecordKind::Call, call).await?;
        let silences = match rendition {
            Rendition::Original => Silences::default(),
            // What people have taken out since the recording was made is silent as well.
            Rendition::Redacted => Silences::of(&findings::get(tx, vault, call).await?.unwrap_or_default()),
        };
        Ok(Self { kept, key, silences })
    }

    /// Bytes of the file that it is read as.
    #[must_use]
    pub fn length(&self) -> u64 {
        let header = if self.kept.media == Media::Samples { wave::HEADER } else { 0 };
        header + self.kept.bytes
    }

    /// Bytes of that file.
    ///
    /// # Errors
    /// When the object is not there, not whole, or the store fails.
    pub async fn read<'a>(&'a self, blobs: &'a Blobs, range: Range<u64>) -> Result<Stretch<'a>, BlobError> {
        let (header, samples) = if self.kept.media == Media::Samples {
            let (head, samples) = wave::split(&range);
            // One channel or two.
            let header = wave::header(self.kept.bytes, self.kept.channels as u16);
            (Some(Bytes::copy_from_slice(&header[head])), samples)
        } else {
            (None, range)
        };
        let at = samples.start;
        let reader = if samples.is_empty() {
            None
        } else {
            Some(blobs.read(&self.key, self.kept.place, self.kept.bytes, samples).await?)
        };
        Ok(Stretch { open: self, header: header.filter(|header| !header.is_empty()), reader, at })
    }
}

/// Bytes that are being read.
pub struct Stretch<'a> {
    open: &'a Open,
    /// What of the header is still to come.
    header: Option<Bytes>,
    reader: Option<BlobReader<'a>>,
    /// Where in the object the next bytes are.
    at: u64,
}

impl Stretch<'_> {
    /// The next bytes, a chunk at most; `None` at the end.
    ///
    /// # Errors
    /// As [`Open::read`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let Some(plain) = reader.next().await? else { return Ok(None) };
        let length = plain.len() as u64;
        let mut plain = BytesMut::from(plain);
        self.open.silences.silence(&mut plain, self.at, self.open.kept.channels);
        self.at += length;
        Ok(Some(plain.freeze()))
    }
}
