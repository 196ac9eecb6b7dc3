//! A marked text, and where it is looked for: as `subrosa verify` does, but in every file, however old.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use server::{
    postgres,
    verify::{
        memory::Memory,
        needles::{Needle, word},
        search::{Search, Searched},
    },
};

/// What hits are reported under.
const CANARY: &str = "canary";

/// A text that is nowhere else.
pub(crate) struct Canary(String);

impl Canary {
    pub(crate) fn new() -> Self {
        Self(word())
    }

    /// The text for one place.
    pub(crate) fn text(&self, place: &str) -> String {
        format!("{} {place} ", self.0)
    }

    fn search(&self) -> Search {
        Search::new([&Needle::text(CANARY, &self.0)]).unwrap()
    }
}

/// Where a canary was found; the first places only.
pub(crate) fn places(searched: &Searched) -> Vec<String> {
    searched.hits.get(CANARY).map(|hits| hits.places.clone()).unwrap_or_default()
}

/// Searches all files below these directories.
pub(crate) fn everywhere(canary: &Canary, directories: &[PathBuf]) -> Searched {
    let mut searched = Searched::default();
    directories.iter().for_each(|directory| canary.search().below(directory, None, &[], &mut searched));
    assert_eq!(searched.unreadable, 0);
    searched
}

/// Searches the files that this process has mapped into its memory.
pub(crate) fn mapped_files(canary: &Canary) -> Searched {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let paths: BTreeSet<&str> = maps.lines().filter_map(|line| Some(&line[line.find('/')?..])).collect();
    let (search, mut searched) = (canary.search(), Searched::default());
    paths.into_iter().for_each(|path| search.file(Path::new(path), None, &mut searched));
    assert!(searched.files > 3);
    searched
}

/// Searches what the processes of a cluster have in memory, shared and each for itself; `None` where they may not be looked into.
pub(crate) fn server_memory(canary: &Canary, cluster: &Path) -> Option<Memory> {
    let memory = Memory::search(&postgres::processes(cluster), &canary.search(), &canary.search());
    (memory.processes > 0 && memory.own.unreadable + memory.shared.unreadable == 0).then_some(memory)
}
