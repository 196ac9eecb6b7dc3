//! Deletion: nothing is left, nothing opens, a receipt remains.

use server::{
    db::{DbError, Role, Scope, TenantTx, Write},
    deletion::{self, DeletionError, blobs as outbox, mirror, verify},
    vault::{blobs::BlobError, keys::VaultError, seal::RecordKind},
};
use sqlx::{AssertSqlSafe, Executor as _};
use uuid::Uuid;

use crate::{
    kit::{Installation, execute},
    things::{LENGTH, count, delete, join, rows_left, upload},
};

#[tokio::test]
async fn a_deleted_call_is_gone_at_commit_and_its_blobs_soon_after() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let (call, other) = (installation.call(scope, "gone").await, installation.call(scope, "kept").await);
    let (place, kept) = (upload(&installation, scope, call).await, upload(&installation, scope, other).await);
    let receipt = delete(&installation, scope, RecordKind::Call, call).await;
    assert_eq!((receipt.counts.rows, receipt.counts.blobs, receipt.counts.keys), (2, 1, 1));
    assert!(matches!(installation.title(scope, call).await, Err(VaultError::Gone(_))));
    assert_eq!(installation.title(scope, other).await.unwrap(), "kept");

    let swept = outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    assert_eq!((swept.entries, swept.parts), (1, 1));
    let mut tx = installation.database.read(&scope).await.unwrap();
    let key = installation.vault.record_key(&mut tx, RecordKind::Call, other).await.unwrap();
    assert!(matches!(installation.blobs.read(&key, place, LENGTH, 0..9).await, Err(BlobError::Missing(_))));
    assert_eq!(
        installation.blobs.read(&key, kept, LENGTH, 0..99).await.unwrap().next().await.unwrap().unwrap(),
        "a recording"
    );
}

#[tokio::test]
async fn a_deletion_that_is_not_committed_changes_nothing() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "kept").await;
    let mut tx = installation.database.write(&scope).await.unwrap();
    deletion::delete(&mut tx, installation.vault.signer(), RecordKind::Call, call).await.unwrap();
    drop(tx);
    assert_eq!(installation.title(scope, call).await.unwrap(), "kept");
    let keys = installation.vault.public_keys();
    for report in [
        verify::receipts(&installation.database, &installation.blobs, keys).await.unwrap(),
        verify::audit(&installation.database, &installation.blobs, keys).await.unwrap(),
    ] {
        assert_eq!((report.links, report.faults), (0, vec![]));
    }
}

#[tokio::test]
async fn what_is_not_there_or_under_legal_hold_is_not_deleted() {
    let installation = Installation::new().await;
    let (scope, foreign) = (installation.tenant().await, installation.tenant().await);
    let call = installation.call(scope, "held").await;
    let try_delete = async |scope, class, subject| {
        let mut tx = installation.database.write(&scope).await.unwrap();
        deletion::delete(&mut tx, installation.vault.signer(), class, subject).await
    };
    assert!(matches!(try_delete(scope, RecordKind::Call, Uuid::now_v7()).await, Err(DeletionError::NotFound)));
    assert!(matches!(try_delete(foreign, RecordKind::Call, call).await, Err(DeletionError::NotFound)));
    assert!(matches!(try_delete(foreign, RecordKind::Tenant, scope.tenant()).await, Err(DeletionError::NotFound)));
    let mut superuser = installation.postgres.superuser().await;
    sqlx::query("UPDATE tenant.calls SET legal_hold = true").execute(&mut superuser).await.unwrap();
    for (class, subject) in
        [(RecordKind::Call, call), (RecordKind::User, scope.user()), (RecordKind::Tenant, scope.tenant())]
    {
        assert!(matches!(try_delete(scope, class, subject).await, Err(DeletionError::LegalHold)));
    }
    assert_eq!(installation.title(scope, call).await.unwrap(), "held");
}

#[tokio::test]
async fn a_deleted_tenant_leaves_receipts_audit_events_and_nothing_else() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "gone").await;
    upload(&installation, scope, call).await;
    let receipt = delete(&installation, scope, RecordKind::Tenant, scope.tenant()).await;
    // The call, its artifact, the membership, the tenant, the person; the keys of call, tenant and person.
    assert_eq!((receipt.counts.rows, receipt.counts.blobs, receipt.counts.keys), (5, 1, 3));
    assert_eq!(rows_left(&installation, scope.tenant()).await, []);
    assert_eq!(outbox::sweep(&installation.database, &installation.blobs).await.unwrap().parts, 1);
    let mut superuser = installation.postgres.superuser().await;
    let users: Vec<(Uuid,)> = sqlx::query_as("SELECT id FROM global.users").fetch_all(&mut superuser).await.unwrap();
    assert_eq!(users, []);
    mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    let keys = installation.vault.public_keys();
    let report = verify::receipts(&installation.database, &installation.blobs, keys).await.unwrap();
    assert_eq!((report.links, report.copies, report.faults), (1, 1, vec![]));
}

#[tokio::test]
async fn a_deleted_user_takes_everything_along_but_stays_where_another_tenant_has_them() {
    let installation = Installation::new().await;
    let (one, two) = (installation.tenant().await, installation.tenant().await);
    let call = installation.call(one, "gone").await;
    upload(&installation, one, call).await;
    let mut superuser = installation.postgres.superuser().await;
    join(&mut superuser, two.tenant(), one.user()).await;
    let exists = async || {
        let mut superuser = installation.postgres.superuser().await;
        let row = sqlx::query("SELECT FROM global.users WHERE id = $1").bind(one.user());
        row.fetch_optional(&mut superuser).await.unwrap().is_some()
    };
    delete(&installation, one, RecordKind::User, one.user()).await;
    assert!(exists().await);
    assert_eq!(rows_left(&installation, one.tenant()).await, [("tenant.tenants".to_owned(), 1)]);
    assert_eq!(outbox::sweep(&installation.database, &installation.blobs).await.unwrap().parts, 1);
    delete(&installation, two, RecordKind::User, one.user()).await;
    assert!(!exists().await);
}

#[tokio::test]
async fn a_member_deletes_their_own_account_and_nobody_elses_data() {
    let installation = Installation::new().await;
    let owner = installation.tenant().await;
    let kept = installation.call(owner, "the owner's").await;
    let member = Scope::authenticated(owner.tenant(), Uuid::now_v7(), Role::Member);
    let mut superuser = installation.postgres.superuser().await;
    let (key_id, sealed) = installation.vault.new_user_key(member.user()).unwrap();
    let insert =
        "INSERT INTO global.users (id, address_hmac, key_id, sealed_key) VALUES ($1, sha256(uuid_send($1)), $2, $3)";
    execute(&mut superuser, insert, (member.user(), &key_id, &sealed)).await;
    let join = sqlx::query("INSERT INTO tenant.memberships VALUES ($1, $2, 3)").bind(member.tenant());
    join.bind(member.user()).execute(&mut superuser).await.unwrap();
    let call = installation.call(member, "the member's").await;
    let mut tx = installation.database.write(&member).await.unwrap();
    installation.vault.create_record_key(&mut tx, RecordKind::User, member.user()).await.unwrap();
    tx.commit().await.unwrap();

    let receipt = delete(&installation, member, RecordKind::User, member.user()).await;
    // The call, the membership, the person; the keys of the call, of the user's data in the tenant, and of the person.
    assert_eq!((receipt.counts.rows, receipt.counts.keys), (3, 3));
    assert!(installation.title(owner, call).await.is_err());
    assert_eq!(installation.title(owner, kept).await.unwrap(), "the owner's");
    let left = "SELECT (SELECT count(*) FROM global.users WHERE id = $1) + count(*) FROM tenant.record_keys WHERE owner_id = $1";
    let left: i64 = sqlx::query_scalar(left).bind(member.user()).fetch_one(&mut superuser).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn nobody_but_a_manager_deletes_another_user_and_nobody_one_of_another_tenant() {
    let installation = Installation::new().await;
    let (one, two) = (installation.tenant().await, installation.tenant().await);
    let member = Scope::authenticated(one.tenant(), Uuid::now_v7(), Role::Member);
    let forget = async |scope, user: Uuid| {
        let mut tx = installation.database.write(&scope).await.unwrap();
        let gone = sqlx::query_scalar::<_, i32>("SELECT app.forget_member($1)").bind(user).fetch_one(tx.conn()).await;
        gone.map_err(|error| error.as_database_error().unwrap().code().unwrap().into_owned())
    };
    assert_eq!(forget(member, one.user()).await, Err("42501".to_owned()));
    assert_eq!(forget(two, one.user()).await, Ok(0));
    assert_eq!(forget(one, one.user()).await, Ok(2));
}

#[tokio::test]
async fn of_two_tenants_that_forget_a_person_at_once_the_second_removes_the_person() {
    let installation = Installation::new().await;
    let (one, two) = (installation.tenant().await, installation.tenant().await);
    let mut superuser = installation.postgres.superuser().await;
    join(&mut superuser, two.tenant(), one.user()).await;
    let forget = async |tx: &mut TenantTx<Write>| {
        let gone = sqlx::query_scalar::<_, i32>("SELECT app.forget_member($1)").bind(one.user());
        gone.fetch_one(tx.conn()).await.unwrap()
    };
    let mut first = installation.database.write(&one).await.unwrap();
    assert_eq!(forget(&mut first).await, 1);
    let mut second = installation.database.write(&two).await.unwrap();
    let (second, ()) = futures::join!(
        async {
            let gone = forget(&mut second).await;
            second.commit().await.unwrap();
            gone
        },
        async {
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
            // The first ends once the second waits for it, or has passed it by.
            for _ in 0..2000 {
                let (count,): (i64,) = sqlx::query_as(waiting).fetch_one(&mut superuser).await.unwrap();
                if count > 0 {
                    break;
                }
            }
            first.commit().await.unwrap();
        }
    );
    assert_eq!(second, 2);
    assert_eq!(count(&installation, "global.users").await, 1, "only the other tenant's own user is left");
}

#[tokio::test]
async fn what_takes_longer_than_a_request_may_is_deleted_nevertheless() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    installation.call(scope, "gone").await;
    let mut superuser = installation.postgres.superuser().await;
    let slow = format!(
        "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN OLD; END';
         CREATE TRIGGER slow BEFORE DELETE ON tenant.calls FOR EACH ROW EXECUTE FUNCTION public.slow();
         ALTER ROLE subrosa_app IN DATABASE {} SET statement_timeout = '250ms'",
        installation.postgres.name
    );
    superuser.execute(sqlx::raw_sql(AssertSqlSafe(slow))).await.unwrap();
    let (database, vault) = installation.with_keys(&installation.keys).await.unwrap();
    let delete = async |mut tx: TenantTx<Write>| {
        let deleted = deletion::delete(&mut tx, vault.signer(), RecordKind::Tenant, scope.tenant()).await;
        deleted.map(|_| tx)
    };
    let cut_off = delete(database.write(&scope).await.unwrap()).await.err();
    let Some(DeletionError::Database(DbError::Refused { code, .. })) = &cut_off else { panic!("{cut_off:?}") };
    assert_eq!(code, "57014");
    delete(database.write_long(&scope).await.unwrap()).await.unwrap().commit().await.unwrap();
    assert_eq!(rows_left(&installation, scope.tenant()).await, []);
}
