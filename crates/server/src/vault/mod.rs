//! Keys and what they seal. Its one invariant: content leaves the process only as AES-256-GCM ciphertext that is bound to
//! its place, and the keys that open it leave only sealed.
//!
//! ```text
//! keyring     key-encryption keys: where they come from, what is wrong with them
//! key         256 random bits, and every key derived from them
//! seal        one sealed value: keys under keys, content in its place
//! system      the installation's own keys
//! start       proves the ring against the database and opens both
//! keys        keys of tenants, records and runs in the database
//! rotation    a new key-encryption key in the place of an old one
//! content     content columns: pgcrypto around what `seal` made
//! openpgp     reads what pgcrypto wrote
//! blobs       recordings and exports in an object store, sealed in a stream
//! chain       hash chains with a signed end: receipts, the audit log
//! heads       the ends of chains in the database, locked by who appends
//! receipts    what a deletion leaves behind
//! ```

pub mod blobs;
pub mod chain;
pub mod content;
pub mod heads;
pub mod key;
pub mod keyring;
pub mod keys;
pub mod openpgp;
pub mod receipts;
pub mod rotation;
pub mod seal;
pub mod start;
pub mod system;
