//! What the analysis of a call finds, as its readers see it.

mod digests;
mod kit;
mod score;
mod scripts;
mod speakers;
mod tables;
mod talk;
