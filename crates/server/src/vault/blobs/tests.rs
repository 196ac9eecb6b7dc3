//! Objects as their owner and as somebody with write access to the store sees them.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectStoreExt as _, PutPayload, path::Path};
use proptest::prelude::*;

use super::{
    stream::{CHUNK, CHUNK_SEALED, HEADER, PART, PART_SEALED},
    *,
};
use crate::vault::key::Key;

fn key() -> Key {
    Key::copy_of(&[7; 32])
}

fn place() -> BlobPlace {
    BlobPlace { tenant: Uuid::now_v7(), record: Uuid::now_v7(), object: Uuid::now_v7() }
}

/// Bytes that differ everywhere, so that a chunk in the wrong place would show.
fn pattern(length: usize) -> Vec<u8> {
    (0..length.div_ceil(8))
        .flat_map(|n| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())
        .take(length)
        .collect()
}

async fn write(blobs: &Blobs, place: BlobPlace, plain: &[u8], step: usize) -> u64 {
    let blocks = plain.chunks(step.max(1)).map(|block| Ok(Bytes::copy_from_slice(block)));
    blobs.write(&key(), place, stream::iter(blocks)).await.unwrap()
}

async fn read(blobs: &Blobs, place: BlobPlace, range: Range<u64>) -> Result<Vec<u8>, BlobError> {
    let key = key();
    let length = blobs.layout(place).await?.length();
    let mut reader = blobs.read(&key, place, length, range).await?;
    let mut plain = Vec::new();
    while let Some(bytes) = reader.next().await? {
        assert!(bytes.len() <= CHUNK);
        plain.extend(bytes);
    }
    Ok(plain)
}

async fn raw(blobs: &Blobs, path: &Path) -> Vec<u8> {
    blobs.store.get(path).await.unwrap().bytes().await.unwrap().to_vec()
}

async fn put_raw(blobs: &Blobs, path: &Path, bytes: Vec<u8>) {
    blobs.store.put(path, PutPayload::from(bytes)).await.unwrap();
}

async fn assert_broken(blobs: &Blobs, place: BlobPlace, what: &str) {
    let error = read(blobs, place, 0..u64::MAX).await.expect_err(what);
    assert!(matches!(error, BlobError::Broken(_)), "{what}: {error}");
    assert!(error.to_string().contains(&place.object.to_string()), "{what}: {error} does not name the object");
}

#[tokio::test]
async fn what_was_written_is_read_whatever_its_length() {
    let (blobs, plain) = (Blobs::memory(), pattern(2 * PART + CHUNK));
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + CHUNK] {
        let place = place();
        assert_eq!(write(&blobs, place, &plain[..length], 100_000).await, length as u64);
        assert!(read(&blobs, place, 0..u64::MAX).await.unwrap() == plain[..length], "{length}");
    }
}

#[tokio::test]
async fn a_directory_keeps_objects_as_ciphertext_that_only_its_owner_reads() {
    let directory = tempfile::tempdir().unwrap();
    let (root, place, plain) = (directory.path().join("blobs"), place(), pattern(100_000));
    let blobs = Blobs::local(&root).unwrap();
    write(&blobs, place, &plain, 4096).await;
    assert!(read(&blobs, place, 0..u64::MAX).await.unwrap() == plain);
    let stored = std::fs::read(root.join(place.part(0).as_ref())).unwrap();
    assert!(!stored.windows(16).any(|window| window == &plain[..16]));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&root).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn what_a_killed_program_left_half_written_of_an_object_is_removed_once_nobody_can_be_writing_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = place();
    let blobs = Blobs::local(directory.path()).unwrap();
    blobs.remove_leftovers().await.unwrap();
    write(&blobs, place, b"kept", 4).await;
    let part = directory.path().join(place.part(0).as_ref());
    let staged = part.with_file_name("00000001#1");
    std::fs::write(&staged, b"half").unwrap();
    blobs.remove_leftovers().await.unwrap();
    assert!(staged.exists(), "somebody may be writing it");
    let old = std::time::SystemTime::now() - 2 * LEFTOVER_AGE;
    std::fs::File::options().write(true).open(&staged).unwrap().set_modified(old).unwrap();
    // Signed copies are never removed, so there are ever more of them: they are not walked.
    let copy = directory.path().join("receipts/00000000000000000001#1");
    std::fs::create_dir(copy.parent().unwrap()).unwrap();
    std::fs::copy(&staged, &copy).unwrap();
    std::fs::File::options().write(true).open(&copy).unwrap().set_modified(old).unwrap();
    blobs.remove_leftovers().await.unwrap();
    assert!(!staged.exists() && copy.exists());
    assert_eq!(read(&blobs, place, 0..9).await.unwrap(), b"kept");
}

#[tokio::test]
async fn a_changed_cut_reordered_or_repeated_object_is_refused_and_named() {
    let (blobs, place) = (Blobs::memory(), place());
    write(&blobs, place, &pattern(2 * PART + 3 * CHUNK + 5), 1 << 20).await;
    let parts: Vec<Vec<u8>> = futures::future::join_all((0..3).map(|n| {
        let (blobs, path) = (blobs.clone(), place.part(n));
        async move { raw(&blobs, &path).await }
    }))
    .await;
    let chunk = |part: &[u8], n: usize| part[HEADER + n * CHUNK_SEALED..][..CHUNK_SEALED].to_vec();
    let with_chunk = |part: usize, n: usize, bytes: &[u8]| {
        let mut changed = parts[part].clone();
        changed[HEADER + n * CHUNK_SEALED..][..CHUNK_SEALED].copy_from_slice(bytes);
        changed
    };
    let swapped = {
        let mut changed = with_chunk(2, 0, &chunk(&parts[2], 1));
        changed[HEADER + CHUNK_SEALED..][..CHUNK_SEALED].copy_from_slice(&chunk(&parts[2], 0));
        changed
    };
    let repeated = [&parts[2][..HEADER + CHUNK_SEALED], &parts[2][HEADER..]].concat();
    let dropped = [&parts[2][..HEADER], &parts[2][HEADER + CHUNK_SEALED..]].concat();
    let attacks: Vec<(&str, usize, Vec<u8>)> = vec![
        ("chunks exchanged within a part", 2, swapped),
        ("a chunk repeated", 2, repeated),
        ("a chunk left out", 2, dropped),
        ("a chunk of another part", 1, with_chunk(1, 0, &chunk(&parts[0], 0))),
        ("a part in the place of another", 1, parts[0].clone()),
        ("cut at a chunk", 2, parts[2][..HEADER + 3 * CHUNK_SEALED].to_vec()),
        ("cut at the first chunk", 2, parts[2][..HEADER + CHUNK_SEALED].to_vec()),
        ("cut within a chunk", 2, parts[2][..HEADER + CHUNK_SEALED + 9].to_vec()),
        ("cut within a tag", 2, parts[2][..parts[2].len() - 1].to_vec()),
        ("only a header", 2, parts[2][..HEADER].to_vec()),
        ("nothing", 2, Vec::new()),
        ("something after the end", 2, [&parts[2][..], &[0]].concat()),
        ("a middle part cut", 1, parts[1][..HEADER + 2 * CHUNK_SEALED].to_vec()),
        ("another format", 0, [&[2], &parts[0][1..]].concat()),
    ];
    for (what, part, bytes) in attacks {
        put_raw(&blobs, &place.part(part as u32), bytes).await;
        assert_broken(&blobs, place, what).await;
        put_raw(&blobs, &place.part(part as u32), parts[part].clone()).await;
    }
    for (what, part) in [("the last part gone", 2), ("a middle part gone", 1), ("the first part gone", 0)] {
        blobs.store.delete(&place.part(part)).await.unwrap();
        assert_broken(&blobs, place, what).await;
        put_raw(&blobs, &place.part(part), parts[part as usize].clone()).await;
    }
    put_raw(&blobs, &place.part(3), parts[2].clone()).await;
    assert_broken(&blobs, place, "the last part repeated").await;
}

#[tokio::test]
async fn an_object_that_was_cut_between_two_parts_is_refused_even_for_its_first_bytes() {
    let (blobs, place) = (Blobs::memory(), place());
    let length = write(&blobs, place, &pattern(2 * PART + 5), 1 << 20).await;
    blobs.store.delete(&place.part(2)).await.unwrap();
    for range in [0..9, 0..u64::MAX, 0..0] {
        assert!(matches!(blobs.read(&key(), place, length, range).await, Err(BlobError::Broken(_))));
    }
}

#[tokio::test]
async fn a_copy_is_made_once_and_never_replaced_by_another() {
    let directory = tempfile::tempdir().unwrap();
    for blobs in [Blobs::memory(), Blobs::local(directory.path()).unwrap()] {
        let place = MirrorPlace::Receipt(Uuid::now_v7(), 1);
        blobs.put_mirror(place, &"one").await.unwrap();
        blobs.put_mirror(place, &"one").await.unwrap();
        assert!(matches!(blobs.put_mirror(place, &"two").await, Err(BlobError::Mirror { number: 1, .. })));
        assert_eq!(blobs.mirror::<String>(place).await.unwrap().unwrap(), "one");
    }
}

#[tokio::test]
async fn an_object_does_not_open_in_another_place_or_under_another_key() {
    let (blobs, from) = (Blobs::memory(), place());
    write(&blobs, from, b"secret", 6).await;
    let bytes = raw(&blobs, &from.part(0)).await;
    let others = [
        BlobPlace { object: Uuid::now_v7(), ..from },
        BlobPlace { record: Uuid::now_v7(), ..from },
        BlobPlace { tenant: Uuid::now_v7(), ..from },
    ];
    for to in others {
        put_raw(&blobs, &to.part(0), bytes.clone()).await;
        assert_broken(&blobs, to, "moved").await;
    }
    let other = Key::copy_of(&[8; 32]);
    assert!(matches!(blobs.read(&other, from, 6, 0..9).await.unwrap().next().await, Err(BlobError::Broken(_))));
}

#[tokio::test]
async fn a_range_costs_the_chunks_it_touches() {
    let (blobs, place, plain) = (Blobs::memory(), place(), pattern(PART + 10 * CHUNK));
    write(&blobs, place, &plain, 1 << 20).await;
    // Everything but the chunk that holds the range is destroyed; the range still opens.
    let mut bytes = raw(&blobs, &place.part(1)).await;
    bytes[HEADER..][..4 * CHUNK_SEALED].fill(0);
    bytes[HEADER + 5 * CHUNK_SEALED..].fill(0);
    put_raw(&blobs, &place.part(1), bytes).await;
    put_raw(&blobs, &place.part(0), vec![0; PART_SEALED]).await;
    let start = PART + 4 * CHUNK + 17;
    assert!(read(&blobs, place, start as u64..start as u64 + 100).await.unwrap() == plain[start..start + 100]);
    assert_broken(&blobs, place, "the rest").await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_behind() {
    let (blobs, place) = (Blobs::memory(), place());
    let blocks = (0..6)
        .map(|n| if n < 5 { Ok(Bytes::from(vec![n; 1 << 20])) } else { Err(std::io::ErrorKind::BrokenPipe.into()) });
    let error = blobs.write(&key(), place, stream::iter(blocks)).await.unwrap_err();
    assert!(matches!(error, BlobError::Input { kind: std::io::ErrorKind::BrokenPipe, .. }));
    assert!(blobs.store.list(None).next().await.is_none());
    assert!(matches!(read(&blobs, place, 0..9).await, Err(BlobError::Missing(_))));
}

#[tokio::test]
async fn removing_a_record_removes_all_its_objects_and_no_others() {
    let blobs = Blobs::memory();
    let (one, two) = (place(), place());
    let again = BlobPlace { object: Uuid::now_v7(), ..one };
    for place in [one, again, two] {
        write(&blobs, place, &pattern(PART + 1), 1 << 20).await;
    }
    assert_eq!(blobs.remove_record(one.tenant, one.record).await.unwrap(), 4);
    assert_eq!(blobs.remove_record(one.tenant, one.record).await.unwrap(), 0);
    let left: Vec<_> = blobs.store.list(None).try_collect().await.unwrap();
    assert!(left.len() == 2 && left.iter().all(|object| object.location.as_ref().contains(&two.object.to_string())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_range_of_any_object_is_that_range_of_its_plaintext(
        length in 0..PART + 3 * CHUNK, step in 1_usize..300_000, from in any::<prop::sample::Index>(), count in 0..200_000_u64,
    ) {
        let (blobs, place, plain) = (Blobs::memory(), place(), pattern(length));
        let start = from.index(length + 1) as u64;
        let expected = &plain[start as usize..][..(count as usize).min(length - start as usize)];
        let read = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            write(&blobs, place, &plain, step).await;
            read(&blobs, place, start..start + count).await
        });
        prop_assert!(read.unwrap() == expected);
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_part_is_noticed(length in 0..2 * CHUNK, at in any::<prop::sample::Index>(), bit in 0..8) {
        let purpose = place().purpose(0);
        let mut sealed = seal_part(&key(), purpose.clone(), &pattern(length)).unwrap().unwrap();
        prop_assert_eq!(open_part(&key(), purpose.clone(), &mut sealed.clone()).unwrap(), pattern(length));
        let at = at.index(sealed.len());
        sealed[at] ^= 1u8 << bit;
        prop_assert!(open_part(&key(), purpose, &mut sealed).is_none());
    }

    #[test]
    fn object_keys_are_made_of_uuids_and_numbers(ids in any::<[u128; 3]>(), part in 0..super::stream::MAX_PARTS) {
        let [tenant, record, object] = ids.map(Uuid::from_u128);
        let place = BlobPlace { tenant, record, object };
        let path = place.part(part);
        let words: Vec<&str> = path.as_ref().split('/').collect();
        prop_assert_eq!(words[0], "blobs");
        prop_assert!(words[1..4].iter().all(|word| Uuid::parse_str(word).is_ok_and(|id| id.to_string() == *word)));
        prop_assert!(words.len() == 5 && words[4].len() == 8 && words[4].bytes().all(|byte| byte.is_ascii_digit()));
        prop_assert_eq!(BlobPlace::part_number(&path), Some(part));
    }
}
