//! Meaning out of transcripts.
