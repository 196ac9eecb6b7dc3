//! The outbox: what is to be removed goes, what is being stored stays, and neither waits for the other.

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use futures::stream;
use server::{
    db::Scope,
    deletion::blobs::{self as outbox, Upload, UploadError},
    vault::{
        blobs::{BlobError, BlobPlace, Blobs},
        key::Key,
        seal::RecordKind,
    },
};
use sqlx::Executor as _;
use uuid::Uuid;

use crate::{
    kit::Installation,
    things::{LENGTH, count, delete, upload},
};

/// Sends bytes up as a new object of a record, without a word to the outbox.
async fn send(installation: &Installation, place: BlobPlace, key: &Key) {
    let half = stream::iter([Ok(Bytes::from_static(b"half"))]);
    installation.blobs.write(key, place, half).await.unwrap();
}

/// As an upload begins.
async fn expect(installation: &Installation, scope: Scope, record: Uuid, deadline: DateTime<Utc>) -> Upload {
    let mut tx = installation.database.write(&scope).await.unwrap();
    let object = (record, Uuid::now_v7());
    let upload = outbox::expect_upload(&mut tx, RecordKind::Call, object, deadline).await.unwrap();
    tx.commit().await.unwrap();
    upload
}

#[tokio::test]
async fn an_upload_that_never_ended_is_removed_and_one_that_did_is_kept() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let (call, key) = (installation.call(scope, "kept").await, Key::generate().unwrap());
    let later = Utc::now() + Duration::days(1);
    // A call's second recording never ended, although the call has a key; nor did that of a call which was never stored.
    let (never, orphan) = (expect(&installation, scope, call, later).await, Uuid::now_v7());
    let orphan = expect(&installation, scope, orphan, later).await;
    let ended = expect(&installation, scope, call, later).await;
    for upload in [never, orphan, ended] {
        send(&installation, upload.place(), &key).await;
    }
    let mut tx = installation.database.write(&scope).await.unwrap();
    ended.end(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let mut superuser = installation.postgres.superuser().await;
    superuser.execute("UPDATE tenant.blob_deletions SET run_at = now()").await.unwrap();
    let swept = outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    assert_eq!((swept.entries, swept.parts), (2, 2));
    for gone in [never, orphan] {
        assert!(matches!(installation.blobs.read(&key, gone.place(), 4, 0..9).await, Err(BlobError::Missing(_))));
    }
    assert!(installation.blobs.read(&key, ended.place(), 4, 0..9).await.is_ok());
}

#[tokio::test]
async fn an_upload_that_is_too_late_is_not_acknowledged_and_one_that_ends_is_not_removed_under_it() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let (database, blobs) = (&installation.database, &installation.blobs);
    let mut superuser = installation.postgres.superuser().await;
    let key = Key::generate().unwrap();
    let late = expect(&installation, scope, Uuid::now_v7(), Utc::now() - Duration::seconds(1)).await;
    let mut tx = database.write(&scope).await.unwrap();
    assert!(matches!(late.end(&mut tx).await, Err(UploadError::TooLate)));
    drop(tx);

    // Its deadline passes between its end and the commit: the worker leaves it alone.
    let ending = expect(&installation, scope, Uuid::now_v7(), Utc::now() + Duration::days(1)).await;
    send(&installation, ending.place(), &key).await;
    let mut tx = database.write(&scope).await.unwrap();
    ending.end(&mut tx).await.unwrap();
    outbox::sweep(database, blobs).await.unwrap();
    tx.commit().await.unwrap();
    superuser.execute("UPDATE tenant.blob_deletions SET run_at = now()").await.unwrap();
    outbox::sweep(database, blobs).await.unwrap();
    assert!(blobs.read(&key, ending.place(), 4, 0..9).await.is_ok());

    // The worker has taken it, and failed to remove it: it is lost all the same.
    let taken = expect(&installation, scope, Uuid::now_v7(), Utc::now() + Duration::days(1)).await;
    let take = "UPDATE tenant.blob_deletions SET attempts = 1, run_at = now() + interval '5 minutes'";
    superuser.execute(take).await.unwrap();
    let mut tx = database.write(&scope).await.unwrap();
    assert!(matches!(taken.end(&mut tx).await, Err(UploadError::TooLate)));
}

#[tokio::test]
async fn blobs_of_a_record_stay_as_long_as_it_has_a_key_of_whatever_kind() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "kept").await;
    let kept = upload(&installation, scope, call).await;
    let mut superuser = installation.postgres.superuser().await;
    let word =
        "INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id) VALUES ($1, gen_random_uuid(), 4, $2)";
    sqlx::query(word).bind(scope.tenant()).bind(call).execute(&mut superuser).await.unwrap();
    let swept = outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    assert_eq!((swept.entries, swept.parts), (1, 0));
    assert!(installation.blobs.read(&Key::generate().unwrap(), kept, LENGTH, 0..9).await.is_ok());
}

#[tokio::test]
async fn one_entry_that_cannot_be_removed_does_not_keep_the_others() {
    let mut installation = Installation::new().await;
    let directory = tempfile::tempdir().unwrap();
    installation.blobs = Blobs::local(directory.path()).unwrap();
    let scope = installation.tenant().await;
    let calls = [installation.call(scope, "one").await, installation.call(scope, "two").await];
    for call in calls {
        upload(&installation, scope, call).await;
    }
    // A name that the store does not take for a name stands in the way of the first.
    let first = directory.path().join(format!("blobs/{}/{}", scope.tenant(), calls[0]));
    std::fs::write(first.join("\u{1}"), b"odd").unwrap();
    for call in calls {
        delete(&installation, scope, RecordKind::Call, call).await;
    }
    let error = outbox::sweep(&installation.database, &installation.blobs).await.unwrap_err();
    assert!(matches!(error, outbox::SweepError::Blobs(_)), "{error}");
    assert!(first.exists());
    assert!(!directory.path().join(format!("blobs/{}/{}/", scope.tenant(), calls[1])).exists());
    assert_eq!(count(&installation, "tenant.blob_deletions").await, 1, "its entry stays");
}

#[tokio::test]
async fn a_sweep_costs_what_is_to_go_and_does_not_walk_the_store() {
    let mut installation = Installation::new().await;
    let directory = tempfile::tempdir().unwrap();
    installation.blobs = Blobs::local(directory.path()).unwrap();
    // What a walk would take away.
    let left = directory.path().join("blobs/00000001#1");
    std::fs::create_dir(left.parent().unwrap()).unwrap();
    std::fs::write(&left, b"half").unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(24 * 60 * 60);
    std::fs::File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
    outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    assert!(left.exists());
    installation.blobs.remove_leftovers().await.unwrap();
    assert!(!left.exists());
}
