//! The object store as most installations have it, over the wire: what holds in a directory holds in a bucket.

use std::ops::Range;

use bytes::Bytes;
use chrono::Utc;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload, path::Path};
use server::{
    db::Scope,
    deletion::{self, blobs as outbox, mirror, restore, verify},
    vault::{
        blobs::{BlobError, BlobPlace, Blobs, MirrorPlace},
        key::Key,
        seal::RecordKind,
    },
};
use uuid::Uuid;

use crate::{kit::Installation, s3_server::Bucket};

/// Plaintext of a part (docs/adr/008).
const PART: usize = 4 << 20;

/// A part's header, and a chunk of it with its tag.
const HEADER: usize = 33;
const CHUNK_SEALED: usize = 64 * 1024 + 16;

/// Objects that one answer of S3 lists, and that one request removes.
const PAGE: usize = 1000;

fn place() -> BlobPlace {
    BlobPlace { tenant: Uuid::now_v7(), record: Uuid::now_v7(), object: Uuid::now_v7() }
}

/// Bytes that differ everywhere, so that one in the wrong place would show.
fn pattern(length: usize) -> Vec<u8> {
    (0..length.div_ceil(8) as u64)
        .flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())
        .take(length)
        .collect()
}

async fn write(blobs: &Blobs, key: &Key, place: BlobPlace, plain: &[u8]) -> Result<u64, BlobError> {
    let blocks = plain.chunks(100_000).map(|block| Ok(Bytes::copy_from_slice(block)));
    blobs.write(key, place, stream::iter(blocks)).await
}

/// Reads from an object of `length` bytes.
async fn read(
    blobs: &Blobs,
    key: &Key,
    place: BlobPlace,
    length: usize,
    range: Range<u64>,
) -> Result<Vec<u8>, BlobError> {
    let mut reader = blobs.read(key, place, length as u64, range).await?;
    let mut plain = Vec::new();
    while let Some(bytes) = reader.next().await? {
        plain.extend(bytes);
    }
    Ok(plain)
}

/// The names of all objects.
async fn names(bucket: &Bucket) -> Vec<Path> {
    bucket.raw().list(None).map_ok(|object| object.location).try_collect().await.unwrap()
}

#[tokio::test]
async fn what_was_written_to_a_bucket_is_read_from_it_whole_and_in_ranges() {
    let (bucket, key, plain) = (Bucket::new(), Key::generate().unwrap(), pattern(2 * PART + 70_000));
    let blobs = bucket.blobs("");
    for length in [0, 1, PART, PART + 1, plain.len()] {
        let place = place();
        assert_eq!(write(&blobs, &key, place, &plain[..length]).await.unwrap(), length as u64);
        assert!(read(&blobs, &key, place, length, 0..u64::MAX).await.unwrap() == plain[..length], "{length}");
    }
    let place = place();
    write(&blobs, &key, place, &plain).await.unwrap();
    for (start, end) in
        [(0, 1), (65_535, 65_537), (PART - 1, PART + 1), (PART - 9, 2 * PART + 9), (2 * PART, plain.len())]
    {
        let range = start as u64..end as u64;
        assert!(read(&blobs, &key, place, plain.len(), range).await.unwrap() == plain[start..end], "{start}..{end}");
    }
    assert!(matches!(read(&blobs, &key, self::place(), 1, 0..1).await, Err(BlobError::Missing(_))));
    let stored = bucket.raw().get(&names(&bucket).await[0]).await.unwrap().bytes().await.unwrap();
    assert!(!stored.windows(16).any(|window| window == &plain[..16]), "plaintext in the bucket");
}

#[tokio::test]
async fn a_cut_spliced_moved_or_missing_part_in_a_bucket_is_refused_and_named() {
    let (bucket, key) = (Bucket::new(), Key::generate().unwrap());
    let (blobs, raw, one, two) = (bucket.blobs(""), bucket.raw(), place(), place());
    for place in [one, two] {
        write(&blobs, &key, place, &pattern(PART + 200_000)).await.unwrap();
    }
    let part = |place: BlobPlace, number: u32| {
        Path::from(format!("blobs/{}/{}/{}/{number:08}", place.tenant, place.record, place.object))
    };
    let get = async |path: Path| raw.get(&path).await.unwrap().bytes().await.unwrap();
    let (first, last, foreign) = (get(part(one, 0)).await, get(part(one, 1)).await, get(part(two, 1)).await);
    let spliced = [&last[..HEADER + CHUNK_SEALED], &foreign[HEADER + CHUNK_SEALED..]].concat();
    let attacks = [
        ("cut at a chunk", 1, last.slice(..HEADER + CHUNK_SEALED)),
        ("cut within a tag", 1, last.slice(..last.len() - 1)),
        ("a chunk of another object", 1, spliced.into()),
        ("a part of another object", 1, foreign),
        ("a part in the place of another", 0, last.clone()),
        ("the last part repeated", 2, last.clone()),
    ];
    for (what, number, bytes) in attacks {
        raw.put(&part(one, number), PutPayload::from_bytes(bytes)).await.unwrap();
        let error = read(&blobs, &key, one, PART + 200_000, 0..u64::MAX).await.expect_err(what);
        assert!(matches!(error, BlobError::Broken(_)), "{what}: {error}");
        assert!(error.to_string().contains(&one.object.to_string()), "{what}: {error}");
        raw.delete(&part(one, 2)).await.unwrap();
        raw.put(&part(one, 0), first.clone().into()).await.unwrap();
        raw.put(&part(one, 1), last.clone().into()).await.unwrap();
        assert!(read(&blobs, &key, one, PART + 200_000, 0..u64::MAX).await.is_ok(), "{what}");
    }
    for number in [0, 1] {
        raw.delete(&part(two, number)).await.unwrap();
        let error = read(&blobs, &key, two, PART + 200_000, 0..u64::MAX).await.unwrap_err();
        assert!(matches!(error, BlobError::Broken(_) | BlobError::Missing(_)), "{error}");
    }
}

#[tokio::test]
async fn an_upload_to_a_bucket_that_breaks_off_leaves_no_object_and_no_pending_parts() {
    let (bucket, key, place) = (Bucket::new(), Key::generate().unwrap(), place());
    let blobs = bucket.blobs("");
    let block = |n| if n < 9 { Ok(Bytes::from(vec![7; 1 << 20])) } else { Err(std::io::ErrorKind::BrokenPipe.into()) };
    let error = blobs.write(&key, place, stream::iter((0..10).map(block))).await.unwrap_err();
    assert!(matches!(error, BlobError::Input { .. }), "{error}");
    assert_eq!(names(&bucket).await, []);
    // An upload that is dropped in the middle, as when its client goes away: parts are there, as objects that can be listed.
    let endless = stream::iter((0..9).map(block)).chain(stream::pending());
    let mut upload = Box::pin(blobs.write(&key, place, endless));
    while names(&bucket).await.len() < 2 {
        assert!(futures::poll!(&mut upload).is_pending());
    }
    drop(upload);
    assert!(!bucket.has_pending_uploads());
    assert!(blobs.remove_record(place.tenant, place.record).await.unwrap() >= 2);
    assert_eq!(names(&bucket).await, []);
    // The control: one that an upload in parts leaves would show.
    drop(bucket.raw().put_multipart(&"pending".into()).await.unwrap());
    assert!(bucket.has_pending_uploads());
}

#[tokio::test]
async fn installations_with_prefixes_of_their_own_share_a_bucket_and_nothing_else() {
    let (bucket, key, place) = (Bucket::new(), Key::generate().unwrap(), place());
    let (one, two) = (bucket.blobs("/one/a"), bucket.blobs("/two"));
    write(&one, &key, place, b"kept").await.unwrap();
    assert!(matches!(read(&two, &key, place, 4, 0..9).await, Err(BlobError::Missing(_))));
    assert_eq!(two.remove_tenant(place.tenant).await.unwrap(), 0);
    assert_eq!(read(&one, &key, place, 4, 0..9).await.unwrap(), b"kept");
    let receipt = MirrorPlace::Receipt(place.tenant, 1);
    one.put_mirror(receipt, &"signed").await.unwrap();
    let other = one.put_mirror(receipt, &"another").await;
    assert!(matches!(other, Err(BlobError::Mirror { .. })), "a copy is never replaced: {other:?}");
    assert_eq!(two.mirrored_tenants().await.unwrap().len(), 0);
    assert_eq!(one.mirrored_tenants().await.unwrap(), [place.tenant].into());
    assert!(names(&bucket).await.iter().all(|name| name.as_ref().starts_with("one/a/")));
    for address in ["https://bucket/one", "bucket", "s3://bucket/a//b"] {
        assert!(matches!(Blobs::s3(address, []), Err(BlobError::Address)), "{address}");
    }
}

#[tokio::test]
async fn more_than_a_bucket_lists_at_once_is_found_and_removed() {
    let (bucket, key, tenant) = (Bucket::new(), Key::generate().unwrap(), Uuid::now_v7());
    let blobs = bucket.blobs("/here");
    let objects = PAGE + 5;
    let writes = (1..=objects as i64).map(async |number| {
        write(&blobs, &key, BlobPlace { tenant, ..place() }, b"x").await.unwrap();
        blobs.put_mirror(MirrorPlace::Receipt(tenant, number), &number).await.unwrap();
    });
    stream::iter(writes).buffer_unordered(16).collect::<()>().await;
    let mirrored = blobs.mirrored_after(MirrorPlace::Receipt(tenant, 3)).await.unwrap();
    assert_eq!(mirrored.len(), objects - 3);
    assert_eq!(blobs.mirror::<i64>(MirrorPlace::Receipt(tenant, mirrored[PAGE])).await.unwrap(), Some(PAGE as i64 + 4));
    assert_eq!(blobs.remove_tenant(tenant).await.unwrap(), objects as u64);
    assert_eq!(names(&bucket).await.len(), objects, "receipts outlive their tenant");
}

/// Stores a recording for a call.
async fn upload(installation: &Installation, scope: Scope, call: Uuid) -> BlobPlace {
    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    drop(tx);
    let place = BlobPlace { tenant: scope.tenant(), record: call, object: Uuid::now_v7() };
    write(&installation.blobs, &key, place, &pattern(PART + 1)).await.unwrap();
    place
}

#[tokio::test]
async fn a_deletion_empties_the_bucket_of_its_blobs_and_leaves_signed_receipts_in_it() {
    let bucket = Bucket::new();
    let installation = Installation { blobs: bucket.blobs("/subrosa"), ..Installation::new().await };
    let (database, blobs, vault) = (&installation.database, &installation.blobs, &installation.vault);
    let scope = installation.tenant().await;
    let (call, kept, never) =
        (installation.call(scope, "gone").await, installation.call(scope, "kept").await, Uuid::now_v7());
    let (gone, stays) = (upload(&installation, scope, call).await, upload(&installation, scope, kept).await);
    // A program that died in an upload: parts are there, the record never was.
    let mut tx = database.write(&scope).await.unwrap();
    let object = (never, Uuid::now_v7());
    let upload = outbox::expect_upload(&mut tx, RecordKind::Call, object, Utc::now()).await.unwrap();
    tx.commit().await.unwrap();
    write(blobs, &Key::generate().unwrap(), upload.place(), &pattern(PART + 1)).await.unwrap();
    let mut tx = database.write(&scope).await.unwrap();
    deletion::delete(&mut tx, vault.signer(), RecordKind::Call, call).await.unwrap();
    tx.commit().await.unwrap();

    let swept = outbox::sweep(database, blobs).await.unwrap();
    assert_eq!((swept.entries, swept.parts), (2, 4));
    let left = names(&bucket).await;
    assert!(left.len() == 2 && left.iter().all(|name| name.as_ref().contains(&stays.object.to_string())), "{left:?}");
    assert!(!left.iter().any(|name| name.as_ref().contains(&gone.object.to_string())));

    assert_eq!(mirror::catch_up(database, blobs, vault).await.unwrap(), 2);
    restore::require_current(database, blobs).await.unwrap();
    for report in [
        verify::receipts(database, blobs, vault.public_keys()).await.unwrap(),
        verify::audit(database, blobs, vault.public_keys()).await.unwrap(),
    ] {
        assert_eq!((report.links, report.copies, report.faults), (1, 1, vec![]));
    }
    // The copies in the bucket are believed, not the database: one link less in it shows.
    let mut superuser = installation.postgres.superuser().await;
    sqlx::raw_sql("SET session_replication_role = replica; DELETE FROM tenant.audit_events")
        .execute(&mut superuser)
        .await
        .unwrap();
    let report = verify::audit(database, blobs, vault.public_keys()).await.unwrap();
    assert_eq!(report.faults.len(), 1);
}
