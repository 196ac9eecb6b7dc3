//! What the demuxer does not tell of an MP4 file (ISO/IEC 14496-12): which of its samples are meant to be heard (§8.6.6;
//! encoders of AAC put 1,024 to 2,112 samples before the first one), and the codec of a track that it leaves out. Its one
//! invariant: only what the file says is cut; a file that says nothing, or nonsense, is left whole.

use std::io::{self, Read, Seek, SeekFrom};

/// A five-hour recording's index is about 5 MB; one larger than this is not searched.
const MAX_MOOV_BYTES: u64 = 32 << 20;

/// Boxes at one level: tracks, metadata and fragments' index; a real file has a dozen.
const MAX_BOXES: usize = 1024;

/// Which part of a track is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Units of time in a second.
    pub(super) timescale: u32,
    /// Units of silence before the track.
    pub(super) lead: u64,
    /// Units of the track to leave out at its start.
    pub(super) skip: u64,
    /// Units of the track to keep after that, where that is known.
    pub(super) keep: Option<u64>,
}

/// The edit of the track with that id and sample rate.
pub(super) fn edit(moov: &[u8], track: u32, rate: u32) -> Option<Edit> {
    from_edit_list(moov, track).or_else(|| from_itunes(moov, rate))
}

/// What the boxes of a file say before its demuxer reads it.
#[derive(Default)]
pub(super) struct Index {
    /// The body of the `moov` box, wherever in the file it lies.
    pub(super) moov: Option<Vec<u8>>,
    /// A box goes on behind the file's end: the file is cut off.
    pub(super) cut_off: bool,
}

/// Walks the boxes of a file of `len` bytes, which is left where it stood.
pub(super) fn index(file: &mut (impl Read + Seek), len: u64) -> Index {
    let mut index = Index::default();
    if let Ok(start) = file.stream_position() {
        // A box that cannot be read ends the walk; the demuxer says what is wrong with it.
        let _ = walk(file, start, len, &mut index);
        let _ = file.seek(SeekFrom::Start(start));
    }
    index
}

fn walk(file: &mut (impl Read + Seek), mut at: u64, len: u64, index: &mut Index) -> io::Result<()> {
    for _ in 0..MAX_BOXES {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 16];
        file.read_exact(&mut header[..8])?;
        let (size, header_bytes) = match number(&header[..4]) {
            // A size of one announces a long one; zero is the rest of the file.
            1 => {
                file.read_exact(&mut header[8..])?;
                (number(&header[8..]), 16)
            }
            0 => return Ok(()),
            size => (size, 8),
        };
        let body = size.checked_sub(header_bytes).ok_or(io::ErrorKind::InvalidData)?;
        if &header[4..8] == b"moov" && body <= MAX_MOOV_BYTES {
            let mut moov = Vec::new();
            file.take(body).read_to_end(&mut moov)?;
            index.moov = (moov.len() as u64 == body).then_some(moov);
        }
        at = at.saturating_add(size);
        index.cut_off = at > len;
        if at >= len {
            break;
        }
    }
    Ok(())
}

fn from_edit_list(moov: &[u8], track: u32) -> Option<Edit> {
    let movie_scale = timescale(child(moov, b"mvhd")?)?;
    let trak = boxes(moov).filter(|(name, _)| name == b"trak").map(|(_, body)| body).find(|trak| {
        // The track's id follows two times, of four or eight bytes each by the version.
        child(trak, b"tkhd")
            .is_some_and(|tkhd| word(tkhd, if tkhd.first() == Some(&1) { 20 } else { 12 }) == Some(track))
    })?;
    let timescale = timescale(child(child(trak, b"mdia")?, b"mdhd")?)?;
    let list = child(child(trak, b"edts")?, b"elst")?;
    let field = if list.first()? == &1 { 8 } else { 4 };
    let scaled = |units: u64| u64::try_from(u128::from(units) * u128::from(timescale) / u128::from(movie_scale)).ok();

    let mut lead = 0;
    for entry in list.get(8..)?.chunks_exact(2 * field + 4).take(word(list, 4)? as usize) {
        let (lasts, from) = (number(&entry[..field]), number(&entry[field..2 * field]));
        // A start of −1 is silence before the track.
        if from == u64::MAX >> (64 - 8 * field) {
            lead = scaled(lasts)?;
            continue;
        }
        // Duration zero stands in fragmented files, whose length nobody knew yet.
        return Some(Edit { timescale, lead, skip: from, keep: scaled(lasts).filter(|&units| units > 0) });
    }
    None
}

/// Apple's older way: a comment ` 00000000 00000840 000001CA 00000000003F31F6 …` of delay, padding and samples, in hexadecimal.
fn from_itunes(moov: &[u8], rate: u32) -> Option<Edit> {
    let name = b"iTunSMPB";
    let at = moov.windows(name.len()).position(|bytes| bytes == name)? + name.len();
    // A `data` box: length, name, type and locale before the text.
    let text = moov.get(at + 16..)?;
    let text: Vec<u8> = text.iter().copied().take_while(|byte| byte.is_ascii_hexdigit() || *byte == b' ').collect();
    let mut fields = std::str::from_utf8(&text).ok()?.split_ascii_whitespace();
    let mut field = |index| u64::from_str_radix(fields.nth(index)?, 16).ok();
    let (skip, samples) = (field(1)?, field(1)?);
    Some(Edit { timescale: rate, lead: 0, skip, keep: Some(samples).filter(|&samples| samples > 0) })
}

/// The codec of the first sound track: the name of its sample entry (§8.5.2).
pub(super) fn sound_codec(moov: &[u8]) -> Option<[u8; 4]> {
    let tracks = boxes(moov).filter(|(name, _)| name == b"trak");
    tracks.filter_map(|(_, trak)| child(trak, b"mdia")).find_map(|mdia| {
        // The handler stands behind version, flags and four reserved bytes; the entry's name behind version, flags,
        // the number of entries and its own length.
        let sound = child(mdia, b"hdlr")?.get(8..12)? == b"soun";
        let entries = child(child(child(mdia, b"minf")?, b"stbl")?, b"stsd")?;
        if sound { entries.get(12..16)?.try_into().ok() } else { None }
    })
}

/// Units in a second, behind two times, of four or eight bytes each by the version.
fn timescale(header: &[u8]) -> Option<u32> {
    word(header, if header.first()? == &1 { 20 } else { 12 }).filter(|&scale| scale > 0)
}

fn child<'a>(body: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(body).find(|(found, _)| found == name).map(|(_, body)| body)
}

/// The boxes in a box, by name.
fn boxes(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (size, name) = (word(rest, 0)? as usize, rest.get(4..8)?.try_into().ok()?);
        let body = rest.get(8..size)?;
        rest = &rest[size..];
        Some((name, body))
    })
    .take(MAX_BOXES)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
