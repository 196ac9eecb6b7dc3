//! What the analysis of a call finds, as its readers see it.

mod kit;
mod score;
mod tables;
