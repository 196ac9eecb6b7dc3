//! Wire types of the HTTP API, shared by the server, the command line and tests. Plain data: what may be said, never what is done
//! with it. JSON is camelCase; codes are UPPER_SNAKE; a field without a meaningful value is left out.

pub mod audio;
pub mod auth;
pub mod calls;
pub mod error;
pub mod page;
pub mod redactions;
pub mod tenants;
pub mod transcripts;
pub mod users;
