//! What proves rules of the privacy contract on an installation that runs: for `subrosa verify`, and for the tests that hold the same.
//!
//! Invariant: nothing here opens content. It looks for words that were made for the purpose and are nowhere else, and asks the database
//! only what its catalogue and its clock say.

pub mod database;
pub mod memory;
pub mod needles;
pub mod search;
