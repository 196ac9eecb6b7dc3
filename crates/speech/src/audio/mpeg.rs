//! Frame headers of MPEG audio (ISO/IEC 11172-3 and 13818-3) and ADTS (ISO/IEC 13818-7): enough to tell by two frames in a
//! row that bytes are MP3 or AAC, which have no magic number.

/// What kind of frame a header announces, and after how many bytes the next one must start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) adts: bool,
    pub(super) bytes: usize,
    /// Version, layer and sample rate, which stay the same from frame to frame.
    pub(super) constant: u32,
}

/// Bit rates in kbit/s by header index, for MPEG-1 layers I, II, III and MPEG-2 layers I, II and III.
const KBITS: [[u32; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// The frame whose header starts at `bytes[0]`.
pub(super) fn frame(bytes: &[u8]) -> Option<Frame> {
    let &[0xff, b1, b2, b3, b4, b5, ..] = bytes else { return None };
    match b1 {
        // Layer 0 is what makes it ADTS.
        0xf0 | 0xf1 | 0xf8 | 0xf9 => {
            let bytes = usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5) >> 5;
            let rate = b2 >> 2 & 15;
            (rate <= 12 && bytes > 7).then_some(Frame {
                adts: true,
                bytes,
                constant: u32::from_be_bytes([0, 0, b1, b2]),
            })
        }
        _ if b1 >= 0xe0 => mpeg(b1, b2),
        _ => None,
    }
}

fn mpeg(b1: u8, b2: u8) -> Option<Frame> {
    let (version, layer, bit_rate, rate) = (b1 >> 3 & 3, 4 - (b1 >> 1 & 3), b2 >> 4, b2 >> 2 & 3);
    if version == 1 || layer == 4 || matches!(bit_rate, 0 | 15) || rate == 3 {
        return None;
    }
    let mpeg1 = version == 3;
    // MPEG-2 halves, MPEG-2.5 quarters the rates.
    let hz = [44_100, 48_000, 32_000][usize::from(rate)] >> [2, 0, 1, 0][usize::from(version)];
    let row = match (mpeg1, layer) {
        (true, layer) => usize::from(layer) - 1,
        (false, 1) => 3,
        (false, _) => 4,
    };
    let bits = KBITS[row][usize::from(bit_rate)] * 1000;
    let padding = u32::from(b2 >> 1 & 1);
    let bytes = match layer {
        1 => (12 * bits / hz + padding) * 4,
        3 if !mpeg1 => 72 * bits / hz + padding,
        _ => 144 * bits / hz + padding,
    };
    Some(Frame { adts: false, bytes: bytes as usize, constant: u32::from_be_bytes([0, 0, b1 & 0xfe, b2 & 0x0c]) })
}

/// The first frame in `bytes` that another of its kind follows, or that reaches to the end of all there is.
pub(super) fn first_frame(bytes: &[u8]) -> Option<Frame> {
    (0..bytes.len()).find_map(|at| {
        let first = frame(&bytes[at..])?;
        let followed = match bytes.get(at + first.bytes..) {
            Some(rest) if rest.len() >= 6 => {
                frame(rest).is_some_and(|next| (next.adts, next.constant) == (first.adts, first.constant))
            }
            // Nothing follows to compare with: believe it only where a file starts.
            _ => at == 0,
        };
        followed.then_some(first)
    })
}
