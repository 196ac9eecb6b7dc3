//! Error rates.
