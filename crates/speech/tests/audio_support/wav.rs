//! Writes WAVE files, right and wrong ones.

use super::Sound;

/// Tag, bits a sample, and how a sample is written.
#[derive(Clone, Copy)]
pub struct Format {
    pub tag: u16,
    pub bits: u16,
    put: fn(f32, &mut Vec<u8>),
}

pub const U8: Format = Format { tag: 1, bits: 8, put: |x, out| out.push((x * 127.0).round() as i8 as u8 ^ 0x80) };
pub const S16: Format =
    Format { tag: 1, bits: 16, put: |x, out| out.extend(((x * 32768.0).round() as i16).to_le_bytes()) };
pub const S24: Format =
    Format { tag: 1, bits: 24, put: |x, out| out.extend(&((x * 8_388_608.0).round() as i32).to_le_bytes()[..3]) };
pub const S32: Format =
    Format { tag: 1, bits: 32, put: |x, out| out.extend(((f64::from(x) * 2_147_483_648.0) as i32).to_le_bytes()) };
pub const F32: Format = Format { tag: 3, bits: 32, put: |x, out| out.extend(x.to_le_bytes()) };
pub const F64: Format = Format { tag: 3, bits: 64, put: |x, out| out.extend(f64::from(x).to_le_bytes()) };
pub const MULAW: Format = Format { tag: 7, bits: 8, put: |x, out| out.push(mulaw(x)) };
pub const ALAW: Format = Format { tag: 6, bits: 8, put: |x, out| out.push(alaw(x)) };

/// A whole file.
pub fn write(sound: &Sound, format: Format) -> Vec<u8> {
    let mut data = Vec::new();
    for n in 0..sound.channels[0].len() {
        for channel in &sound.channels {
            (format.put)(channel[n], &mut data);
        }
    }
    let length = data.len() as u32;
    let mut file = header(format.tag, sound.channels.len() as u16, sound.rate, format.bits, length);
    file.extend(data);
    file
}

/// 44 bytes that claim `length` bytes of samples.
pub fn header(tag: u16, channels: u16, rate: u32, bits: u16, length: u32) -> Vec<u8> {
    let frame = channels.wrapping_mul(bits / 8);
    let mut out = b"RIFF".to_vec();
    out.extend(length.saturating_add(36).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0");
    out.extend(tag.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend(rate.wrapping_mul(frame.into()).to_le_bytes());
    out.extend(frame.to_le_bytes());
    out.extend(bits.to_le_bytes());
    out.extend(b"data");
    out.extend(length.to_le_bytes());
    out
}

/// G.711 µ-law: a sign, the segment of the biased magnitude, and four bits within it, inverted.
fn mulaw(x: f32) -> u8 {
    let magnitude = ((x.abs() * 32768.0) as u32).min(32_635) + 132;
    let segment = 31 - magnitude.leading_zeros() - 7;
    let byte = (segment << 4 | magnitude >> (segment + 3) & 15) as u8;
    !(byte | if x < 0.0 { 0x80 } else { 0 })
}

/// G.711 A-law: as above without bias, every second bit inverted.
fn alaw(x: f32) -> u8 {
    let magnitude = ((x.abs() * 32768.0) as u32).min(32_767);
    let segment = (32 - magnitude.leading_zeros()).saturating_sub(8);
    let byte = (segment << 4 | magnitude >> if segment == 0 { 4 } else { segment + 3 } & 15) as u8;
    (byte | if x < 0.0 { 0 } else { 0x80 }) ^ 0x55
}
