//! Search in words that are stored nowhere: what a text is looked up by ([`words`], [`keys`]), where its words stand ([`postings`],
//! [`positions`]), what somebody asks for ([`query`]), which call answers best ([`rank`]), where it
//! does ([`finder`]), and the sentence that shows it ([`snippet`]).
//! Beside words: what passages mean ([`passages`], [`meaning`]), words that were typed wrong ([`nearest`]), and what is kept of both
//! ([`memory`]).
//!
//! Its one invariant: a text and a query are taken apart by the same code, so whatever was put in is found by its own words. What becomes
//! of the keys, which hold words, is the caller's: the service keeps HMACs of them (`docs/adr/024-search.md`).

pub mod finder;
pub mod keys;
pub mod meaning;
pub mod memory;
pub mod nearest;
pub mod passages;
pub mod positions;
pub mod postings;
pub mod query;
pub mod rank;
pub mod snippet;
pub mod words;
