//! What the analysis of a call finds, as its readers see it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod call_types;
mod corrected;
mod digests;
mod fields;
mod kit;
mod languages;
mod llm;
mod llm_hostile;
mod moods;
mod properties;
mod score;
mod script;
mod scripts;
mod speakers;
mod tables;
mod talk;
