//! OpenAI's audio API over the native jobs, so that existing clients work: a recording comes in as a call like any other, and the answer
//! waits until it is done.
//!
//! Invariants: an option that is not supported is refused in OpenAI's shape and never ignored; a recording that a client sends again
//! with the same options, as its SDK does by itself, is processed once.

pub mod error;
mod form;
pub mod render;
pub mod routes;
mod stream;
