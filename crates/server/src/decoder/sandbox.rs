//! Locks this process in. Its one invariant: after [`enter`] it can compute, take memory up to a limit, and read and write what is open
//! on standard input; everything else ends it. No file can be opened and no socket made, so it needs no namespaces of its own.

use std::{collections::BTreeMap, io};

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, Scope};
use nix::{
    libc,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
    },
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// What the process may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Address space in bytes. The program and its libraries map a few hundred MB; the sample tables of a five-hour MP4
    /// and the widest block take some tens.
    pub memory: u64,
    /// Seconds of CPU time: five hours of audio decode in about two minutes.
    pub cpu_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 1 << 30, cpu_seconds: 1800 }
    }
}

/// Calls that compute, take memory, and use what is open. Threads and processes cannot be made, signals not be sent.
const ALLOWED: [libc::c_long; 18] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Why the process does not lock itself in; it then must not decode.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The system refused a limit.
    #[error("the system refused a limit: {0}")]
    System(#[from] nix::Error),
    /// The system refused the filter.
    #[error("the system refused the filter of system calls")]
    Filter,
}

/// Locks in all threads of this process, for good.
///
/// # Errors
/// When the system refuses; the process is then partly locked in.
pub fn enter(limits: &Limits) -> Result<(), SandboxError> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, 0, 0)?;
    setrlimit(Resource::RLIMIT_AS, limits.memory, limits.memory)?;
    setrlimit(Resource::RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)?;
    prctl::set_dumpable(false)?;
    prctl::set_no_new_privs()?;
    keep_memory();
    landlock();
    let filter = filter().map_err(|_| SandboxError::Filter)?;
    seccompiler::apply_filter_all_threads(&filter).map_err(|_| SandboxError::Filter)
}

/// The C library asks the file system, which would end the process, before it gives memory of a thread back; so it keeps what it has.
fn keep_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt stores a parameter of the allocator under its own lock.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}

/// A second lock behind the filter, where the kernel has it: no path, no port, no abstract socket, no signal outwards.
fn landlock() {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V6)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create);
    if let Ok(ruleset) = ruleset {
        // An older kernel does without: the filter alone refuses all of this.
        let _ = ruleset.restrict_self();
    }
}

fn filter() -> Result<BpfProgram, Box<dyn std::error::Error>> {
    let never_executable = || -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        let protection = SeccompCondition::new(2, Dword, MaskedEq(libc::PROT_EXEC as u64), 0)?;
        Ok(vec![SeccompRule::new(vec![protection])?])
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_mmap, never_executable()?);
    rules.insert(libc::SYS_mprotect, never_executable()?);
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)?;
    Ok(filter.try_into()?)
}

/// Closes everything but the three standard descriptors.
///
/// # Errors
/// When the kernel has no such call (before 5.9).
pub fn close_inherited() -> io::Result<()> {
    // SAFETY: the call closes descriptors that nothing of this process uses: it has just begun.
    match unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
