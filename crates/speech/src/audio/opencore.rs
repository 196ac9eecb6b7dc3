//! The AMR decoders of opencore-amr (Apache-2.0, from Android): the only C in the audio path of our own. Its one
//! invariant: the library is given a frame as long as the longest there is, and only frame types that it knows.

use std::{ffi::c_void, ptr::NonNull};

/// Bytes of the longest frame with its header: AMR-WB at 23.85 kbit/s (RFC 4867 §5.3).
const MAX_FRAME: usize = 61;

unsafe extern "C" {
    fn Decoder_Interface_init() -> *mut c_void;
    fn Decoder_Interface_exit(state: *mut c_void);
    fn Decoder_Interface_Decode(state: *mut c_void, frame: *const u8, samples: *mut i16, bad: i32);
    fn D_IF_init() -> *mut c_void;
    fn D_IF_exit(state: *mut c_void);
    fn D_IF_decode(state: *mut c_void, frame: *const u8, samples: *mut i16, bad: i32);
}

/// A decoder of one channel.
pub(super) struct Amr {
    state: NonNull<c_void>,
    wide: bool,
}

// SAFETY: the state is memory of its own, without globals or thread-local data behind it (opencore-amr keeps only constant
// tables outside of it), and `&mut self` is needed for every use.
unsafe impl Send for Amr {}
// SAFETY: a shared reference gives access to nothing.
unsafe impl Sync for Amr {}

impl Amr {
    /// A decoder of AMR-WB or AMR-NB; none when memory is out.
    pub(super) fn new(wide: bool) -> Option<Self> {
        // SAFETY: the functions take nothing and return a new state or null.
        let state = unsafe { if wide { D_IF_init() } else { Decoder_Interface_init() } };
        NonNull::new(state).map(|state| Self { state, wide })
    }

    /// Samples in a frame: 20 ms at 16 or 8 kHz.
    pub(super) fn frame_samples(wide: bool) -> usize {
        if wide { 320 } else { 160 }
    }

    /// Bytes of the frame that this header opens, the header included; none for types that are not defined.
    pub(super) fn frame_bytes(wide: bool, header: u8) -> Option<usize> {
        /// Table 2 of RFC 4867 §3.6 and 3GPP TS 26.201: speech by mode, comfort noise, and empty frames.
        const NARROW: [usize; 9] = [13, 14, 16, 18, 20, 21, 27, 32, 6];
        const WIDE: [usize; 10] = [18, 24, 33, 37, 41, 47, 51, 59, 61, 6];
        match (usize::from(header >> 3 & 15), wide) {
            (14, true) | (15, _) => Some(1),
            (kind, true) => WIDE.get(kind).copied(),
            (kind, false) => NARROW.get(kind).copied(),
        }
    }

    /// Decodes one frame, header first, and appends its samples to `out`; false where it is no frame.
    pub(super) fn decode(&mut self, frame: &[u8], out: &mut Vec<i16>) -> bool {
        let Some(&header) = frame.first() else { return false };
        if Self::frame_bytes(self.wide, header) != Some(frame.len()) {
            return false;
        }
        let mut padded = [0; MAX_FRAME];
        padded[..frame.len()].copy_from_slice(frame);
        let mut samples = [0; 320];
        // The quality bit is zero where the network knows the frame to be damaged.
        let bad = i32::from(header & 4 == 0);
        let (state, from, to) = (self.state.as_ptr(), padded.as_ptr(), samples.as_mut_ptr());
        // SAFETY: `state` came from the matching init and is not freed before drop; `from` has MAX_FRAME bytes, the most
        // that any type accepted above makes the library read; `to` has 320 samples, of which it writes 320 or 160.
        unsafe {
            if self.wide { D_IF_decode(state, from, to, bad) } else { Decoder_Interface_Decode(state, from, to, bad) }
        }
        out.extend_from_slice(&samples[..Self::frame_samples(self.wide)]);
        true
    }
}

impl Drop for Amr {
    fn drop(&mut self) {
        let state = self.state.as_ptr();
        // SAFETY: the state came from the matching init and is used no more.
        unsafe { if self.wide { D_IF_exit(state) } else { Decoder_Interface_exit(state) } }
    }
}
