//! Reads an object or a range of it. Its one invariant: a byte is given out only after the tag of its chunk was checked, and
//! the object's last chunk only when nothing follows it.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use object_store::{GetOptions, GetRange};

use super::{
    BlobError, BlobPlace, Blobs,
    stream::{CHUNK, CHUNK_SEALED, HEADER, Layout, MAX_PARTS, PART, PartOpener},
};
use crate::vault::{key::Key, seal::Broken};

impl Blobs {
    /// Opens an object of `length` bytes, which is what [`Self::write`] returned, for reading from the byte `range.start` on, up to
    /// `range.end` or the end of the object. Only chunks that the range touches are fetched and decrypted; that the object was
    /// not cut behind them shows by its length.
    ///
    /// # Errors
    /// [`BlobError::Missing`] when there is no such object, [`BlobError::Broken`] when parts of it are missing or cut.
    pub async fn read<'a>(
        &'a self,
        record: &'a Key,
        place: BlobPlace,
        length: u64,
        range: Range<u64>,
    ) -> Result<BlobReader<'a>, BlobError> {
        let layout = self.layout(place).await?;
        if layout.length() != length {
            return Err(Broken::at(place).into());
        }
        let end = range.end.min(layout.length());
        Ok(BlobReader { blobs: self, record, place, layout, position: range.start.min(end), end, part: None })
    }

    /// The sizes of the parts tell the layout; a part that is missing, foreign or odd is an integrity error.
    pub(super) async fn layout(&self, place: BlobPlace) -> Result<Layout, BlobError> {
        let mut parts: Vec<(u32, u64)> = Vec::new();
        let prefix = place.prefix();
        let mut found = self.store.list(Some(&prefix));
        while let Some(object) = found.try_next().await? {
            let number = BlobPlace::part_number(&object.location).filter(|number| *number < MAX_PARTS);
            parts.push((number.ok_or_else(|| Broken::at(place))?, object.size));
        }
        if parts.is_empty() {
            return Err(BlobError::Missing(place));
        }
        parts.sort_unstable();
        let in_row = parts.iter().zip(0..).all(|((number, _), expected)| *number == expected);
        let sizes: Vec<u64> = parts.into_iter().map(|(_, size)| size).collect();
        Ok(Layout::of(&sizes).filter(|_| in_row).ok_or_else(|| Broken::at(place))?)
    }
}

/// An object that is being read.
pub struct BlobReader<'a> {
    blobs: &'a Blobs,
    record: &'a Key,
    place: BlobPlace,
    layout: Layout,
    /// The next plaintext byte to give out.
    position: u64,
    /// The first one not to.
    end: u64,
    part: Option<OpenPart>,
}

/// What is left of a part, still sealed; at most 4 MiB.
struct OpenPart {
    number: u32,
    opener: PartOpener,
    /// The next chunk.
    chunk: usize,
    sealed: BytesMut,
}

impl BlobReader<'_> {
    /// Plaintext bytes of the whole object.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.layout.length()
    }

    /// The next bytes of the range, at most 64 KiB; `None` at its end.
    ///
    /// # Errors
    /// [`BlobError::Broken`] when a chunk is not what was written there; nothing of it is given out.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        // An empty object has one chunk too, which says that it is empty on purpose.
        let must_check_empty = self.layout.length() == 0 && self.part.is_none();
        if self.position >= self.end && !must_check_empty {
            return Ok(None);
        }
        #[expect(clippy::cast_possible_truncation, reason = "an object has at most 16,384 parts")]
        let number = (self.position / PART as u64) as u32;
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 4 MiB")]
        let (chunk, skip) = {
            let within = (self.position % PART as u64) as usize;
            (within / CHUNK, within % CHUNK)
        };
        let mut part = match self.part.take().filter(|part| part.number == number) {
            Some(part) => part,
            None => self.open_part(number, chunk).await?,
        };
        let last = number + 1 == self.layout.parts() && part.chunk + 1 == self.layout.chunks(number);
        let broken = || Broken::at(format_args!("{}, part {number}, chunk {chunk}", self.place));
        let mut bytes = part.sealed.split_to(part.sealed.len().min(CHUNK_SEALED));
        let length = part.opener.open(part.chunk, last, &mut bytes).ok_or_else(broken)?.len();
        part.chunk += 1;
        self.part = Some(part);
        #[expect(clippy::cast_possible_truncation, reason = "at most a chunk")]
        let wanted = (self.end - self.position).min((length - skip) as u64) as usize;
        self.position += wanted as u64;
        Ok((wanted > 0).then(|| bytes.freeze().slice(skip..skip + wanted)))
    }

    /// Fetches part `number` from chunk `chunk` on, as far as the range goes.
    async fn open_part(&self, number: u32, chunk: usize) -> Result<OpenPart, BlobError> {
        let path = self.place.part(number);
        let size = self.layout.part_size(number);
        let broken = || Broken::at(format_args!("{}, part {number}", self.place));
        let get = async |range: Range<u64>| {
            let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
            match self.blobs.store.get_opts(&path, options).await {
                // A part that was there when the parts were listed has been removed since, or cut.
                Err(object_store::Error::NotFound { .. }) => Err(BlobError::Missing(self.place)),
                other => Ok(other?.bytes().await?),
            }
        };
        let part_start = u64::from(number) * PART as u64;
        let chunks_wanted = (self.end.min(part_start + PART as u64) - part_start).div_ceil(CHUNK as u64);
        let end = (HEADER as u64 + chunks_wanted.max(1) * CHUNK_SEALED as u64).min(size);
        let start = (HEADER + chunk * CHUNK_SEALED) as u64;
        let (header, sealed) = if chunk == 0 {
            let mut bytes = get(0..end).await?;
            (bytes.split_to(HEADER.min(bytes.len())), bytes)
        } else {
            (get(0..HEADER as u64).await?, get(start..end).await?)
        };
        let opener = PartOpener::new(self.record, self.place.purpose(number), &header).ok_or_else(broken)?;
        // Without a copy where the store gave these bytes to nobody else.
        Ok(OpenPart { number, opener, chunk, sealed: BytesMut::from(sealed) })
    }
}
