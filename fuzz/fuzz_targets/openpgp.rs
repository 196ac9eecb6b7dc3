#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| speech_fuzz::vault::open_messages(bytes));
