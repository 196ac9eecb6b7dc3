//! Numbers from a file of safetensors (huggingface.co/docs/safetensors, format 0.x): a JSON header that says where each tensor's bytes are.
//! Its one invariant: whatever the header claims, nothing outside the file is read, and a tensor has the shape that was asked for.

use std::collections::HashMap;

use serde::Deserialize;

/// Bytes of the length in front of the header.
const LENGTH: usize = 8;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// The tensors of a file.
pub(super) struct Weights<'f> {
    entries: HashMap<String, serde_json::Value>,
    data: &'f [u8],
}

impl<'f> Weights<'f> {
    pub(super) fn read(file: &'f [u8]) -> Result<Self, String> {
        let cut = || "it ends too early".to_owned();
        let (length, rest) = file.split_first_chunk::<LENGTH>().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
        let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
        let entries = serde_json::from_slice(header).map_err(|error| error.to_string())?;
        Ok(Self { entries, data })
    }

    /// The numbers of a tensor of that shape, row by row.
    pub(super) fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let missing = || format!("it has no {name} of {shape:?} floats");
        let entry = self.entries.get(name).and_then(|entry| Entry::deserialize(entry).ok()).ok_or_else(missing)?;
        let (begin, end) = entry.data_offsets;
        let bytes = self.data.get(begin..end).ok_or_else(missing)?;
        let expected = shape.iter().product::<usize>() * size_of::<f32>();
        if entry.dtype != "F32" || entry.shape != shape || bytes.len() != expected {
            return Err(missing());
        }
        let (numbers, _) = bytes.as_chunks::<{ size_of::<f32>() }>();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn a_tensor_is_read_in_its_shape_and_no_other() {
        let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]}}"#;
        let file = file(header, &[0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64]);
        let weights = Weights::read(&file).unwrap();
        assert_eq!(weights.floats("a", &[1, 2]), Ok(vec![1.0, 2.0]));
        assert!(weights.floats("a", &[2, 1]).is_err() && weights.floats("b", &[1, 2]).is_err());
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(begin in any::<usize>(), end in any::<usize>(), data in prop::collection::vec(any::<u8>(), 0..40)) {
            let header = format!(r#"{{"a":{{"dtype":"F32","shape":[1,2],"data_offsets":[{begin},{end}]}}}}"#);
            if let Ok(weights) = Weights::read(&file(&header, &data)) {
                let _ = weights.floats("a", &[1, 2]);
            }
            let _ = Weights::read(&data);
        }
    }
}
