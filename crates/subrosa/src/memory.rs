//! What becomes of this program's memory. Core dumps hold none of it (H1). And its peak stays flat: the recognisers allocate and free buffers of up to 70 MB for every window, and glibc by
//! default keeps such buffers in one arena a thread (855 MB instead of 665 MB after ten minutes of speech on two cores).

use std::{fs, io};

use nix::sys::resource::{Resource, setrlimit};

/// Which parts of this process's memory a core dump holds, and of those that it starts (core(5)).
const CORE_DUMP_FILTER: &str = "/proc/self/coredump_filter";

/// No core dump is written, and one that the system hands to a program, for which no limit holds, is empty.
pub(crate) fn keep_out_of_core_dumps() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    match fs::write(CORE_DUMP_FILTER, "0") {
        // A kernel that makes no core dumps, or a system that hides all processes.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written,
    }
}

/// Requests of at least this many bytes are given back to the system when they are freed.
#[cfg(target_env = "gnu")]
const GIVE_BACK: libc::c_int = 32 << 20;

/// Sets the allocator of the C library up; to be called before any thread starts.
pub(crate) fn bound() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only stores parameters of the allocator, and no other thread runs yet that could read them.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, GIVE_BACK);
        libc::mallopt(libc::M_TRIM_THRESHOLD, GIVE_BACK);
    }
}
