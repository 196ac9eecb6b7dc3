//! The key of an archive. Its one invariant: it is the sum (XOR) of what lies with the export and a random share that lies with each of its
//! calls, so that it can be told only while all of them are there: deleting any of these calls, by whoever and in whatever way, destroys
//! it in the same transaction, through the cascade of the call's rows.
//!
//! A share is uniform and used once: without it the others say nothing of the key, as with a one-time pad.

use zeroize::Zeroizing;

use crate::vault::key::{KEY_BYTES, Key, NotSealed};

/// A key that is being split.
pub(super) struct Split {
    /// What seals the archive.
    pub(super) key: Key,
    /// The key less the shares that were given out.
    rest: Key,
}

impl Split {
    /// A new key, whole.
    pub(super) fn new() -> Result<Self, NotSealed> {
        let key = Key::generate()?;
        let rest = Key::copy_of(key.expose());
        Ok(Self { key, rest })
    }

    /// A share for one more call.
    pub(super) fn share(&mut self) -> Result<Key, NotSealed> {
        let share = Key::generate()?;
        self.rest = sum(&self.rest, share.expose());
        Ok(share)
    }

    /// A share that could not be given, because its call is gone.
    pub(super) fn take_back(&mut self, share: &Key) {
        self.rest = sum(&self.rest, share.expose());
    }

    /// What lies with the export.
    pub(super) fn rest(&self) -> &Key {
        &self.rest
    }
}

/// Adds a share, or takes it away, which is the same.
pub(super) fn sum(key: &Key, share: &[u8; KEY_BYTES]) -> Key {
    let mut bytes = Zeroizing::new(*key.expose());
    bytes.iter_mut().zip(share).for_each(|(byte, other)| *byte ^= other);
    Key::copy_of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_give_the_key_and_all_but_one_do_not() {
        let mut split = Split::new().unwrap();
        let shares: Vec<Key> = (0..5).map(|_| split.share().unwrap()).collect();
        let joined = |shares: &mut dyn Iterator<Item = &Key>| {
            shares.fold(Key::copy_of(split.rest().expose()), |key, share| sum(&key, share.expose()))
        };
        assert!(joined(&mut shares.iter()).same_as(&split.key));
        for lacking in 0..shares.len() {
            let mut others = shares.iter().enumerate().filter(|(place, _)| *place != lacking).map(|(_, share)| share);
            assert!(!joined(&mut others).same_as(&split.key));
        }
    }
}
