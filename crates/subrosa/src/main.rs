//! The command line of Subrosa.
fn main() {}
