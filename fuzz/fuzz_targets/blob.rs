#![no_main]

use speech_fuzz::vault::{open_edited_part, open_foreign_part};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    open_foreign_part(bytes);
    open_edited_part(bytes);
});
