//! Search in words that are stored nowhere: what a text is looked up by ([`words`], [`keys`]), where its words stand ([`postings`],
//! [`positions`]), what somebody asks for ([`query`]), which call answers best ([`rank`]), where it
//! does ([`finder`]), and the sentence that shows it ([`snippet`]).
//!
//! Its one invariant: a text and a query are taken apart by the same code, so whatever was put in is found by its own words. What becomes
//! of the keys, which hold words, is the caller's: the service keeps HMACs of them (`docs/adr/024-search.md`).

pub mod finder;
pub mod keys;
pub mod positions;
pub mod postings;
pub mod query;
pub mod rank;
pub mod snippet;
pub mod words;
