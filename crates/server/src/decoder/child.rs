//! The process that decodes. Its one invariant: it is locked in before it reads the first byte of the recording.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write as _},
    os::fd::AsFd as _,
    sync::Arc,
};

use speech::audio::{AudioError, Reader, Source};

use super::{
    frames::{MAX_READ, Message, Refusal, read_bytes, write_block},
    sandbox::{self, Limits},
};

/// Decodes the recording that the socket on standard input gives, and ends the process.
pub fn run(limits: &Limits) -> ! {
    // A panic's message may quote what it choked on, and printing it asks for the file system.
    std::panic::set_hook(Box::new(|_| {}));
    let socket = sandbox::close_inherited().and_then(|()| io::stdin().as_fd().try_clone_to_owned());
    let Ok(socket) = socket.map(|socket| Arc::new(File::from(socket))) else { std::process::exit(1) };
    // Whoever is not there any more does not want to know.
    let _ = match sandbox::enter(limits) {
        Ok(()) => decode(&socket),
        Err(_) => Message::Refused(Refusal::NoSandbox).write(&mut &*socket),
    };
    // Without handlers of the C library, which might do what is forbidden.
    // SAFETY: `_exit` ends the process and touches no memory of it.
    unsafe { nix::libc::_exit(0) }
}

fn decode(socket: &Arc<File>) -> io::Result<()> {
    let mut length = [0; 8];
    (&**socket).read_exact(&mut length)?;
    let remote = Remote { socket: Arc::clone(socket), length: u64::from_le_bytes(length), position: 0 };
    match answer(Source::Random(Box::new(remote)), socket) {
        Ok(()) => Ok(()),
        Err(error) => Message::Refused(refusal(&error)).write(&mut &**socket),
    }
}

fn answer(source: Source, socket: &File) -> Result<(), AudioError> {
    let mut to = socket;
    let mut reader = Reader::open(source)?;
    let channels = u16::try_from(reader.info().channels).unwrap_or(u16::MAX);
    Message::Info { channels, duration: reader.info().duration }.write(&mut to)?;
    while let Some(block) = reader.next_block()? {
        write_block(block, &mut to)?;
    }
    let damage = reader.damage();
    Message::End { truncated: damage.truncated, packets: damage.packets }.write(&mut to)?;
    Ok(to.flush()?)
}

fn refusal(error: &AudioError) -> Refusal {
    match error {
        AudioError::Empty => Refusal::Empty,
        AudioError::NotAudio { .. } => Refusal::NotAudio,
        AudioError::Unsupported { .. } | AudioError::NeedsSeeking { .. } => Refusal::Unsupported,
        AudioError::TooLong => Refusal::TooLong,
        AudioError::TooManyChannels { .. } => Refusal::TooManyChannels,
        AudioError::SampleRate { .. } => Refusal::SampleRate,
        AudioError::NoAudioTrack => Refusal::NoAudioTrack,
        AudioError::Io(_) => Refusal::Unreadable,
        _ => Refusal::Undecodable,
    }
}

/// The recording, which the parent has.
struct Remote {
    socket: Arc<File>,
    length: u64,
    position: u64,
}

impl Read for Remote {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = into.len().min(MAX_READ).min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let mut socket = &*self.socket;
        Message::Read { offset: self.position, length: wanted as u32 }.write(&mut socket)?;
        let read = read_bytes(&mut socket, &mut into[..wanted])?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Remote {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
