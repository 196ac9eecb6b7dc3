//! Reads variables out of a model in CTranslate2's binary format (`model.bin`, version 6: `ctranslate2/specs/model_spec.py`,
//! `_serialize`). Only the directory is kept; numbers are read when they are asked for. Every length is checked against
//! the file before anything is allocated.

use std::{
    collections::HashMap,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

/// The version of the format that is understood; older ones write other headers.
const VERSION: u32 = 6;
/// More dimensions than any variable has.
const MAX_RANK: u8 = 4;
/// More variables, and more aliases, than any Whisper model has (large-v3 has about 1,400 when quantised).
const MAX_VARIABLES: u32 = 100_000;

/// Why a model's encoder cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WeightsError {
    /// The file could not be read, or ends early.
    #[error("model.bin cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Not the format that is understood.
    #[error("model.bin is not in version 6 of the format, or damaged")]
    Format,
    /// A variable is missing or has another shape or type.
    #[error("model.bin has no usable variable {0}")]
    Variable(String),
}

/// The types of numbers in the format, by their codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    F32,
    I8,
    I16,
    I32,
    F16,
    Bf16,
}

impl Kind {
    fn from_code(code: u8) -> Option<Self> {
        [Self::F32, Self::I8, Self::I16, Self::I32, Self::F16, Self::Bf16].get(usize::from(code)).copied()
    }

    fn bytes(self) -> u64 {
        match self {
            Self::I8 => 1,
            Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
        }
    }
}

struct Variable {
    shape: Vec<usize>,
    kind: Kind,
    offset: u64,
}

/// The directory of a model file, open for reading.
pub(super) struct Weights<R> {
    reader: BufReader<R>,
    variables: HashMap<String, Variable>,
}

impl<R: Read + Seek> Weights<R> {
    /// Reads the directory of a model.
    ///
    /// # Errors
    /// When the file cannot be read, is not of the known version, or its lengths do not fit together.
    pub(super) fn open(mut inner: R) -> Result<Self, WeightsError> {
        let size = inner.seek(SeekFrom::End(0))?;
        inner.rewind()?;
        let mut reader = BufReader::new(inner);
        if u32::from_le_bytes(array(&mut reader)?) != VERSION {
            return Err(WeightsError::Format);
        }
        let _specification = text(&mut reader)?;
        let _revision: [u8; 4] = array(&mut reader)?;
        let count = u32::from_le_bytes(array(&mut reader)?);
        if count > MAX_VARIABLES {
            return Err(WeightsError::Format);
        }
        let mut variables = HashMap::new();
        for _ in 0..count {
            let (name, variable) = entry(&mut reader, size)?;
            variables.insert(name, variable);
        }
        // Equal variables are written once; the others are aliases of it.
        let count = u32::from_le_bytes(array(&mut reader)?);
        if count > MAX_VARIABLES {
            return Err(WeightsError::Format);
        }
        for _ in 0..count {
            let (alias, name) = (text(&mut reader)?, text(&mut reader)?);
            let variable = variables.get(&name).ok_or(WeightsError::Format)?;
            variables.insert(alias, Variable { shape: variable.shape.clone(), ..*variable });
        }
        Ok(Self { reader, variables })
    }

    /// Whether there is a variable whose name begins like this.
    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.variables.keys().any(|name| name.starts_with(scope))
    }

    /// Whether there is a variable of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The shape of a variable.
    ///
    /// # Errors
    /// When there is no such variable.
    pub(super) fn shape(&self, name: &str) -> Result<&[usize], WeightsError> {
        Ok(&self.variables.get(name).ok_or_else(|| missing(name))?.shape)
    }

    /// The numbers of a variable that has to have this shape; integers as they stand, without their scale.
    ///
    /// # Errors
    /// When there is no such variable of that shape, or the file cannot be read.
    pub(super) fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let variable = self.variables.get(name).filter(|v| v.shape == shape).ok_or_else(|| missing(name))?;
        let kind = variable.kind;
        // The directory was checked: the product fits into the file.
        let count: usize = shape.iter().product();
        self.reader.seek(SeekFrom::Start(variable.offset))?;
        let mut bytes = vec![0; count * kind.bytes() as usize];
        self.reader.read_exact(&mut bytes)?;
        let (ones, pairs, fours) = (bytes.iter(), bytes.as_chunks::<2>().0.iter(), bytes.as_chunks::<4>().0.iter());
        Ok(match kind {
            Kind::F32 => fours.map(|b| f32::from_le_bytes(*b)).collect(),
            Kind::I32 => fours.map(|b| i32::from_le_bytes(*b) as f32).collect(),
            Kind::I8 => ones.map(|b| f32::from(b.cast_signed())).collect(),
            Kind::I16 => pairs.map(|b| f32::from(i16::from_le_bytes(*b))).collect(),
            Kind::F16 => pairs.map(|b| half(u16::from_le_bytes(*b))).collect(),
            Kind::Bf16 => pairs.map(|b| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16)).collect(),
        })
    }
}

fn missing(name: &str) -> WeightsError {
    WeightsError::Variable(name.to_owned())
}

/// One entry of the directory; its numbers are skipped.
fn entry<R: Read + Seek>(reader: &mut BufReader<R>, size: u64) -> Result<(String, Variable), WeightsError> {
    let name = text(reader)?;
    let [rank] = array(reader)?;
    if rank > MAX_RANK {
        return Err(WeightsError::Format);
    }
    let mut shape = Vec::with_capacity(usize::from(rank));
    let mut count = 1u64;
    for _ in 0..rank {
        let length = u32::from_le_bytes(array(reader)?);
        count = count.checked_mul(u64::from(length)).ok_or(WeightsError::Format)?;
        shape.push(length as usize);
    }
    let [code] = array(reader)?;
    let kind = Kind::from_code(code).ok_or(WeightsError::Format)?;
    let bytes = u32::from_le_bytes(array(reader)?);
    let offset = reader.stream_position()?;
    let fits = offset.checked_add(u64::from(bytes)).is_some_and(|end| end <= size);
    if count.checked_mul(kind.bytes()) != Some(u64::from(bytes)) || !fits {
        return Err(WeightsError::Format);
    }
    reader.seek_relative(i64::from(bytes))?;
    Ok((name, Variable { shape, kind, offset }))
}

/// A string: its length with the terminating zero, then its bytes.
fn text(reader: &mut impl Read) -> Result<String, WeightsError> {
    let length = u16::from_le_bytes(array(reader)?);
    let mut bytes = vec![0; usize::from(length)];
    reader.read_exact(&mut bytes)?;
    if bytes.pop() != Some(0) {
        return Err(WeightsError::Format);
    }
    String::from_utf8(bytes).map_err(|_| WeightsError::Format)
}

fn array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// IEEE 754 half precision to single.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let rest = u32::from(bits & 0x7fff);
    // Moving exponent and fraction into place leaves the exponent 112 too small; the multiplication puts that right, for
    // subnormal numbers as well. Infinities and NaN need their exponent filled.
    let magnitude = if rest < 0x7c00 {
        (f32::from_bits(rest << 13) * f32::from_bits((127 + 112) << 23)).to_bits()
    } else {
        0x7f80_0000 | (rest & 0x3ff) << 13
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn string(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u16 + 1).to_le_bytes());
        out.extend(text.as_bytes());
        out.push(0);
    }

    fn model(variables: &[(&str, &[u32], u8, &[u8])]) -> Vec<u8> {
        let mut out = VERSION.to_le_bytes().to_vec();
        string(&mut out, "WhisperSpec");
        out.extend(3u32.to_le_bytes());
        out.extend((variables.len() as u32).to_le_bytes());
        for (name, shape, kind, data) in variables {
            string(&mut out, name);
            out.push(shape.len() as u8);
            out.extend(shape.iter().flat_map(|n| n.to_le_bytes()));
            out.push(*kind);
            out.extend((data.len() as u32).to_le_bytes());
            out.extend(*data);
        }
        out.extend(1u32.to_le_bytes());
        string(&mut out, "alias");
        string(&mut out, variables[0].0);
        out
    }

    #[test]
    fn numbers_of_every_type_are_read_by_name_and_shape() {
        let bytes = model(&[
            ("a", &[2], 0, &[0, 0, 128, 63, 0, 0, 0, 192]),
            ("b", &[1, 2], 1, &[127, 128]),
            ("c", &[2], 4, &[0x00, 0x3c, 0x01, 0x80]),
            ("d", &[1], 5, &[0x80, 0x3f]),
        ]);
        let mut weights = Weights::open(Cursor::new(bytes)).unwrap();
        assert_eq!(weights.numbers("b", &[1, 2]).unwrap(), [127.0, -128.0]);
        assert_eq!(weights.numbers("a", &[2]).unwrap(), [1.0, -2.0]);
        assert_eq!(weights.numbers("c", &[2]).unwrap(), [1.0, -(2f32.powi(-24))]);
        assert_eq!(weights.numbers("d", &[1]).unwrap(), [1.0]);
        assert_eq!(weights.numbers("alias", &[2]).unwrap(), [1.0, -2.0]);
        assert!(matches!(weights.numbers("a", &[3]), Err(WeightsError::Variable(_))));
        assert!(matches!(weights.numbers("e", &[1]), Err(WeightsError::Variable(_))));
    }

    #[test]
    fn half_precision_covers_subnormals_and_infinity() {
        assert_eq!(half(0x7bff), 65_504.0);
        assert_eq!(half(0x0001), 2f32.powi(-24));
        assert_eq!(half(0xfc00), f32::NEG_INFINITY);
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn a_variable_that_claims_more_than_the_file_holds_is_refused() {
        let mut bytes = model(&[("a", &[1 << 30], 1, &[])]);
        let at = bytes.windows(4).position(|b| b == (1u32 << 30).to_le_bytes()).unwrap() + 5;
        bytes[at..at + 4].copy_from_slice(&(1u32 << 30).to_le_bytes());
        assert!(matches!(Weights::open(Cursor::new(bytes)), Err(WeightsError::Format)));
    }

    proptest! {
        #[test]
        fn a_cut_file_is_refused(cut in 1usize..110) {
            let mut bytes = model(&[("a", &[2], 0, &[0; 8]), ("b", &[1, 2], 1, &[1, 2]), ("c", &[3], 4, &[0; 6])]);
            bytes.truncate(bytes.len().saturating_sub(cut));
            prop_assert!(Weights::open(Cursor::new(bytes)).is_err());
        }

        #[test]
        fn damage_gives_an_error_or_numbers_of_the_shape_asked_for(at in 0usize..110, with: u8, name in "[a-c]") {
            let mut bytes = model(&[("a", &[2], 0, &[0; 8]), ("b", &[1, 2], 1, &[1, 2]), ("c", &[3], 4, &[0; 6])]);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
            let Ok(mut weights) = Weights::open(Cursor::new(bytes)) else { return Ok(()) };
            for shape in [&[2][..], &[1, 2], &[3]] {
                if let Ok(numbers) = weights.numbers(&name, shape) {
                    prop_assert_eq!(numbers.len(), shape.iter().product::<usize>());
                }
            }
        }
    }
}
