//! The processes of the service: what they have open, and whether they could leave a core dump. Its one invariant: what could not be
//! looked into is counted, and a process that the kernel lets write no file needs no look.

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use server::verify::search::{Search, Searched};

/// Between two looks at what processes have open: a file that is open for less may be missed, and is searched for where it lies.
const LOOK: Duration = Duration::from_millis(50);

/// Looks after which it is asked anew which processes there are, since that reads something of each process of the machine.
const LOOKS: u64 = 4;

/// A line of `/proc/net/tcp` about a socket that listens.
const LISTENS: &str = "0A";

/// Looks at what some processes, and all that they start, have open, until it is told to stop.
pub(super) struct Watch {
    stop: Sender<()>,
    looking: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) searched: Searched,
    pub(super) looks: u64,
    pub(super) processes: BTreeSet<u32>,
    /// Processes that may write no file, and so were not looked into.
    pub(super) locked_in: BTreeSet<u32>,
    /// Open files, each once for every state in which it was met.
    met: HashSet<(u64, u64, u64)>,
}

impl Watch {
    /// Files below `but` are searched otherwise.
    pub(super) fn start(roots: Vec<u32>, search: Arc<Search>, since: SystemTime, but: Vec<PathBuf>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let looking = thread::spawn(move || {
            let mut seen = Seen::default();
            let mut processes = Vec::new();
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if seen.looks.is_multiple_of(LOOKS) {
                    processes = family(&roots);
                }
                processes.iter().for_each(|id| seen.look_into(*id, &search, since, &but));
                seen.looks += 1;
            }
            seen
        });
        Self { stop, looking }
    }

    pub(super) fn finish(self) -> Seen {
        drop(self.stop);
        self.looking.join().unwrap_or_default()
    }
}

impl Seen {
    fn look_into(&mut self, id: u32, search: &Search, since: SystemTime, but: &[PathBuf]) {
        let descriptors = match fs::read_dir(format!("/proc/{id}/fd")) {
            Ok(descriptors) => descriptors,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
                match limit(id, "Max file size") {
                    Some((_, 0)) => _ = self.locked_in.insert(id),
                    // Its files are those of its cluster, and searched there.
                    Some(_) if name.trim() == "postgres" => {}
                    Some(_) => self.searched.unreadable += u64::from(self.processes.insert(id)),
                    None => {}
                }
                return;
            }
            // It has ended.
            Err(_) => return,
        };
        self.processes.insert(id);
        for descriptor in descriptors.flatten() {
            let path = descriptor.path();
            let Ok(at) = fs::metadata(&path) else { continue };
            let lies_at = fs::read_link(&path).unwrap_or_default();
            let state = (at.ino(), at.size(), u64::try_from(at.mtime_nsec()).unwrap_or_default());
            if at.is_file() && !but.iter().any(|but| lies_at.starts_with(but)) && self.met.insert(state) {
                search.file(&path, Some(since), &mut self.searched);
            }
        }
    }
}

/// These processes and all that they started.
pub(super) fn family(roots: &[u32]) -> Vec<u32> {
    let (mut all, mut next) = (roots.to_vec(), 0);
    let parents: Vec<_> = processes().filter_map(|id| Some((id, parent(id)?))).collect();
    while let Some(parent) = all.get(next).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id);
        let new: Vec<_> = children.filter(|id| !all.contains(id)).collect();
        all.extend(new);
        next += 1;
    }
    all
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before may hold anything, blanks and parentheses included.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The process that listens on a port of this machine.
pub(super) fn listener(port: u16) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let at = format!(":{port:04X}");
    let socket = tables.iter().flat_map(|table| table.lines()).find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let is_it = words.get(1)?.ends_with(&at) && *words.get(3)? == LISTENS;
        is_it.then(|| words.get(9).map(|inode| PathBuf::from(format!("socket:[{inode}]"))))?
    })?;
    processes().find(|id| {
        let descriptors = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        descriptors.into_iter().any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|link| link == socket))
    })
}

/// What is wrong with core dumps of a process: what could hold its memory after a crash.
pub(super) fn core_dumps(id: u32) -> Result<Option<String>, String> {
    let read = |file: &str| {
        fs::read_to_string(Path::new("/proc").join(file)).map_err(|error| format!("/proc/{file}: {error}"))
    };
    let limit = limit(id, "Max core file size").ok_or_else(|| format!("/proc/{id}/limits cannot be read"))?;
    let (pattern, filter) = (read("sys/kernel/core_pattern")?, read(&format!("{id}/coredump_filter"))?);
    Ok(dump(limit, &pattern, &filter).map(|fault| format!("process {id} {fault}")))
}

/// A program of the system that takes dumps from a pipe gets them whatever the limit is (core(5)), so the kernel has to be told to put
/// nothing into them as well.
fn dump(limit: (u64, u64), pattern: &str, filter: &str) -> Option<&'static str> {
    let is_empty = u32::from_str_radix(filter.trim(), 16) == Ok(0);
    match limit {
        (0, 0) if !pattern.starts_with('|') || is_empty => None,
        (0, 0) => Some("gives core dumps with its memory to a program (core_pattern)"),
        _ => Some("may leave a core dump (RLIMIT_CORE)"),
    }
}

/// A limit of a process, soft and hard.
fn limit(id: u32, name: &str) -> Option<(u64, u64)> {
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).ok()?;
    let mut words = limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace();
    let mut number = || Some(words.next()?.parse().unwrap_or(u64::MAX));
    Some((number()?, number()?))
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, net::TcpListener};

    use server::verify::needles::{Needle, word};

    use super::*;

    #[test]
    fn a_file_that_has_no_name_any_more_is_found_while_it_is_open() {
        let (word, since) = (word(), SystemTime::now() - Duration::from_secs(1));
        let search = Arc::new(Search::new(&[Needle::text("title", &word)]).unwrap());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(word.as_bytes()).unwrap();
        let mut seen = Seen::default();
        seen.look_into(std::process::id(), &search, since, &[]);
        assert!(seen.searched.found("title") && seen.searched.unreadable == 0, "{:?}", seen.searched);
    }

    #[test]
    fn a_process_leaves_no_dump_when_its_limit_is_0_and_no_program_gets_one_with_memory_in_it() {
        assert_eq!(dump((0, 0), "core", "00000033"), None);
        assert_eq!(dump((0, 0), "|/usr/lib/systemd/systemd-coredump", "00000000"), None);
        assert!(dump((0, 0), "|/usr/share/apport/apport", "00000033").unwrap().contains("core_pattern"));
        assert!(dump((0, u64::MAX), "core", "00000000").unwrap().contains("RLIMIT_CORE"));
    }

    #[test]
    fn the_process_behind_a_port_is_found_and_it_belongs_to_its_parent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let id = std::process::id();
        assert_eq!(super::listener(listener.local_addr().unwrap().port()), Some(id));
        assert!(family(&[parent(id).unwrap()]).contains(&id));
    }
}
