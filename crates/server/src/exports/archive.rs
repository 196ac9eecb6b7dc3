//! A ZIP that is sent away as it grows. Its one invariant: what was compressed is handed on before the next entry begins, so that one entry
//! is held, besides the directory that ends the archive.

use std::{
    io::{self, Write},
    mem,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::spawn_blocking};
use zeroize::Zeroizing;
use zip::{
    ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

use super::build::Failure;

/// Bytes that go on together.
const BLOCK: usize = 64 << 10;

/// Blocks that wait to be sealed: back pressure begins behind them.
const BLOCKS: usize = 4;

/// An archive that is being written.
pub(super) struct Archive {
    /// `None` only while another thread has it.
    zip: Option<ZipWriter<StreamWriter<Grown>>>,
    grown: Grown,
    out: mpsc::Sender<Bytes>,
}

/// What was written and not sent yet.
#[derive(Clone, Default)]
struct Grown(Arc<Mutex<Vec<u8>>>);

impl Grown {
    fn take(&self) -> Bytes {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Grown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Archive {
    /// An empty archive, and where its bytes come out.
    pub(super) fn new() -> (Self, mpsc::Receiver<Bytes>) {
        let (out, blocks) = mpsc::channel(BLOCKS);
        let grown = Grown::default();
        (Self { zip: Some(ZipWriter::new_stream(grown.clone())), grown, out }, blocks)
    }

    /// Begins an entry. Names are made of fixed words and UUIDs, so that they lead nowhere else when they are unpacked.
    pub(super) async fn begin(&mut self, name: &str) -> Result<(), Failure> {
        let name = name.to_owned();
        self.with(move |zip| Ok(zip.start_file(name, SimpleFileOptions::default())?)).await
    }

    /// Adds to the entry that was begun.
    pub(super) async fn add(&mut self, content: impl AsRef<[u8]> + Send + 'static) -> Result<(), Failure> {
        self.with(move |zip| Ok(zip.write_all(content.as_ref())?)).await
    }

    /// A whole entry.
    pub(super) async fn entry(&mut self, name: &str, content: Zeroizing<Vec<u8>>) -> Result<(), Failure> {
        self.begin(name).await?;
        self.add(content).await
    }

    /// Ends the archive.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        if let Some(zip) = self.zip.take() {
            zip.finish()?;
        }
        self.send().await
    }

    /// Compresses off the threads that answer requests, ten megabytes take some 200 ms, and sends what came of it.
    async fn with(
        &mut self,
        write: impl FnOnce(&mut ZipWriter<StreamWriter<Grown>>) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let Some(mut zip) = self.zip.take() else { return Err(Failure::Closed) };
        let written = spawn_blocking(move || write(&mut zip).map(|()| zip)).await;
        // It is cancelled by nobody, so what ended it is a panic of its own.
        self.zip = Some(written.unwrap_or_else(|error| resume_unwind(error.into_panic()))?);
        self.send().await
    }

    async fn send(&mut self) -> Result<(), Failure> {
        let mut grown = self.grown.take();
        while !grown.is_empty() {
            let block = grown.split_to(grown.len().min(BLOCK));
            self.out.send(block).await.map_err(|_| Failure::Closed)?;
        }
        Ok(())
    }
}
