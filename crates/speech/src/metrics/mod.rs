//! Error rates of words and of speakers, and the reference formats that they are taken from.

mod diarization;
mod formats;
mod words;

pub use self::{
    diarization::{DiarizationErrors, Scoring, diarization_errors, jaccard_error_rate},
    formats::{FormatError, StmLine, parse_rttm, parse_stm},
    words::{WordErrors, normalize_words, word_errors},
};
