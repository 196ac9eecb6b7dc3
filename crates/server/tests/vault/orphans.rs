//! The object store compared with the database: what nothing names goes, whatever it was; everything else stays.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use chrono::Utc;
use futures::{StreamExt as _, stream};
use object_store::ObjectStoreExt as _;
use server::{
    db::Scope,
    deletion::{
        blobs as outbox,
        orphans::{self, GRACE, PERIOD, Walked, walk},
    },
    vault::{
        blobs::{BlobPlace, Blobs},
        key::Key,
        seal::RecordKind,
    },
};
use sqlx::{AssertSqlSafe, Executor as _};
use uuid::Uuid;

use crate::{
    kit::Installation,
    s3_server::Bucket,
    things::{delete, upload},
};

/// Writes an object that nothing names.
async fn orphan(blobs: &Blobs, tenant: Uuid, record: Uuid) -> BlobPlace {
    let place = BlobPlace { tenant, record, object: Uuid::now_v7() };
    write(blobs, place).await;
    place
}

async fn write(blobs: &Blobs, place: BlobPlace) {
    let key = Key::generate().unwrap();
    blobs.write(&key, place, stream::iter([Ok(Bytes::from_static(b"a recording"))])).await.unwrap();
}

/// Every object was written so long ago.
fn age(directory: &Path, age: Duration) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::age(&path, age);
        } else {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
        }
    }
}

/// A call whose row names the object of its recording.
async fn call(installation: &Installation, scope: Scope) -> BlobPlace {
    let call = installation.call(scope, "kept").await;
    let place = upload(installation, scope, call).await;
    let mut superuser = installation.postgres.superuser().await;
    let name = "UPDATE tenant.artifacts SET object_id = $1 WHERE call_id = $2";
    sqlx::query(name).bind(place.object).bind(call).execute(&mut superuser).await.unwrap();
    place
}

async fn walked(installation: &Installation) -> Walked {
    let mut superuser = installation.postgres.superuser().await;
    superuser.execute("UPDATE global.object_walk SET ended_at = now() - interval '24 hours'").await.unwrap();
    let walked = walk(&installation.database, &installation.blobs, (PERIOD, GRACE)).await.unwrap().unwrap();
    outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    walked
}

async fn is_there(installation: &Installation, place: BlobPlace) -> bool {
    installation.blobs.is_there(place).await.unwrap()
}

#[tokio::test]
async fn an_object_that_nothing_names_goes_once_it_is_older_than_any_upload_and_all_others_stay() {
    let mut installation = Installation::new().await;
    let directory = tempfile::tempdir().unwrap();
    installation.blobs = Blobs::local(directory.path()).unwrap();
    let scope = installation.tenant().await;
    let (named, tenant) = (call(&installation, scope).await, scope.tenant());
    let of_a_call_that_is_there = orphan(&installation.blobs, tenant, named.record).await;
    let of_none = orphan(&installation.blobs, tenant, Uuid::now_v7()).await;
    // An upload that has begun, and may take for as long as its entry says.
    let mut tx = installation.database.write(&scope).await.unwrap();
    let word = (Uuid::now_v7(), Uuid::now_v7());
    let under_way = outbox::expect_upload(&mut tx, RecordKind::Call, word, Utc::now() + chrono::TimeDelta::days(1));
    let under_way = under_way.await.unwrap().place();
    tx.commit().await.unwrap();
    let blocks = stream::iter([Ok(Bytes::from_static(b"half"))]);
    installation.blobs.write(&Key::generate().unwrap(), under_way, blocks).await.unwrap();
    std::fs::write(directory.path().join(format!("blobs/{tenant}/a name of nobody's")), b"odd").unwrap();

    age(directory.path(), GRACE - Duration::from_secs(60));
    assert_eq!(walked(&installation).await, Walked::default(), "none is old enough");
    age(directory.path(), GRACE);
    assert_eq!(walked(&installation).await, Walked { orphans: 2, missing: 0 });
    for gone in [of_a_call_that_is_there, of_none] {
        assert!(!is_there(&installation, gone).await);
    }
    for kept in [named, under_way] {
        assert!(is_there(&installation, kept).await);
    }
    assert!(directory.path().join(format!("blobs/{tenant}/a name of nobody's")).exists());
    let state = orphans::state(&installation.database).await.unwrap();
    assert_eq!((state.orphans, state.strangers, state.missing), (2, 0, 0));
    assert!(state.age_seconds < 60.0);
}

/// A statement that changes one row; `it` is the tenant, the owner, the record and the object that it is about.
async fn execute(installation: &Installation, scope: Scope, (record, object): (Uuid, Uuid), statement: &str) {
    let it = "WITH it (tenant, owner, record, object) AS (SELECT $1::uuid, $2::uuid, $3::uuid, $4::uuid) ";
    let mut superuser = installation.postgres.superuser().await;
    let statement = sqlx::query(AssertSqlSafe(it.to_owned() + statement)).bind(scope.tenant()).bind(scope.user());
    assert_eq!(statement.bind(record).bind(object).execute(&mut superuser).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn an_object_stays_however_old_it_is_while_a_row_of_any_kind_names_it_and_goes_with_the_row() {
    let mut installation = Installation::new().await;
    let directory = tempfile::tempdir().unwrap();
    installation.blobs = Blobs::local(directory.path()).unwrap();
    let scope = installation.tenant().await;
    let calls = [(); 4].map(|()| Uuid::now_v7());
    for call in calls {
        let insert = "INSERT INTO tenant.calls (tenant_id, id, owner_id) SELECT tenant, record, owner FROM it";
        execute(&installation, scope, (call, call), insert).await;
    }
    let artifact = |kind: &str, object: &str| {
        let insert = "INSERT INTO tenant.artifacts (tenant_id, call_id, owner_id, parts, kind, object_id)";
        format!("{insert} SELECT tenant, record, owner, 1, {kind}, {object} FROM it")
    };
    let export = |state: &str, key: &str| {
        let insert = "INSERT INTO tenant.exports (tenant_id, id, owner_id, object_id, expires_at, state, sealed_key)";
        format!("{insert} SELECT tenant, gen_random_uuid(), owner, object, now(), {state}, {key} FROM it")
    };
    let upload = "INSERT INTO tenant.uploads (tenant_id, id, owner_id, length, expires_at) SELECT tenant, record, owner, 1, now() FROM it";
    let entry = |object: &str| {
        let insert = "INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id, run_at, due_at, object_id)";
        format!("{insert} SELECT tenant, gen_random_uuid(), 1, record, 'infinity', 'infinity', {object} FROM it")
    };
    let no_artifact = "DELETE FROM tenant.artifacts USING it WHERE call_id = record";
    let no_entry = "DELETE FROM tenant.blob_deletions USING it WHERE subject_id = record";
    let failed = "UPDATE tenant.exports SET state = 3 FROM it WHERE object_id = object";
    let expired = "UPDATE tenant.exports SET state = 4, sealed_key = NULL FROM it WHERE object_id = object";
    let became = "UPDATE tenant.uploads SET became = id FROM it WHERE id = record";
    let new = Uuid::now_v7;
    let table = [
        ((calls[0], new()), artifact("1", "object"), no_artifact),
        // As recordings were named at first.
        ((calls[1], calls[1]), artifact("1", "NULL"), no_artifact),
        ((calls[2], new()), artifact("6", "object"), no_artifact),
        ((calls[3], new()), artifact("8", "object"), no_artifact),
        ((new(), new()), upload.to_owned(), became),
        ((scope.user(), new()), export("1", "NULL"), failed),
        ((scope.user(), new()), export("2", "sha256('')"), expired),
        ((new(), new()), entry("object"), no_entry),
        ((new(), new()), entry("NULL"), no_entry),
    ];
    let place = |(record, object)| BlobPlace { tenant: scope.tenant(), record, object };
    for (named, insert, _) in &table {
        write(&installation.blobs, place(*named)).await;
        execute(&installation, scope, *named, insert).await;
    }
    age(directory.path(), 10 * GRACE);
    assert_eq!(walked(&installation).await, Walked::default());
    for (named, insert, _) in &table {
        assert!(is_there(&installation, place(*named)).await, "{insert}");
    }
    for (named, _, end) in &table {
        execute(&installation, scope, *named, end).await;
    }
    assert_eq!(walked(&installation).await, Walked { orphans: table.len() as u64, missing: 0 });
    for (named, _, end) in &table {
        assert!(!is_there(&installation, place(*named)).await, "{end}");
    }
}

#[tokio::test]
async fn objects_of_another_installation_are_left_alone_and_counted() {
    let mut installation = Installation::new().await;
    let directory = tempfile::tempdir().unwrap();
    installation.blobs = Blobs::local(directory.path()).unwrap();
    let foreign = orphan(&installation.blobs, Uuid::now_v7(), Uuid::now_v7()).await;
    // Of a tenant that was deleted here, it is an orphan like others.
    let scope = installation.tenant().await;
    delete(&installation, scope, RecordKind::Tenant, scope.tenant()).await;
    outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    let left = orphan(&installation.blobs, scope.tenant(), Uuid::now_v7()).await;
    age(directory.path(), 10 * GRACE);
    for round in 0..2 {
        assert_eq!(walked(&installation).await.orphans, u64::from(round == 0));
        assert_eq!(orphans::state(&installation.database).await.unwrap().strangers, 1);
    }
    assert!(is_there(&installation, foreign).await && !is_there(&installation, left).await);
}

#[tokio::test]
async fn a_row_whose_object_is_gone_is_reported() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let (kept, lost) = (call(&installation, scope).await, call(&installation, scope).await);
    assert_eq!(walked(&installation).await, Walked::default());
    installation.blobs.remove(lost).await.unwrap();
    assert_eq!(walked(&installation).await, Walked { orphans: 0, missing: 1 });
    assert_eq!(orphans::state(&installation.database).await.unwrap().missing, 1);
    assert!(is_there(&installation, kept).await);
}

#[tokio::test]
async fn a_walk_is_made_once_a_day_by_one_process_and_goes_on_where_it_broke_off() {
    let mut installation = Installation::new().await;
    let directory = tempfile::tempdir().unwrap();
    installation.blobs = Blobs::local(directory.path()).unwrap();
    let mut scopes = [installation.tenant().await, installation.tenant().await, installation.tenant().await];
    scopes.sort_by_key(Scope::tenant);
    for scope in scopes {
        orphan(&installation.blobs, scope.tenant(), Uuid::now_v7()).await;
    }
    age(directory.path(), GRACE);
    let (database, blobs) = (&installation.database, &installation.blobs);
    let mut superuser = installation.postgres.superuser().await;
    let again = async || walk(database, blobs, (PERIOD, GRACE)).await.unwrap();
    assert_eq!(again().await, None, "the installation was made just now");
    // Somebody else has it, and was seen after the first tenant.
    let state = "UPDATE global.object_walk SET is_under_way = true, after_tenant = $1, leased_until = now() + interval '1 minute'";
    sqlx::query(state).bind(scopes[0].tenant()).execute(&mut superuser).await.unwrap();
    assert_eq!(again().await, None);
    superuser.execute("UPDATE global.object_walk SET leased_until = now()").await.unwrap();
    assert_eq!(again().await.unwrap().orphans, 2);
    assert_eq!(again().await, None, "it has ended");
    assert_eq!(walked(&installation).await.orphans, 1, "the next one sees all of them");
}

#[tokio::test]
async fn a_tenant_that_cannot_be_listed_does_not_keep_the_others_and_is_not_passed_over() {
    let mut installation = Installation::new().await;
    let directory = tempfile::tempdir().unwrap();
    installation.blobs = Blobs::local(directory.path()).unwrap();
    let mut scopes = [installation.tenant().await, installation.tenant().await];
    scopes.sort_by_key(Scope::tenant);
    for scope in scopes {
        orphan(&installation.blobs, scope.tenant(), Uuid::now_v7()).await;
    }
    age(directory.path(), GRACE);
    // A name that the store does not take for a name.
    let odd = directory.path().join(format!("blobs/{}/\u{1}", scopes[0].tenant()));
    std::fs::write(&odd, b"odd").unwrap();
    let mut superuser = installation.postgres.superuser().await;
    superuser.execute("UPDATE global.object_walk SET ended_at = now() - interval '24 hours'").await.unwrap();
    walk(&installation.database, &installation.blobs, (PERIOD, GRACE)).await.unwrap_err();
    let state = orphans::state(&installation.database).await.unwrap();
    assert!(
        state.orphans >= 1 && state.age_seconds >= 86_400.0,
        "the others were looked at, and it is not over: {state:?}"
    );
    std::fs::remove_file(odd).unwrap();
    superuser.execute("UPDATE global.object_walk SET leased_until = now()").await.unwrap();
    walk(&installation.database, &installation.blobs, (PERIOD, GRACE)).await.unwrap().unwrap();
    let state = orphans::state(&installation.database).await.unwrap();
    assert!(state.orphans == 2 && state.age_seconds < 60.0, "{state:?}");
}

#[tokio::test]
async fn in_a_bucket_more_objects_than_one_page_lists_are_compared_and_other_prefixes_never() {
    let bucket = Bucket::new();
    let mut installation = Installation::new().await;
    installation.blobs = bucket.blobs("/one");
    let scope = installation.tenant().await;
    let named = call(&installation, scope).await;
    let beside = bucket.blobs("/two");
    let other = orphan(&beside, scope.tenant(), Uuid::now_v7()).await;
    // Three objects of so many parts that one answer of the store does not list them.
    let (raw, ids) = (bucket.raw(), [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()]);
    let parts = ids.iter().flat_map(|id| (0..340).map(move |part| (id, part)));
    let put = async |(id, part): (&Uuid, u32)| {
        let name = format!("one/blobs/{}/{}/{id}/{part:08}", named.tenant, named.record);
        raw.put(&object_store::path::Path::from(name), "sealed".into()).await.unwrap();
    };
    stream::iter(parts).for_each_concurrent(16, put).await;
    let mut superuser = installation.postgres.superuser().await;
    superuser.execute("UPDATE global.object_walk SET ended_at = now() - interval '24 hours'").await.unwrap();
    // The clock of a bucket cannot be moved.
    let found = walk(&installation.database, &installation.blobs, (PERIOD, Duration::ZERO)).await.unwrap().unwrap();
    assert_eq!(found, Walked { orphans: 3, missing: 0 });
    let swept = outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    assert_eq!(swept.parts, 3 * 340);
    assert!(is_there(&installation, named).await && beside.is_there(other).await.unwrap());
}
