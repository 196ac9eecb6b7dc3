//! Finds a text in files, however it may have been written down there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use uuid::Uuid;

/// A text that is nowhere else.
pub(crate) struct Canary(String);

impl Canary {
    pub(crate) fn new() -> Self {
        Self(format!("canary{}", Uuid::new_v4().simple()))
    }

    /// The text for one place.
    pub(crate) fn text(&self, place: &str) -> String {
        format!("{} {place} ", self.0)
    }

    /// The text as bytes, in UTF-16, hexadecimal, and base64 at each of its three offsets.
    fn spellings(&self) -> Vec<Vec<u8>> {
        let text = self.0.as_bytes();
        let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
        let utf_16: Vec<u8> = self.0.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut spellings = vec![text.to_vec(), hex.to_uppercase().into(), hex.into(), utf_16];
        for offset in 0..3 {
            // The first digits and the last depend on what is around.
            let encoded = STANDARD_NO_PAD.encode([&vec![0; offset][..], text].concat());
            spellings.push(encoded[offset + 1..encoded.len() - 2].into());
        }
        spellings
    }
}

/// What was searched, and where something was found.
#[derive(Default)]
pub(crate) struct Searched {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) hits: Vec<PathBuf>,
}

impl Searched {
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.hits.extend(other.hits);
    }

    fn look_into(&mut self, path: &Path, spellings: &[Vec<u8>]) {
        // Files of a running server come and go.
        let Ok(bytes) = fs::read(path) else { return };
        self.files += 1;
        self.bytes += bytes.len() as u64;
        if spellings.iter().any(|spelling| bytes.windows(spelling.len()).any(|window| window == spelling)) {
            self.hits.push(path.to_owned());
        }
    }
}

/// Searches all files below these directories.
pub(crate) fn everywhere(canary: &Canary, directories: &[PathBuf]) -> Searched {
    let (spellings, mut searched, mut left) = (canary.spellings(), Searched::default(), directories.to_vec());
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => left.push(entry.path()),
                Ok(kind) if kind.is_file() => searched.look_into(&entry.path(), &spellings),
                _ => {}
            }
        }
    }
    searched
}

/// Searches the files that this process has mapped into its memory.
pub(crate) fn mapped_files(canary: &Canary) -> Searched {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let paths: std::collections::BTreeSet<&str> =
        maps.lines().filter_map(|line| Some(&line[line.find('/')?..])).collect();
    let (spellings, mut searched) = (canary.spellings(), Searched::default());
    paths.into_iter().for_each(|path| searched.look_into(Path::new(path), &spellings));
    assert!(searched.files > 3);
    searched
}
