//! The decrypted recording, read from any place by a thread that decodes it. Its one invariant: plaintext is held only as chunks in
//! flight, and a read that goes on where the last one ended opens no part anew.

use std::io;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::{
    decoder::ReadAt,
    vault::{
        blobs::{BlobError, BlobPlace, BlobReader, Blobs},
        key::Key,
    },
};

/// A wish for bytes, and where they go.
struct Wish {
    offset: u64,
    most: usize,
    bytes: oneshot::Sender<Result<Bytes, BlobError>>,
}

/// Opens a recording: its length, and how a thread reads it. A task serves the reads until the reader is dropped.
///
/// # Errors
/// When it is missing or damaged, or the store fails.
pub(super) async fn open(blobs: Blobs, key: Key, (place, bytes): (BlobPlace, u64)) -> Result<(u64, ReadAt), BlobError> {
    let length = blobs.read(&key, place, bytes, 0..0).await?.length();
    // One thread reads, and waits for each answer.
    let (wishes, served) = mpsc::channel(1);
    tokio::spawn(serve(blobs, key, (place, length), served));
    Ok((length, Box::new(move |offset, most| ask(&wishes, offset, most))))
}

fn ask(wishes: &mpsc::Sender<Wish>, offset: u64, most: usize) -> io::Result<Bytes> {
    let (bytes, answer) = oneshot::channel();
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    wishes.blocking_send(Wish { offset, most, bytes }).map_err(|_| io::ErrorKind::BrokenPipe)?;
    answer.blocking_recv().map_err(gone)?.map_err(io::Error::other)
}

async fn serve(blobs: Blobs, key: Key, (place, length): (BlobPlace, u64), mut wishes: mpsc::Receiver<Wish>) {
    let mut open: Option<Open<'_>> = None;
    while let Some(Wish { offset, most, bytes }) = wishes.recv().await {
        let reader = open.take().filter(|open| open.position == offset);
        let answer = async {
            let mut reader = match reader {
                Some(reader) => reader,
                None => Open::at(offset, blobs.read(&key, place, length, offset..u64::MAX).await?),
            };
            let read = reader.next(most).await?;
            open = Some(reader);
            Ok(read)
        };
        // Nobody waits any more when the call was given up.
        let _ = bytes.send(answer.await);
    }
}

/// A reader and what of its last chunk was not asked for yet.
struct Open<'a> {
    reader: BlobReader<'a>,
    position: u64,
    rest: Bytes,
}

impl<'a> Open<'a> {
    fn at(position: u64, reader: BlobReader<'a>) -> Self {
        Self { reader, position, rest: Bytes::new() }
    }

    /// The next bytes, at most so many; empty at the end.
    async fn next(&mut self, most: usize) -> Result<Bytes, BlobError> {
        if self.rest.is_empty() {
            self.rest = self.reader.next().await?.unwrap_or_default();
        }
        let bytes = self.rest.split_to(most.min(self.rest.len()));
        self.position += bytes.len() as u64;
        Ok(bytes)
    }
}
