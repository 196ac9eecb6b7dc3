//! What is no recording, or a bad one, gets a precise error, and costs bounded time and memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "these are tests and their seeds")]

mod audio_support;

use std::{
    fs::{self, File},
    io::{self, Read},
};

use audio_support::{Sound, convert, open, pack, read_all, wav};
use proptest::prelude::*;
use speech::audio::{AudioError, Damage, Reader, Source};

/// Three seconds of [`Sound::speech_like`] in AMR-WB.
const AMR_WB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/speech_like.awb");

fn error(name: &str, bytes: impl Into<Vec<u8>>) -> AudioError {
    read_all(open(name, &bytes.into())).map(|_| ()).expect_err(name)
}

fn stream(read: impl Read + Send + Sync + 'static) -> Result<Reader, AudioError> {
    Reader::open(Source::Stream(Box::new(read)))
}

#[test]
fn what_is_no_audio_is_named() {
    let name = |name, bytes: &[u8]| match error(name, bytes) {
        AudioError::NotAudio { looks_like } => looks_like,
        other => panic!("{name}: {other}"),
    };
    assert_eq!(name("notes.wav", "Grüße\nand so on".as_bytes()), "plain text, although its name ends in .wav");
    assert_eq!(
        name("page.MP3", b"<!doctype html><html>"),
        "a web page or other markup, although its name ends in .mp3"
    );
    assert_eq!(name("bomb.mp3", b"PK\x03\x04\x14\0\0\0\x08\0"), "a ZIP archive, although its name ends in .mp3");
    assert_eq!(name("void.wav", &[0; 5000]), "nothing but zero bytes, although its name ends in .wav");
    assert_eq!(
        name("noise.flac", &[0xa7, 0x13, 0x99].repeat(999)),
        "data of an unknown kind, although its name ends in .flac"
    );
}

#[test]
fn the_bytes_decide_and_not_the_name() {
    let sound = Sound::speech_like(16_000, 1);
    assert!(open("actually-wav.mp3", &wav::write(&sound, wav::S16)).is_ok());
}

#[test]
fn empty_recordings_are_said_to_be_empty() {
    assert!(matches!(error("empty.wav", []), AudioError::Empty));
    assert!(matches!(error("header-only.wav", wav::header(1, 1, 16_000, 16, 0)), AudioError::Empty));
    assert!(matches!(error("riff.wav", *b"RIFF\x10\0\0\0WAVE"), AudioError::Malformed { .. }));
    assert!(matches!(error("magic.flac", *b"fLaC"), AudioError::Malformed { .. }));
    assert!(matches!(error("magic.amr", *b"#!AMR\n"), AudioError::Empty));
}

#[test]
fn a_header_that_claims_four_gigabytes_yields_what_is_there() {
    let sound = Sound::speech_like(16_000, 1);
    let samples = &wav::write(&sound, wav::S16)[44..];
    let truncated = Damage { truncated: true, ..Damage::default() };
    // All ones are how recorders say that they do not know.
    for (claim, damage) in [(u32::MAX - 1, truncated), (u32::MAX, Damage::default()), (0, Damage::default())] {
        let mut file = wav::header(1, 1, 16_000, 16, claim);
        file.extend(samples);
        let (channels, found) = read_all(open("claims.wav", &file)).unwrap();
        assert_eq!((channels[0].len(), found), (48_000, damage), "claim {claim}");
    }
}

#[test]
fn too_many_channels_and_strange_rates_are_refused() {
    let header = |channels, rate| [wav::header(1, channels, rate, 16, 20_000), vec![0; 20_000]].concat();
    assert!(matches!(error("100.wav", header(100, 8_000)), AudioError::TooManyChannels { found: 100 }));
    assert!(matches!(error("33.wav", header(33, 8_000)), AudioError::TooManyChannels { found: 33 }));
    assert!(matches!(error("none.wav", header(0, 8_000)), AudioError::Malformed { .. }));
    assert!(matches!(error("slow.wav", header(1, 1)), AudioError::SampleRate { found: 1 }));
    assert!(matches!(error("fast.wav", header(1, u32::MAX)), AudioError::SampleRate { .. }));
}

#[test]
fn codecs_that_are_not_read_are_named_with_what_to_do() {
    let g722 = [wav::header(0x28f, 1, 16_000, 8, 100), vec![0; 100]].concat();
    assert_eq!(
        error("g722.wav", g722).to_string(),
        "G.722 in WAV cannot be read here: convert it first, for example with `ffmpeg -i in -ar 16000 out.flac`"
    );
    assert!(error("sun.au", *b".snd\0\0\0\x18").to_string().starts_with("Sun/NeXT audio (.au) cannot be read here"));
}

#[test]
fn codecs_that_are_read_only_in_part_are_named_too() {
    let cannot = |name: &str, bytes: &[u8], what: &str| {
        let said = error(name, bytes).to_string();
        assert!(said.starts_with(&format!("{what} cannot be read here: convert it first")), "{name}: {said}");
    };
    // ffmpeg has no encoder of AMR, but packs what is encoded.
    let Some(amr) = pack(&fs::read(AMR_WB).unwrap(), "awb", "3gp") else { return };
    cannot("call.3gp", &amr, "AMR-WB in 3GP or MP4");
    cannot("call.3gp", &replaced(&amr, b"sawb", b"samr"), "AMR in 3GP or MP4");
    cannot("call.3gp", &replaced(&amr, b"sawb", b"sevc"), "its audio codec");

    let surround = Sound::speech_like(48_000, 6);
    for ending in ["opus", "webm", "mp4"] {
        let Some(bytes) = convert(&surround, ending, "-c:a libopus") else { return };
        cannot(&format!("surround.{ending}"), &bytes, "Opus with more than two channels");
    }

    // AAC-LC at 22,050 Hz whose configuration is changed to say that spectral band replication doubles its rate (HE-AAC).
    let Some(aac) = convert(&Sound::speech_like(22_050, 1), "m4a", "-c:a aac") else { return };
    let plain = b"\x13\x88\x56\xe5\x00";
    cannot(
        "he.m4a",
        &replaced(&aac, plain, b"\x2b\x8a\x08\0\0"),
        "AAC other than AAC-LC in mono or stereo (HE-AAC, for example)",
    );
    // Said behind the core's configuration, so that older players do not stumble over it: the core is what is heard.
    let (channels, _) = read_all(open("he.m4a", &replaced(&aac, plain, b"\x13\x88\x56\xe5\xa0"))).unwrap();
    assert_eq!(channels[0].len(), 48_000);
}

/// The bytes with the one place of `from` replaced.
fn replaced<const N: usize>(bytes: &[u8], from: &[u8; N], to: &[u8; N]) -> Vec<u8> {
    let places: Vec<usize> = bytes.windows(N).enumerate().filter(|(_, w)| w == from).map(|(at, _)| at).collect();
    let [at] = places[..] else { panic!("{} places of {from:x?}", places.len()) };
    let mut bytes = bytes.to_vec();
    bytes[at..at + N].copy_from_slice(to);
    bytes
}

#[test]
fn a_recording_cut_anywhere_yields_its_start_or_a_precise_error() {
    let sound = Sound::speech_like(16_000, 1);
    let mut files = vec![("cut.wav", wav::write(&sound, wav::MULAW))];
    for (name, arguments) in [
        ("cut.mp3", "-b:a 64k"),
        ("cut.ogg", "-c:a libvorbis"),
        ("cut.opus", ""),
        ("cut.flac", ""),
        ("cut.webm", ""),
        ("cut.m4a", "-movflags +faststart"),
    ] {
        let ending = name.rsplit('.').next().unwrap();
        files.extend(convert(&sound, ending, arguments).map(|bytes| (name, bytes)));
    }
    for (name, whole) in files {
        let (full, _) = read_all(open(name, &whole)).unwrap();
        for percent in [1, 5, 20, 50, 80, 97] {
            match read_all(open(name, &whole[..whole.len() * percent / 100])) {
                Ok((part, damage)) => {
                    let (part, full) = (part[0].len(), full[0].len());
                    assert!(part <= full, "{name} at {percent} %: {part} of {full}");
                    // Bare MPEG frames tell no length where there is no LAME header; ffmpeg writes one.
                    assert!(
                        damage.truncated || full - part < 4_800,
                        "{name} at {percent} %: {part} of {full}, {damage:?}"
                    );
                }
                Err(AudioError::Malformed { .. } | AudioError::Empty) => {
                    assert!(percent <= 50, "{name} at {percent} %");
                }
                Err(other) => panic!("{name} at {percent} %: {other}"),
            }
        }
    }
}

#[test]
fn a_damaged_middle_is_silent_and_what_follows_keeps_its_time() {
    let once = Sound::speech_like(16_000, 1);
    let sound = Sound { rate: 16_000, channels: vec![once.channels[0].repeat(3)] };
    for (ending, arguments) in [("opus", "-c:a libopus -b:a 64k"), ("flac", ""), ("m4a", "-c:a aac -b:a 96k")] {
        let Some(mut bytes) = convert(&sound, ending, arguments) else { return };
        let middle = bytes.len() / 2;
        for byte in &mut bytes[middle..middle + 600] {
            *byte ^= 0x5a;
        }
        let (channels, damage) = read_all(open(&format!("damaged.{ending}"), &bytes)).unwrap();
        let (original, decoded) = (&sound.channels[0], &channels[0]);
        let (shift, _) = audio_support::compare(&once.channels[0], &decoded[96_000..]);
        println!("{ending}: {damage:?}, {} samples, end shifted by {shift} s", decoded.len());
        assert!(damage.packets > 0, "{ending}: the damage is counted");
        assert!(shift.abs() < 0.0005, "{ending}: the end is shifted by {shift} s");
        assert!(decoded.len().abs_diff(original.len()) < 320, "{ending}: {} samples", decoded.len());
    }
}

/// Repeats a block for ever and counts what is read of it.
struct Endless {
    header: Vec<u8>,
    block: Vec<u8>,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = match self.at.checked_sub(self.header.len()) {
            None => &self.header[self.at..],
            Some(past) => &self.block[past % self.block.len()..],
        };
        let read = from.len().min(into.len());
        into[..read].copy_from_slice(&from[..read]);
        self.at += read;
        Ok(read)
    }
}

#[test]
fn a_stream_without_end_is_too_long() {
    let endless = Endless { header: wav::header(7, 1, 8_000, 8, u32::MAX), block: vec![0x55; 1 << 16], at: 0 };
    assert!(matches!(read_all_lengths(stream(endless)), Err(AudioError::TooLong)));
}

#[test]
fn endless_headers_and_tags_are_given_up() {
    let tag = [b"ID3\x04\0\0\x7f\x7f\x7f\x7f".to_vec(), vec![0xff; 100]].concat();
    assert!(matches!(error("art.mp3", tag), AudioError::Malformed { .. }));
    let chunks = Endless { header: b"RIFF\0\0\0\0WAVE".to_vec(), block: b"junk\xff\xff\xff\x7f".repeat(1000), at: 0 };
    assert!(matches!(read_all_lengths(stream(chunks)), Err(AudioError::Malformed { .. })));
    let atoms =
        Endless { header: b"\0\0\0\x10ftypM4A \0\0\0\0".to_vec(), block: b"\0\0\0\x08free".repeat(1000), at: 0 };
    assert!(matches!(stream(atoms).map(|_| ()), Err(AudioError::NeedsSeeking { .. })));
}

/// As `read_all`, without keeping the samples.
fn read_all_lengths(reader: Result<Reader, AudioError>) -> Result<u64, AudioError> {
    let mut reader = reader?;
    let mut frames = 0;
    while let Some(block) = reader.next_block()? {
        frames += block[0].len() as u64;
    }
    Ok(frames)
}

#[test]
fn a_stream_reads_as_its_file_does() {
    let sound = Sound::speech_like(16_000, 2);
    let mut files = vec![("wav", wav::write(&sound, wav::S16))];
    for (ending, arguments) in [("mp3", ""), ("ogg", "-c:a libvorbis"), ("webm", ""), ("flac", ""), ("m4a", "-c:a aac")]
    {
        files.extend(convert(&sound, ending, arguments).map(|bytes| (ending, bytes)));
    }
    for (name, bytes) in files {
        let (from_file, _) = read_all(open("file", &bytes)).unwrap();
        let (from_stream, damage) = read_all(stream(io::Cursor::new(bytes))).unwrap();
        assert_eq!(damage, Damage::default(), "{name}");
        assert!(from_file == from_stream, "{name}");
    }
}

#[test]
fn directories_and_failing_disks_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let source = Source::File { file: File::open(&path).unwrap(), path };
    assert_eq!(Reader::open(source).map(|_| ()).unwrap_err().to_string(), "reading failed: it is a directory");

    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    assert!(matches!(stream(Failing).map(|_| ()), Err(AudioError::Io(_))));
    let start = io::Cursor::new([wav::header(1, 1, 16_000, 16, 90_000), vec![0; 40_000]].concat());
    assert!(matches!(read_all(stream(start.chain(Failing))), Err(AudioError::Io(_))));
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error() {
    let sound = Sound::speech_like(16_000, 1);
    let minute = Sound { rate: 16_000, channels: vec![sound.channels[0].repeat(20)] };
    let mut files = vec![("wav", wav::write(&minute, wav::S16))];
    for (ending, arguments) in
        [("mp3", "-b:a 128k"), ("ogg", "-c:a libvorbis"), ("webm", "-b:a 96k"), ("flac", ""), ("m4a", "")]
    {
        files.extend(convert(&minute, ending, arguments).map(|bytes| (ending, bytes)));
    }
    let folder = tempfile::tempdir().unwrap();
    for (ending, bytes) in files {
        let path = folder.path().join(format!("cut.{ending}"));
        fs::write(&path, &bytes).unwrap();
        let file = File::open(&path).unwrap();
        let mut reader = Reader::open(Source::File { file, path: path.clone() }).unwrap();
        assert!(reader.next_block().unwrap().is_some(), "{ending}");
        File::options().write(true).open(&path).unwrap().set_len(bytes.len() as u64 * 3 / 4).unwrap();
        let error = read_all(Ok(reader)).map(|_| ()).expect_err(ending);
        assert_eq!(error.to_string(), "reading failed: the file became shorter while it was read", "{ending}");
    }
}

#[test]
fn a_video_without_sound_has_no_audio_track() {
    let sound = Sound::speech_like(16_000, 1);
    let Some(bytes) = convert(&sound, "mp4", "-an -f lavfi -i color=size=16x16:duration=1:rate=5 -map 1:v") else {
        return;
    };
    assert!(matches!(error("silent.mp4", bytes), AudioError::NoAudioTrack));
}

/// Small recordings of every container, to be damaged.
fn seeds() -> &'static [(&'static str, Vec<u8>)] {
    static SEEDS: std::sync::OnceLock<Vec<(&str, Vec<u8>)>> = std::sync::OnceLock::new();
    SEEDS.get_or_init(|| {
        let mut sound = Sound::speech_like(16_000, 1);
        sound.channels[0].truncate(8_000);
        let amr = fs::read(AMR_WB).unwrap();
        let mut seeds = vec![("wav", wav::write(&sound, wav::S16)), ("awb", amr[..1_000].to_vec())];
        let encoded = [
            ("wav", "-c:a adpcm_ms"),
            ("wav", "-c:a adpcm_ima_wav"),
            ("wav", "-ar 8000 -c:a libgsm_ms"),
            ("mp3", ""),
            ("aac", ""),
            ("m4a", ""),
            ("m4a", "-c:a alac"),
            ("ogg", "-c:a libvorbis"),
            ("opus", ""),
            ("webm", ""),
            ("flac", ""),
            ("aiff", ""),
        ];
        for (ending, arguments) in encoded {
            seeds.extend(convert(&sound, ending, arguments).map(|bytes| (ending, bytes)));
        }
        seeds
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics_and_never_lengthens(
        seed in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        head in any::<bool>(),
    ) {
        let (ending, bytes) = &seeds()[seed.index(seeds().len())];
        let mut bytes = bytes.clone();
        for (at, value) in flips {
            // Headers decide most, so half of the cases damage only these.
            let reach = if head { bytes.len().min(200) } else { bytes.len() };
            bytes[at.index(reach)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut frames = 0u64;
        if let Ok(mut reader) = open(&format!("damaged.{ending}"), &bytes) {
            while let Ok(Some(block)) = reader.next_block() {
                prop_assert!(block.iter().flatten().all(|sample| sample.is_finite()));
                frames += block[0].len() as u64;
                // A damaged clock may announce a gap; nothing else makes half a second long.
                if frames > 16_000 * 60 {
                    break;
                }
            }
        }
    }
}
