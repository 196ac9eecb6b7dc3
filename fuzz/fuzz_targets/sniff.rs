#![no_main]

use speech_fuzz::{audio::sniff, read_any};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = sniff(bytes, Some("mp3"));
    read_any(bytes);
});
