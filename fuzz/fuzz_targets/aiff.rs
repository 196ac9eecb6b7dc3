#![no_main]

use speech_fuzz::{audio::Container, read};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read(Container::Aiff, bytes));
