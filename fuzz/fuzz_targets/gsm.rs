#![no_main]

use speech_fuzz::{read_any, wav};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read_any(&wav(0x31, 65, 1, bytes)));
