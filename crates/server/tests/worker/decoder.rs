//! The process that decodes: it decodes as this one would, and can do nothing else.

use std::{
    io::{Read as _, Write as _},
    os::fd::AsFd as _,
    os::unix::{net::UnixStream, process::ExitStatusExt as _},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use nix::libc;
use server::decoder::{DecodeError, Decoded, Decoder, ReadAt, Refusal, child, sandbox};
use speech::audio::{AudioError, Blocks, Damage, Reader, Source};

use crate::studio::{decoder, process, wav};

/// Whether this process was started for one ignored test, and not for all of them by a soak run.
fn is_alone() -> bool {
    std::env::args().any(|argument| argument == "--exact")
}

#[test]
#[ignore = "a part of the tests below"]
fn a_process_that_decodes() {
    if is_alone() {
        child::run(&sandbox::Limits::default());
    }
}

#[test]
#[ignore = "a part of the tests below"]
fn a_process_that_computes() {
    if is_alone() {
        sandbox::enter(&sandbox::Limits { cpu_seconds: 1, ..sandbox::Limits::default() }).unwrap();
        loop {
            std::hint::spin_loop();
        }
    }
}

/// What an attacker who runs code in the process might try.
const ATTEMPTS: [(&str, fn()); 10] = [
    ("open a file", || drop(std::fs::File::open("/etc/hostname"))),
    ("make a socket", || drop(std::net::UdpSocket::bind("127.0.0.1:0"))),
    ("make a local socket", || drop(UnixStream::pair())),
    ("start a program", || drop(Command::new("/bin/true").spawn())),
    ("become another program", || {
        // SAFETY: both pointers are to strings and lists that end in zero.
        unsafe { libc::execv(c"/bin/true".as_ptr(), [std::ptr::null()].as_ptr()) };
    }),
    ("fork", || {
        // SAFETY: the child, should there be one, does nothing but end.
        if unsafe { libc::fork() } == 0 {
            // SAFETY: it ends the process.
            unsafe { libc::_exit(0) }
        }
    }),
    ("start a thread", || drop(std::thread::Builder::new().spawn(|| {}))),
    ("send a signal to its parent", || {
        // SAFETY: the call touches no memory; signal 0 only asks.
        unsafe { libc::kill(1, 0) };
    }),
    ("map memory that is executable", || {
        let (read_write_execute, private) = (7, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping touches no other.
        unsafe { libc::mmap(std::ptr::null_mut(), 4096, read_write_execute, private, -1, 0) };
    }),
    ("trace another process", || {
        // SAFETY: the call asks to be traced and touches no memory.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    }),
];

/// Comes to its end, with code 7, only where it was not killed.
#[test]
#[ignore = "a part of the tests below"]
fn a_process_that_tries() {
    if !is_alone() {
        return;
    }
    let mut number = [0];
    std::io::stdin().read_exact(&mut number).unwrap();
    sandbox::enter(&sandbox::Limits::default()).unwrap();
    if let Some((_, attempt)) = ATTEMPTS.get(usize::from(number[0])) {
        attempt();
    } else {
        // A memory bomb: more than the limit is not given.
        let mut bomb: Vec<u8> = Vec::new();
        assert!(bomb.try_reserve_exact(2 << 30).is_err());
    }
    // SAFETY: it ends the process.
    unsafe { libc::_exit(7) }
}

/// How a process ends that tries this: its signal, or its code.
fn tried(number: u8) -> Result<i32, i32> {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "decoder::a_process_that_tries", "--nocapture"])
        .stdin(Stdio::from(theirs.as_fd().try_clone_to_owned().unwrap()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    ours.write_all(&[number]).unwrap();
    let status = child.wait().unwrap();
    status.signal().ok_or_else(|| status.code().unwrap())
}

#[test]
fn whatever_the_process_tries_beyond_decoding_kills_it() {
    for (number, (what, _)) in (0..).zip(ATTEMPTS) {
        assert_eq!(tried(number), Ok(libc::SIGSYS), "{what}");
    }
}

#[test]
fn a_memory_bomb_gets_no_more_than_the_limit() {
    assert_eq!(tried(255), Err(7));
}

fn bytes(recording: Vec<u8>) -> (u64, ReadAt) {
    let recording = Bytes::from(recording);
    let length = recording.len() as u64;
    let read_at = move |offset: u64, most: usize| {
        let from = usize::try_from(offset).unwrap().min(recording.len());
        Ok(recording.slice(from..(from + most).min(recording.len())))
    };
    (length, Box::new(read_at))
}

fn open(decoder: &Decoder, recording: Vec<u8>) -> Result<Decoded, DecodeError> {
    let (length, read_at) = bytes(recording);
    decoder.open(length, read_at, Arc::default())
}

fn drain(blocks: &mut dyn Blocks) -> Result<(Vec<Vec<f32>>, Damage), AudioError> {
    let mut all = vec![Vec::new(); blocks.channels()];
    while let Some(block) = blocks.next_block()? {
        for (all, block) in all.iter_mut().zip(block) {
            all.extend_from_slice(block);
        }
    }
    Ok((all, blocks.damage()))
}

/// The recording as `ffmpeg` packs it; none where it is not installed.
fn packed(ending: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("in.wav"), folder.path().join(format!("out.{ending}")));
    std::fs::write(&from, wav(2)).unwrap();
    let status = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&from).arg(&to).status().ok()?;
    assert!(status.success());
    Some(std::fs::read(to).unwrap())
}

#[test]
fn every_format_comes_out_of_the_process_as_it_would_be_decoded_here() {
    let mut recordings = vec![("wav", wav(2))];
    // The index of an m4a by ffmpeg lies at its end.
    for ending in ["mp3", "m4a", "ogg", "flac", "webm"] {
        match packed(ending) {
            Some(bytes) => recordings.push((ending, bytes)),
            None => println!("skipped {ending}: ffmpeg is missing"),
        }
    }
    for (ending, recording) in recordings {
        let here = Source::Random(Box::new(std::io::Cursor::new(recording.clone())));
        let here = drain(&mut Reader::open(here).unwrap()).unwrap();
        let mut there = open(&decoder(), recording).unwrap();
        assert_eq!(there.channels(), 2, "{ending}");
        let there = drain(&mut there).unwrap();
        assert!(here == there, "{ending}");
    }
}

#[test]
fn a_cut_recording_is_damaged_there_as_it_is_here() {
    let mut cut = wav(1);
    cut.truncate(cut.len() / 2);
    let (samples, damage) = drain(&mut open(&decoder(), cut).unwrap()).unwrap();
    assert!(damage.truncated && !samples[0].is_empty());
}

#[test]
fn what_is_no_audio_is_refused_by_name() {
    let refused = open(&decoder(), b"a letter, which nobody can listen to at all".to_vec()).err().unwrap();
    assert!(matches!(refused, DecodeError::Refused(Refusal::NotAudio)), "{refused}");
}

#[test]
fn a_process_that_computes_for_too_long_ends_with_a_clear_error() {
    let error = open(&process("a_process_that_computes"), wav(1)).err().unwrap();
    assert!(matches!(error, DecodeError::Misbehaved("computed for too long")), "{error}");
}

#[test]
fn a_process_that_lies_dies_or_says_nothing_is_an_error_and_never_a_hang() {
    // Those that say nothing are waited for in full; the others need a shell to start first, on a busy machine perhaps.
    let sh = |script: &str, patience| Decoder::new("/bin/sh", ["-c", script]).stalled_after(patience);
    let (short, long) = (Duration::from_millis(500), Duration::from_secs(60));
    for (script, what) in [
        ("printf 'this is not what was agreed upon' >&0; exec cat", "says what makes no sense"),
        ("printf '\\005\\001\\000\\000\\000\\377' >&0; exec cat", "says what makes no sense"),
        ("exit 0", "ended early"),
        ("kill -SEGV $$", "crashed"),
        ("exec cat >/dev/null", "says nothing any more"),
        ("exec sleep 1000 <&-", "closed its socket and lived on"),
        // It cannot be locked in, but only after it was given a part of the recording.
        (
            "printf '\\001\\014\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\001\\000\\000\\000' >&0
             printf '\\005\\001\\000\\000\\000\\012' >&0; exec cat",
            "says what makes no sense here",
        ),
    ] {
        let waits = matches!(what, "says nothing any more" | "closed its socket and lived on");
        match open(&sh(script, if waits { short } else { long }), wav(1)) {
            Err(DecodeError::Misbehaved(said)) => assert_eq!(said, what, "{script}"),
            Err(other) => panic!("{script}: {other}"),
            Ok(_) => panic!("{script} is no decoder"),
        }
    }
    let killed = open(&sh("kill -KILL $$", long), wav(1)).err().unwrap();
    assert!(matches!(killed, DecodeError::Killed), "worth another attempt: {killed}");
}

#[test]
fn a_process_that_goes_on_and_never_comes_to_an_end_is_ended() {
    // A byte of the recording again and again, whose answers are taken; and a sample after the other.
    let reads = "exec 3<&0; cat <&3 >/dev/null & while :; do
        printf '\\001\\014\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\001\\000\\000\\000' >&3; done";
    let samples =
        "printf '\\002\\012\\000\\000\\000\\001\\000\\000\\000\\000\\000\\000\\000\\370\\177' >&0; while :; do
        printf '\\003\\010\\000\\000\\000\\001\\000\\001\\000\\000\\000\\000\\000' >&0; done";
    for script in [reads, samples] {
        let decoder = Decoder::new("/bin/sh", ["-c", script]).within(Duration::from_millis(200));
        let error = match open(&decoder, wav(1)) {
            Err(error) => error,
            Ok(mut decoded) => match drain(&mut decoded) {
                Err(AudioError::Io(error)) => error.downcast().unwrap(),
                other => panic!("{script}: {other:?}"),
            },
        };
        assert!(matches!(error, DecodeError::TooSlow), "{script}: {error}");
    }
}

#[test]
fn a_silent_process_is_not_waited_for_once_the_call_was_given_up() {
    let (length, read_at) = bytes(wav(1));
    let given_up = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let error = Decoder::new("/bin/sh", ["-c", "exec cat >/dev/null"]).open(length, read_at, given_up).err().unwrap();
    assert!(matches!(error, DecodeError::Cancelled), "{error}");
}

#[test]
fn a_recording_whose_bytes_cannot_be_read_is_not_blamed() {
    let fails: ReadAt = Box::new(|_, _| Err(std::io::Error::other("the store is away")));
    let error = decoder().open(1000, fails, Arc::default()).err().unwrap();
    assert!(matches!(error, DecodeError::Io(_)), "{error}");
}
