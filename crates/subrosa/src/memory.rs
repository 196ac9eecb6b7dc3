//! Keeps peak memory flat: the recognisers allocate and free buffers of up to 70 MB for every window, and glibc by
//! default keeps such buffers in one arena a thread (855 MB instead of 665 MB after ten minutes of speech on two cores).

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
