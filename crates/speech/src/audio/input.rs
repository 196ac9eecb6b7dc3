//! The bytes of a recording, as symphonia's demuxers read them. Its one invariant: nobody reads more bytes between two
//! calls of [`Budget::allow`] than were allowed, so that a claim in a header can never fill the memory.

use std::{
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};

use super::AudioError;

/// Most bytes of a stream that are held because its container must be read from the end: two hours of MP4 at 256 kbit/s.
pub(super) const MAX_HELD_BYTES: u64 = 256 << 20;

/// The end of a file that was longer when it was opened is none of the recording.
const SHRANK: &str = "the file became shorter while it was read";

/// Where a recording comes from.
#[non_exhaustive]
pub enum Source {
    /// A file; its name's ending is only a hint, the bytes decide.
    File {
        /// The open file.
        file: File,
        /// Its path, for the hint and for messages.
        path: PathBuf,
    },
    /// Bytes that cannot be read twice, such as standard input.
    Stream(Box<dyn Read + Send + Sync>),
    /// Bytes that can be read from any place, wherever they are.
    Random(Box<dyn Random>),
}

/// What can be read from any place.
pub trait Random: Read + Seek + Send + Sync {}

impl<T: Read + Seek + Send + Sync> Random for T {}

impl Source {
    /// The ending of the file's name, in lower case.
    pub(super) fn extension(&self) -> Option<String> {
        match self {
            Self::File { path, .. } => Path::extension(path)?.to_str().map(str::to_ascii_lowercase),
            Self::Stream(_) | Self::Random(_) => None,
        }
    }

    /// The source's bytes under a budget.
    pub(super) fn into_stream(self) -> Result<(MediaSourceStream<'static>, Budget), AudioError> {
        let bytes = match self {
            Self::File { file, .. } => {
                let metadata = file.metadata()?;
                if metadata.is_dir() {
                    return Err(AudioError::Io(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")));
                }
                // A pipe or device has a path but cannot be read twice.
                if metadata.is_file() {
                    Bytes::File { file, len: metadata.len() }
                } else {
                    Bytes::Stream(Box::new(file))
                }
            }
            Self::Stream(read) => Bytes::Stream(read),
            Self::Random(mut random) => {
                let len = random.seek(SeekFrom::End(0))?;
                random.rewind()?;
                Bytes::Random { random, len }
            }
        };
        let budget = Budget::default();
        Ok((stream(Input { bytes, budget: budget.clone() }), budget))
    }
}

/// Reads all of a stream into memory, up to [`MAX_HELD_BYTES`], so that it can be read from its end.
pub(super) fn hold(
    mut stream: MediaSourceStream<'static>,
    budget: &Budget,
) -> Result<MediaSourceStream<'static>, AudioError> {
    budget.allow(MAX_HELD_BYTES + 1);
    let mut held = Vec::new();
    if (&mut stream).take(MAX_HELD_BYTES + 1).read_to_end(&mut held)? as u64 > MAX_HELD_BYTES {
        return Err(AudioError::NeedsSeeking { limit_mib: MAX_HELD_BYTES >> 20 });
    }
    Ok(self::stream(Input { bytes: Bytes::Held(Cursor::new(held)), budget: budget.clone() }))
}

fn stream(input: Input) -> MediaSourceStream<'static> {
    MediaSourceStream::new(Box::new(input), MediaSourceStreamOptions::default())
}

/// How many bytes may still be read before the demuxer must have come to something.
#[derive(Clone, Default)]
pub(super) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(super) fn allow(&self, bytes: u64) {
        self.0.store(bytes, Relaxed);
    }

    /// Whether the last error was ours: nothing may be read any more.
    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Relaxed) == 0
    }
}

enum Bytes {
    File { file: File, len: u64 },
    Held(Cursor<Vec<u8>>),
    Stream(Box<dyn Read + Send + Sync>),
    Random { random: Box<dyn Random>, len: u64 },
}

struct Input {
    bytes: Bytes,
    budget: Budget,
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let allowed = self.budget.0.load(Relaxed);
        if allowed == 0 {
            return Err(io::Error::other("more bytes than the format's headers may have"));
        }
        let wanted = into.len().min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let into = &mut into[..wanted];
        let read = loop {
            let read = match &mut self.bytes {
                Bytes::File { file, len } => file.read(into).and_then(|read| match read {
                    0 if !into.is_empty() && file.metadata()?.len() < *len => Err(io::Error::other(SHRANK)),
                    read => Ok(read),
                }),
                Bytes::Held(held) => held.read(into),
                Bytes::Stream(stream) => stream.read(into),
                Bytes::Random { random, .. } => random.read(into),
            };
            // The demuxers take an interruption by a signal for the end.
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.budget.0.store(allowed - read as u64, Relaxed);
        Ok(read)
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.bytes {
            Bytes::File { file, .. } => file.seek(to),
            Bytes::Held(held) => held.seek(to),
            Bytes::Stream(_) => Err(io::ErrorKind::NotSeekable.into()),
            Bytes::Random { random, .. } => random.seek(to),
        }
    }
}

impl MediaSource for Input {
    fn is_seekable(&self) -> bool {
        !matches!(self.bytes, Bytes::Stream(_))
    }

    fn byte_len(&self) -> Option<u64> {
        match &self.bytes {
            Bytes::File { len, .. } | Bytes::Random { len, .. } => Some(*len),
            Bytes::Held(held) => Some(held.get_ref().len() as u64),
            Bytes::Stream(_) => None,
        }
    }
}
