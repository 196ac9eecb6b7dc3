//! Feeds bytes of strangers to the audio reader, the readers of weights and the [`vault`]. It takes in their source instead of
//! the crate `speech`, whose other parts (networks, CTranslate2) would cost minutes to build with the fuzzer's instrumentation.

use std::{
    io::{Cursor, Write},
    path::PathBuf,
    sync::Once,
};

/// As in `speech`.
pub const SAMPLE_RATE: u32 = 16_000;

#[path = "../../crates/speech/src/audio/mod.rs"]
pub mod audio;
pub mod vault;

#[path = "../../xtask/src/torch.rs"]
mod torch;
#[path = "../../crates/speech/src/whisper/encoder/weights.rs"]
mod weights;

use audio::{Container, Reader, Source, sniff};

/// Blocks that are read of one input: a minute. More would only be more of the same.
const MAX_BLOCKS: usize = 60;

/// Reads `bytes` as a file and as a stream where they are of that container.
pub fn read(container: Container, bytes: &[u8]) {
    if sniff(bytes, None).is_ok_and(|found| found == container) {
        read_any(bytes);
    }
}

/// Reads `bytes`, whatever they are.
pub fn read_any(bytes: &[u8]) {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    std::io::Seek::rewind(&mut file).expect("a file that can be rewound");
    drain(Source::File { file, path: PathBuf::from("fuzz.wav") });
    drain(Source::Stream(Box::new(Cursor::new(bytes.to_vec()))));
}

/// The reader turns a panic in a third-party decoder into an error; libFuzzer's hook would end the run before that. So only
/// panics of our own code end it.
fn tolerate_third_parties() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            if panic.location().is_none_or(|location| !location.file().contains("symphonia")) {
                eprintln!("{panic}");
                std::process::abort();
            }
        }));
    });
}

fn drain(source: Source) {
    tolerate_third_parties();
    let Ok(mut reader) = Reader::open(source) else { return };
    for _ in 0..MAX_BLOCKS {
        let Ok(Some(block)) = reader.next_block() else { return };
        assert!(block.iter().all(|channel| channel.len() == block[0].len() && channel.len() <= SAMPLE_RATE as usize));
        assert!(block.iter().flatten().all(|sample| sample.is_finite()));
    }
}

/// A WAVE file of one channel at 8 kHz around bytes in a codec with blocks.
pub fn wav(tag: u16, block: u16, channels: u16, bytes: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x14\0\0\0".to_vec();
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(8_000u32.to_le_bytes());
    file.extend(0u32.to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(4u16.to_le_bytes());
    file.extend([2, 0, 0, 0]);
    file.extend(b"data");
    file.extend((bytes.len() as u32).to_le_bytes());
    file.extend(bytes);
    file
}

/// Reads `bytes` as a model and every variable of an encoder that it seems to hold.
pub fn read_weights(bytes: &[u8]) {
    let Ok(mut weights) = weights::Weights::open(Cursor::new(bytes)) else { return };
    for name in ["encoder/layer_norm/gamma", "encoder/conv1/weight", "encoder/conv1/weight_scale"] {
        let Ok(shape) = weights.shape(name).map(<[usize]>::to_vec) else { continue };
        if let Ok(numbers) = weights.numbers(name, &shape) {
            assert!(weights.has(name) && numbers.len() <= bytes.len());
        }
    }
}

/// Reads `bytes` as a checkpoint of PyTorch. What it holds is in the file, once.
pub fn read_checkpoint(bytes: &[u8]) {
    let Ok(tensors) = torch::tensors(bytes, "model_state") else { return };
    let mut values = 0;
    for tensor in tensors.values() {
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len());
        values += tensor.values.len();
    }
    assert!(4 * values <= bytes.len());
}
