//! Keys and what they seal. Its one invariant: content leaves the process only as AES-256-GCM ciphertext that is bound to
//! its place, and the keys that open it leave only sealed.
//!
//! ```text
//! keyring     key-encryption keys: where they come from, what is wrong with them
//! key         256 random bits, and every key derived from them
//! seal        one sealed value: keys under keys, content in its place
//! keys        tenant and record keys in the database; the cache; run keys
//! content     content columns: pgcrypto around what `seal` made
//! blobs       recordings and exports in an object store, sealed in a stream
//! ```

pub mod blobs;
pub mod chain;
pub mod key;
pub mod keyring;
pub mod seal;
