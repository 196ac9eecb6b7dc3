//! The one gate to the database.
