//! Tells by its first bytes what a recording is. The name of a file is used for the error message only.

use super::{AudioError, mpeg};

/// How the audio is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Container {
    /// RIFF, RF64 or BW64 WAVE.
    Wav,
    /// AIFF or AIFF-C.
    Aiff,
    /// Bare MPEG audio frames: MP3, MP2.
    Mpeg,
    /// Bare AAC frames in ADTS.
    Adts,
    /// ISO base media: MP4, M4A, 3GP, MOV.
    Mp4,
    /// OGG.
    Ogg,
    /// Matroska and WebM.
    Matroska,
    /// Native FLAC.
    Flac,
    /// AMR-NB or AMR-WB in the storage format of RFC 4867.
    Amr,
}

/// How many of a recording's first bytes are looked at: an MPEG frame is at most 2,881 bytes, and junk may precede it.
pub(super) const HEAD_BYTES: usize = 16 << 10;

/// Magic numbers of audio that is not read here.
const UNSUPPORTED: [(&[u8], &str); 9] = [
    (b".snd", "Sun/NeXT audio (.au)"),
    (b"caff", "Apple's Core Audio Format"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media audio"),
    (b"wvpk", "WavPack"),
    (b"MAC ", "Monkey's Audio"),
    (b"FLV\x01", "Flash video"),
    (b"#!SILK_V3", "SILK audio"),
    (b"\x02#!SILK_V3", "SILK audio"),
    (b"\x0b\x77", "Dolby Digital (AC-3)"),
];

/// Magic numbers of what is no audio at all.
const OTHER: [(&[u8], &str); 13] = [
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an XZ archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"MThd", "MIDI notes, which hold no sound"),
];

/// What the recording is whose first bytes these are.
///
/// # Errors
/// [`AudioError::Empty`] without bytes, [`AudioError::Unsupported`] for audio of another kind, and
/// [`AudioError::NotAudio`] for anything else.
pub fn sniff(head: &[u8], extension: Option<&str>) -> Result<Container, AudioError> {
    if head.is_empty() {
        return Err(AudioError::Empty);
    }
    if let Some(container) = by_magic(head) {
        return Ok(container);
    }
    if let Some((_, what)) = UNSUPPORTED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(AudioError::unsupported(*what));
    }
    let other = OTHER.iter().find(|(magic, _)| head.starts_with(magic)).map(|&(_, what)| what).or_else(|| text(head));
    match (other, mpeg::first_frame(head)) {
        (None, Some(frame)) if frame.adts => Ok(Container::Adts),
        (None, Some(_)) => Ok(Container::Mpeg),
        (other, _) => {
            let what = other.unwrap_or("data of an unknown kind");
            let name = extension.map(|ending| format!(", although its name ends in .{ending}"));
            Err(AudioError::NotAudio { looks_like: format!("{what}{}", name.unwrap_or_default()) })
        }
    }
}

fn by_magic(head: &[u8]) -> Option<Container> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let riff = at(0, b"RIFF") || at(0, b"RF64") || at(0, b"BW64");
    match () {
        () if riff && at(8, b"WAVE") => Some(Container::Wav),
        () if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) => Some(Container::Aiff),
        () if at(0, b"fLaC") => Some(Container::Flac),
        () if at(0, b"OggS") => Some(Container::Ogg),
        () if at(0, b"\x1a\x45\xdf\xa3") => Some(Container::Matroska),
        () if at(4, b"ftyp") => Some(Container::Mp4),
        () if at(0, b"#!AMR") => Some(Container::Amr),
        () => None,
    }
}

/// Whether the bytes are text, and of what kind. The cut at the end of the head may divide a character.
fn text(head: &[u8]) -> Option<&'static str> {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    if valid.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n' | '\x0c')) {
        return (head.iter().all(|&byte| byte == 0)).then_some("nothing but zero bytes");
    }
    let start = valid.trim_start();
    Some(match start.as_bytes().first() {
        Some(b'<') => "a web page or other markup",
        Some(b'{' | b'[') => "JSON text",
        _ => "plain text",
    })
}
