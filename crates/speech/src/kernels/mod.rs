//! The pieces of which networks are made here, for processors with AVX-512 and its bf16 instructions, and faster where there is
//! AMX: products of matrices in bf16 with f32 sums, and what happens to rows of numbers between them. Whisper's encoder and the
//! networks of diarization use them.
//!
//! Invariant: nothing here runs without a [`tile::TileUnit`], which is handed out only where the processor has what it takes.

pub(crate) mod linear;
pub(crate) mod lstm;
pub(crate) mod tile;
pub(crate) mod vector;
