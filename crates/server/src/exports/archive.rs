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
        self.begin_with(name, SimpleFileOptions::default()).await
    }

    /// Begins an entry of samples, which get hardly smaller: compressed in the fastest way, but compressed, because readers that take
    /// an archive as it comes know no other end of an entry.
    pub(super) async fn begin_samples(&mut self, name: &str) -> Result<(), Failure> {
        self.begin_with(name, SimpleFileOptions::default().compression_level(Some(1))).await
    }

    async fn begin_with(&mut self, name: &str, options: SimpleFileOptions) -> Result<(), Failure> {
        let name = name.to_owned();
        self.with(move |zip| Ok(zip.start_file(name, options)?)).await
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom};

    use zip::{CompressionMethod, ZipArchive};

    use super::*;

    /// Zeros, of which nothing is held.
    static NOTHING: [u8; BLOCK] = [0; BLOCK];

    /// What was written, without blocks of zeros.
    #[derive(Default)]
    struct Sparse {
        blocks: Vec<(u64, Bytes)>,
        length: u64,
        at: u64,
    }

    impl Sparse {
        fn push(&mut self, block: Bytes) {
            let length = block.len() as u64;
            if block[..] != NOTHING[..block.len()] {
                self.blocks.push((self.length, block));
            }
            self.length += length;
        }
    }

    impl Read for Sparse {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let behind = self.blocks.partition_point(|(start, block)| start + block.len() as u64 <= self.at);
            let rest = usize::try_from(self.length - self.at).unwrap_or(usize::MAX).min(buffer.len());
            let (start, block) =
                self.blocks.get(behind).map_or((self.length, &[][..]), |(start, block)| (*start, block));
            let count = if start > self.at {
                let zeros = usize::try_from(start - self.at).unwrap_or(usize::MAX).min(rest);
                buffer[..zeros].fill(0);
                zeros
            } else {
                let block = &block[usize::try_from(self.at - start).unwrap()..];
                let count = block.len().min(rest);
                buffer[..count].copy_from_slice(&block[..count]);
                count
            };
            self.at += count as u64;
            Ok(count)
        }
    }

    impl Seek for Sparse {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            let at = match to {
                SeekFrom::Start(at) => Some(at),
                SeekFrom::End(by) => self.length.checked_add_signed(by),
                SeekFrom::Current(by) => self.at.checked_add_signed(by),
            };
            self.at = at.ok_or(io::ErrorKind::InvalidInput)?.min(self.length);
            Ok(self.at)
        }
    }

    #[tokio::test]
    async fn an_archive_of_more_than_four_gibibytes_is_read_back() {
        /// Recordings of five hours and two channels, nearly.
        const BYTES: u64 = 1 << 30;
        let (mut archive, mut blocks) = Archive::new();
        let write = async move {
            let block = Bytes::from_static(&NOTHING).repeat(1024);
            let block = Bytes::from(block);
            for call in 0..5 {
                // As it comes, so that it is as large as it gets.
                let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
                archive.begin_with(&format!("{call}/recording.wav"), stored).await.unwrap();
                for _ in 0..BYTES / block.len() as u64 {
                    archive.add(block.clone()).await.unwrap();
                }
                archive.entry(&format!("{call}/call.json"), b"{}".to_vec().into()).await.unwrap();
            }
            archive.end().await.unwrap();
        };
        let read = async {
            let mut sparse = Sparse::default();
            while let Some(block) = blocks.recv().await {
                sparse.push(block);
            }
            sparse
        };
        let ((), sparse) = tokio::join!(write, read);
        assert!(sparse.length > 5 * BYTES);
        let mut zip = ZipArchive::new(sparse).unwrap();
        assert_eq!(zip.len(), 10);
        let mut last = String::new();
        zip.by_name("4/call.json").unwrap().read_to_string(&mut last).unwrap();
        assert_eq!((last.as_str(), zip.by_name("4/recording.wav").unwrap().size()), ("{}", BYTES));
    }
}
