//! Finds words in whatever can be read, in bounded memory.
//!
//! Invariant: what is counted as searched was read to its end, and what could not be read is counted as that.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use aho_corasick::{AhoCorasick, BuildError};

use super::needles::Needle;

/// Places that are told of each word: more say nothing more, and a table full of leaks has millions.
const PLACES: usize = 5;

/// Words to look for, all at once.
pub struct Search {
    automaton: AhoCorasick,
    /// Of each pattern of the automaton, the word that it spells.
    of: Vec<&'static str>,
}

/// What was searched, and what was found where.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// Files, objects or streams.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that were there and not looked into, because they are older than the words.
    pub older: u64,
    /// Files or directories that could not be read.
    pub unreadable: u64,
    /// For each word that was found, how often and where: the first places only.
    pub hits: BTreeMap<&'static str, Hits>,
}

/// Where one word was found.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// How often.
    pub count: u64,
    /// The first places.
    pub places: Vec<String>,
}

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, bytes, older, unreadable, .. } = self;
        write!(f, "{:.1} MiB in {files} files", *bytes as f64 / f64::from(1 << 20))?;
        if *older > 0 {
            write!(f, ", {older} older than the canaries")?;
        }
        if *unreadable > 0 { write!(f, ", {unreadable} UNREADABLE") } else { Ok(()) }
    }
}

impl Searched {
    /// Adds what was searched elsewhere.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.older += other.older;
        self.unreadable += other.unreadable;
        for (what, hits) in other.hits {
            let mine = self.hits.entry(what).or_default();
            mine.count += hits.count;
            mine.places.extend(hits.places);
            mine.places.truncate(PLACES);
        }
    }

    /// Whether a word was found.
    #[must_use]
    pub fn found(&self, what: &str) -> bool {
        self.hits.contains_key(what)
    }

    fn hit(&mut self, what: &'static str, place: &str) {
        let hits = self.hits.entry(what).or_default();
        hits.count += 1;
        if hits.places.len() < PLACES && !hits.places.iter().any(|known| known == place) {
            hits.places.push(place.to_owned());
        }
    }
}

impl Search {
    /// Prepares to look for these.
    ///
    /// # Errors
    /// When they are too many for the library.
    pub fn new<'a>(needles: impl IntoIterator<Item = &'a Needle>) -> Result<Self, BuildError> {
        let (mut patterns, mut of) = (Vec::new(), Vec::new());
        for Needle { what, spellings } in needles {
            of.extend(spellings.iter().map(|_| *what));
            patterns.extend(spellings);
        }
        // Capitals as well: hexadecimal digits and addresses are written in both.
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns)?;
        Ok(Self { automaton, of })
    }

    /// Reads to the end; `place` is what a hit is reported under. In memory there is a buffer of 64 KiB.
    ///
    /// # Errors
    /// When it cannot be read to its end; what was found until then counts.
    pub fn stream(&self, place: &str, bytes: impl Read, searched: &mut Searched) -> io::Result<()> {
        let mut counted = Counted { inner: bytes, bytes: 0 };
        let mut result = Ok(());
        for found in self.automaton.stream_find_iter(&mut counted) {
            match found {
                Ok(found) => searched.hit(self.of[found.pattern().as_usize()], place),
                // Asked again, it might fail for ever.
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        searched.files += 1;
        searched.bytes += counted.bytes;
        result
    }

    /// Searches a file, if it is there and a regular one that was changed at `since` or later.
    pub fn file(&self, path: &Path, since: Option<SystemTime>, searched: &mut Searched) {
        let is_older = |changed: SystemTime| since.is_some_and(|since| changed < since);
        match fs::metadata(path).and_then(|at| Ok((at.is_file(), at.modified()?))) {
            Ok((false, _)) => {}
            Ok((true, changed)) if is_older(changed) => searched.older += 1,
            Ok(_) => match fs::File::open(path).and_then(|file| self.stream(&shown(path), file, searched)) {
                Err(error) if !is_gone(&error) => searched.unreadable += 1,
                _ => {}
            },
            Err(error) if is_gone(&error) => {}
            Err(_) => searched.unreadable += 1,
        }
    }

    /// Searches all files below a directory that were changed at `since` or later, but those below `but`. Links are not followed, and
    /// what comes and goes meanwhile is no fault.
    pub fn below(&self, root: &Path, since: Option<SystemTime>, but: &[PathBuf], searched: &mut Searched) {
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            if but.contains(&directory) {
                continue;
            }
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) => {
                    searched.unreadable += u64::from(!is_gone(&error));
                    continue;
                }
            };
            for entry in entries {
                let known = entry.and_then(|entry| Ok((entry.file_type()?, entry)));
                match known {
                    Ok((kind, entry)) if kind.is_dir() => directories.push(entry.path()),
                    Ok((kind, entry)) if kind.is_file() => {
                        // A name can give away as much as what it names.
                        let path = shown(&entry.path());
                        for found in self.automaton.find_iter(&path) {
                            searched.hit(self.of[found.pattern().as_usize()], &path);
                        }
                        self.file(&entry.path(), since, searched);
                    }
                    Ok(_) => {}
                    Err(error) => searched.unreadable += u64::from(!is_gone(&error)),
                }
            }
        }
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whether it is an error of something that was there a moment ago.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
        || error.raw_os_error() == Some(nix::libc::ESRCH)
}

struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::needles::word;

    /// Reads few bytes at a time, so that every word lies across two reads somewhere.
    struct Few<'a>(&'a [u8]);

    impl Read for Few<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = into.len().min(7);
            self.0.read(&mut into[..most])
        }
    }

    #[test]
    fn a_word_is_found_in_every_spelling_and_however_it_is_cut() {
        let word = word();
        let needle = Needle::text("title", &word);
        let search = Search::new([&needle]).unwrap();
        for spelling in needle.spellings.iter().chain([&word.to_uppercase().into_bytes()]) {
            let text = [&vec![b'-'; 70_000][..], spelling, b" and so on"].concat();
            let mut searched = Searched::default();
            search.stream("here", Few(&text), &mut searched).unwrap();
            assert!(searched.found("title"), "{}", String::from_utf8_lossy(spelling));
            assert_eq!((searched.files, searched.bytes), (1, text.len() as u64));
            assert_eq!(searched.hits["title"].places, ["here"]);
        }
        let mut searched = Searched::default();
        search.stream("here", &b"nothing of the kind"[..], &mut searched).unwrap();
        assert!(searched.hits.is_empty());
    }

    #[test]
    fn files_older_than_the_words_are_counted_and_not_read_and_names_are_searched_too() {
        let directory = tempfile::tempdir().unwrap();
        let word = word();
        fs::write(directory.path().join("old"), &word).unwrap();
        fs::write(directory.path().join(format!("call-{word}.wav")), "").unwrap();
        let search = Search::new([&Needle::text("title", &word)]).unwrap();
        let mut searched = Searched::default();
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        search.below(directory.path(), Some(later), &[], &mut searched);
        assert_eq!((searched.files, searched.older, searched.hits["title"].count), (0, 2, 1));
        search.below(directory.path(), None, &[], &mut searched);
        assert_eq!((searched.files, searched.hits["title"].count), (2, 3));
    }
}
