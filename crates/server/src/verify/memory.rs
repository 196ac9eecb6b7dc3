//! What the processes of a PostgreSQL server hold in memory (H3: the server never holds plaintext).
//!
//! Invariant: what they share is read once and what is each one's own is read of each; a mapping that could not be read, although it is
//! still there, is counted as that.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::search::{Search, Searched};

/// What was searched of a server: where each part has another control.
#[derive(Default)]
pub struct Memory {
    /// Processes that were looked into.
    pub processes: u64,
    /// What all of them share: pages of tables and indexes, the write-ahead log before it is written.
    pub shared: Searched,
    /// What each has for itself: statements, bound parameters, rows on their way.
    pub own: Searched,
}

/// A part of a process's address space.
#[derive(Clone, PartialEq, Eq)]
struct Mapping {
    from: u64,
    to: u64,
    /// What is shared with other processes.
    shared: Option<Shared>,
    /// What the kernel calls it; nothing where it is anonymous.
    name: String,
}

/// What tells shared memory apart, in whichever process and wherever in it: a part of a file, which may have no name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Shared {
    device: String,
    inode: String,
    offset: String,
    bytes: u64,
}

impl Mapping {
    /// Searches it, and says whether all of it was read.
    fn is_read(&self, memory: &File, id: u32, search: &Search, searched: &mut Searched) -> bool {
        let place = format!("memory of process {id} {}", self.name);
        let part = Part { memory, at: self.from, to: self.to };
        search.stream(place.trim_end(), part, searched).is_ok()
    }
}

impl Memory {
    /// Searches the memory of processes, `shared` for what they share and `own` for what each has for itself. A process that ended
    /// meanwhile is left out. Memory that nobody has touched yet is made by reading it, at most as much as the server asked for.
    #[must_use]
    pub fn search(processes: &[u32], shared: &Search, own: &Search) -> Self {
        let (mut memory, mut seen) = (Self::default(), HashSet::new());
        for id in processes {
            let (own, shared) = ((own, &mut memory.own), (shared, &mut memory.shared));
            match look_into(*id, &mut seen, own, shared) {
                Ok(()) => memory.processes += 1,
                Err(_) if !Path::new(&format!("/proc/{id}")).exists() => {}
                Err(_) => memory.own.unreadable += 1,
            }
        }
        memory
    }
}

fn look_into(
    id: u32,
    seen: &mut HashSet<Shared>,
    own: (&Search, &mut Searched),
    shared: (&Search, &mut Searched),
) -> io::Result<()> {
    let memory = File::open(format!("/proc/{id}/mem"))?;
    let ((own, in_own), (common, in_common)) = (own, shared);
    // One file of each, whatever the number of its mappings.
    let files = (in_own.files + 1, in_common.files);
    for mapping in mappings(id)? {
        let (search, searched) = match &mapping.shared {
            Some(place) if seen.contains(place) => continue,
            Some(_) => (common, &mut *in_common),
            None => (own, &mut *in_own),
        };
        if mapping.is_read(&memory, id, search, searched) {
            // Not before: what a process ended over is still to be read of another one.
            seen.extend(mapping.shared);
        } else if mappings(id).is_ok_and(|now| now.contains(&mapping)) {
            // The heap shrinks and mappings go while they are read; this one is still there.
            searched.unreadable += 1;
        }
    }
    (in_own.files, in_common.files) = (files.0, files.1.max(u64::from(!seen.is_empty())));
    Ok(())
}

/// What a process may write to. What it may only read are files, which are searched where they lie.
fn mappings(id: u32) -> io::Result<Vec<Mapping>> {
    let maps = fs::read_to_string(format!("/proc/{id}/maps"))?;
    Ok(maps.lines().filter_map(mapping).collect())
}

/// A line of `/proc/PID/maps` (proc(5)): addresses, rights, offset, device, inode, name.
fn mapping(line: &str) -> Option<Mapping> {
    let mut words = line.split_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let (rights, offset, device, inode) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let address = |hexadecimal| u64::from_str_radix(hexadecimal, 16).ok();
    let (from, to) = (address(from)?, address(to)?);
    let place = || Shared {
        device: device.to_owned(),
        inode: inode.to_owned(),
        offset: offset.to_owned(),
        bytes: to.saturating_sub(from),
    };
    let shared = rights.ends_with('s').then(place);
    let name = words.collect::<Vec<_>>().join(" ");
    rights.starts_with("rw").then_some(Mapping { from, to, shared, name })
}

struct Part<'a> {
    memory: &'a File,
    at: u64,
    to: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.to - self.at).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let read = self.memory.read_at(&mut into[..most], self.at)?;
        // The memory of a process that has ended is no error, and empty.
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::needles::{Needle, word};

    #[test]
    fn a_word_is_found_in_the_memory_of_a_process_and_a_process_that_is_gone_is_none() {
        let held = word();
        let search = || Search::new([&Needle::exactly("held", held.as_bytes())]).unwrap();
        // The word lies on its stack, in its environment, once it is the other program.
        let mut child = std::process::Command::new("sleep").arg("60").env("HELD", &held).spawn().unwrap();
        let named = || fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap();
        while named().trim() != "sleep" {
            std::thread::yield_now();
        }
        let memory = Memory::search(&[child.id()], &search(), &search());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(memory.own.found("held") && memory.processes == 1, "{:?}", memory.own);
        assert!(memory.own.unreadable == 0 && memory.own.bytes > 1 << 16, "{:?}", memory.own);
        let gone = Memory::search(&[child.id()], &search(), &search());
        assert_eq!((gone.processes, gone.own.unreadable), (0, 0));
    }

    #[test]
    fn what_was_not_read_because_its_process_ended_does_not_count_as_read() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let memory = File::open(format!("/proc/{}/mem", child.id())).unwrap();
        let mappings = mappings(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let search = Search::new([&Needle::exactly("held", word().as_bytes())]).unwrap();
        let is_read = |of: &Mapping| of.is_read(&memory, child.id(), &search, &mut Searched::default());
        assert!(!mappings.is_empty() && !mappings.iter().any(is_read));
    }

    #[test]
    fn only_what_a_process_may_write_to_is_memory_of_its_own() {
        let line = "7f00-7f80 rw-s 00000000 00:01 1026 /dev/zero (deleted)";
        let shared = mapping(line).unwrap();
        assert_eq!((shared.from, shared.to, shared.name.as_str()), (0x7f00, 0x7f80, "/dev/zero (deleted)"));
        let (again, behind) = (line.replace("7f00-7f80", "8f00-8f80"), line.replace("00000000", "00000080"));
        assert_eq!(mapping(&again).unwrap().shared, shared.shared, "the same in another process");
        assert_ne!(mapping(&behind).unwrap().shared, shared.shared, "another part of it");
        assert!(mapping("7f00-7f80 r-xp 00000000 08:01 77 /usr/bin/postgres").is_none());
        assert!(mapping("7f00-7f80 rw-p 00000000 00:00 0").is_some_and(|own| own.shared.is_none()));
    }
}
