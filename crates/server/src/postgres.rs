//! The PostgreSQL that the program runs or is given.
