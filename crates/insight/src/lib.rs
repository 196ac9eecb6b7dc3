//! Transcript in, meaning out: synchronous and pure. [`export`] writes transcripts in the formats that people read and
//! that other programs take; [`redact`] takes out of them what must not be stored; [`quality`] says in a sentence what a quality warning means;
//! [`talk`] measures who spoke how much, [`speakers`] finds whose voice is whose, [`analysis`] finds what a call was about and what follows from it,
//! [`digest`] makes a text of that to share, [`search`] finds calls by their words.

pub mod analysis;
pub mod digest;
pub mod export;
pub mod facts;
pub mod quality;
pub mod redact;
pub mod search;
pub mod speakers;
pub mod talk;
