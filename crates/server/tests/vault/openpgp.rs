//! The reader of OpenPGP messages against pgcrypto, which writes them.

use proptest::{
    prelude::*,
    sample::Index,
    strategy::ValueTree as _,
    test_runner::{TestCaseError, TestRunner},
};
use server::vault::{
    content::{self, Stored},
    keys::VaultError,
    openpgp,
    seal::RecordKind,
};
use sqlx::Row as _;
use uuid::Uuid;

use crate::{
    kit::{Installation, title_of},
    support::TestDatabase,
};

/// Bytes of a part of a body, as pgcrypto writes bodies from this length on.
const PART: usize = 1 << 14;

/// Bytes of the longest message in these tests.
const LONGEST: usize = 200_000;

/// Lengths of data at which the forms of the two lengths in a message change (RFC 4880, 4.2.2), and some others: the literal packet
/// holds 6 bytes more than the data, the encrypted one at most 60.
fn lengths() -> Vec<usize> {
    let mut lengths: Vec<usize> = (0..200).chain(8_384 - 64..8_384 + 2).collect();
    for parts in 1..=LONGEST / PART {
        lengths.extend(parts * PART - 64..=parts * PART + 1);
    }
    let mut runner = TestRunner::default();
    lengths.extend((0..64).map(|_| (0..=LONGEST).new_tree(&mut runner).unwrap().current()));
    lengths
}

#[tokio::test]
async fn what_pgcrypto_writes_opens_here_as_it_does_there_whatever_its_length() {
    let mut superuser = TestDatabase::new().await.superuser().await;
    let data: Vec<u8> = (0..=LONGEST).map(|n| (n * n / 7) as u8).collect();
    for length in lengths() {
        let row = sqlx::query(
            "SELECT message, crypto.pgp_sym_decrypt_bytea(message, $2)
               FROM (SELECT app.pgp_seal($1, $2) AS message OFFSET 0) AS sealed",
        )
        .bind(&data[..length])
        .bind("passphrase")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
        let (message, there): (Vec<u8>, Vec<u8>) = (row.get(0), row.get(1));
        let here = openpgp::open(&message, b"passphrase");
        assert!(here.is_some_and(|here| *here == there && *here == data[..length]), "{length} bytes");
    }
}

#[tokio::test]
async fn a_message_in_parts_with_any_bit_flipped_does_not_open() {
    let mut superuser = TestDatabase::new().await.superuser().await;
    let row =
        sqlx::query("SELECT app.pgp_seal($1, 'passphrase')").bind(vec![7_u8; 40_000]).fetch_one(&mut superuser).await;
    let message: Vec<u8> = row.unwrap().get(0);
    flipped(&message, |changed| openpgp::open(changed, b"passphrase").is_none());
}

#[tokio::test]
async fn a_long_value_with_any_bit_flipped_is_refused_and_the_row_is_named() {
    let installation = Installation::new().await;
    let (scope, call) = (installation.tenant().await, Uuid::now_v7());
    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.create_record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    let sealed = content::seal(&mut tx, &key, &title_of(call), &[7; 40_000]).await.unwrap();
    let open = |sealed: &[u8]| content::open(&Stored { key: &key, field: title_of(call), sealed });
    assert_eq!(open(&sealed).unwrap().as_slice(), [7; 40_000]);
    let place = title_of(call).to_string();
    flipped(&sealed, |changed| matches!(open(changed), Err(VaultError::Broken(broken)) if broken.place == place));
}

/// Whether `refused` holds for these bytes with one bit flipped: anywhere, and in the framing at both ends.
fn flipped(bytes: &[u8], refused: impl Fn(&[u8]) -> bool) {
    let at =
        prop_oneof![any::<Index>().prop_map(|at| at.index(bytes.len())), 0..64_usize, bytes.len() - 128..bytes.len()];
    TestRunner::default()
        .run(&(at, 0..8), |(at, bit)| {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1u8 << bit;
            if refused(&changed) { Ok(()) } else { Err(TestCaseError::fail(format!("bit {bit} of byte {at}"))) }
        })
        .unwrap();
}
