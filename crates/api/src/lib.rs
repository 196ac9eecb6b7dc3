//! Wire types of the HTTP API, shared by the server, the command line and tests. Plain data: what may be said, never what is done
//! with it. JSON is camelCase; codes are UPPER_SNAKE; a field without a meaningful value is left out.

/// Content has no printable form (H8 of the privacy contract): whoever prints one of these reads its type and nothing else.
macro_rules! unprinted {
    ($($content:ident)*) => {$(
        impl std::fmt::Debug for $content {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($content), " { .. }"))
            }
        }
    )*};
}

pub mod action_items;
pub mod analyses;
pub mod analytics;
pub mod audio;
pub mod audit;
pub mod auth;
pub mod calls;
pub mod contacts;
pub mod error;
pub mod exports;
pub mod page;
pub mod redactions;
pub mod search;
pub mod tenants;
pub mod transcripts;
pub mod users;
pub mod voice_profiles;
pub mod webhooks;
