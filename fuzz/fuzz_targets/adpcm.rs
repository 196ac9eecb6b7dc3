#![no_main]

use speech_fuzz::{read_any, wav};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The first bytes choose the codec, the channels and the size of a block.
    let &[codec, block, ref samples @ ..] = bytes else { return };
    let tag = if codec & 1 == 0 { 2 } else { 0x11 };
    read_any(&wav(tag, block.into(), 1 + u16::from(codec >> 1 & 1), samples));
});
