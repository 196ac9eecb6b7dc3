#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| speech_fuzz::vault::read_keyring(text));
