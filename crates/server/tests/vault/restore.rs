//! A backup that comes back forgets again, and only what it has to.

use server::{
    db::{Role, Scope},
    deletion::{self, blobs as outbox, mirror, restore, verify},
    vault::{
        blobs::{BlobError, MirrorPlace},
        key::Key,
        keys::VaultError,
        receipts::Receipt,
        seal::RecordKind,
    },
};

use crate::{
    kit::{Installation, open, title},
    things::{LENGTH, delete, join, rows_left, upload},
};

#[tokio::test]
async fn a_restored_backup_does_not_serve_until_it_forgot_again() {
    let mut installation = Installation::new().await;
    let (scope, other) = (installation.tenant().await, installation.tenant().await);
    let early = installation.call(scope, "deleted before the backup").await;
    let (late, kept) = (installation.call(scope, "deleted").await, installation.call(scope, "kept").await);
    installation.call(other, "gone with its tenant").await;
    delete(&installation, scope, RecordKind::Call, early).await;

    let backup = installation.postgres.copy().await;
    let newer = installation.call(scope, "newer than the backup").await;
    let orphan = upload(&installation, scope, newer).await;
    for call in [late, newer] {
        delete(&installation, scope, RecordKind::Call, call).await;
    }
    delete(&installation, other, RecordKind::Tenant, other.tenant()).await;
    // An operator's act, which is in a chain of its own that the backup lacks altogether.
    restore::check(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    restore::require_current(&installation.database, &installation.blobs).await.unwrap();

    let (database, vault) = open(&backup, &installation.keys).await.unwrap();
    assert_eq!(title(&database, &vault, scope, late).await.unwrap(), "deleted");
    let behind = restore::require_current(&database, &installation.blobs).await.unwrap_err();
    assert!(matches!(behind, restore::RestoreError::Behind), "{behind}");
    let restored = restore::check(&database, &installation.blobs, &vault).await.unwrap();
    assert_eq!((restored.receipts, restored.missing), (4, 3));
    restore::require_current(&database, &installation.blobs).await.unwrap();
    assert!(matches!(title(&database, &vault, scope, late).await, Err(VaultError::Gone(_))));
    assert_eq!(title(&database, &vault, scope, kept).await.unwrap(), "kept");
    // Nobody had removed the recording of a call that the backup never heard of.
    assert_eq!(outbox::sweep(&database, &installation.blobs).await.unwrap().parts, 1);
    let key = Key::generate().unwrap();
    assert!(matches!(installation.blobs.read(&key, orphan, LENGTH, 0..9).await, Err(BlobError::Missing(_))));
    let again = restore::check(&database, &installation.blobs, &vault).await.unwrap();
    assert_eq!((again.missing, again.rows), (0, 0));

    // Its own history goes on from there, and both chains fit their copies.
    mirror::catch_up(&database, &installation.blobs, &vault).await.unwrap();
    for report in [
        verify::receipts(&database, &installation.blobs, vault.public_keys()).await.unwrap(),
        verify::audit(&database, &installation.blobs, vault.public_keys()).await.unwrap(),
    ] {
        assert_eq!(report.faults, []);
        assert_eq!(report.links, report.copies);
    }
    restore::require_current(&database, &installation.blobs).await.unwrap();
    installation.postgres = backup;
    assert_eq!(rows_left(&installation, other.tenant()).await, []);
}

#[tokio::test]
async fn a_person_who_was_deleted_and_came_back_is_not_deleted_by_the_old_receipt() {
    let installation = Installation::new().await;
    let (scope, host) = (installation.tenant().await, installation.tenant().await);
    let mut superuser = installation.postgres.superuser().await;
    join(&mut superuser, host.tenant(), scope.user()).await;
    delete(&installation, host, RecordKind::User, scope.user()).await;
    mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    join(&mut superuser, host.tenant(), scope.user()).await;
    let back = Scope::authenticated(host.tenant(), scope.user(), Role::Member);
    let call = installation.call(back, "after the return").await;
    let Installation { database, blobs, vault, .. } = &installation;
    let restored = restore::check(database, blobs, vault).await.unwrap();
    assert_eq!((restored.receipts, restored.missing, restored.rows), (1, 0, 0));
    assert_eq!(installation.title(back, call).await.unwrap(), "after the return");
}

#[tokio::test]
async fn a_backup_that_went_its_own_way_is_refused_and_overwrites_no_copy() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let (one, two) = (installation.call(scope, "one").await, installation.call(scope, "two").await);
    let backup = installation.postgres.copy().await;
    let receipt = delete(&installation, scope, RecordKind::Call, one).await;
    mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();

    let (database, vault) = open(&backup, &installation.keys).await.unwrap();
    let mut tx = database.write(&scope).await.unwrap();
    deletion::delete(&mut tx, vault.signer(), RecordKind::Call, two).await.unwrap();
    tx.commit().await.unwrap();
    let refused = restore::require_current(&database, &installation.blobs).await.unwrap_err();
    assert!(matches!(refused, restore::RestoreError::Receipts(_)), "{refused}");
    let refused = mirror::catch_up(&database, &installation.blobs, &vault).await.unwrap_err();
    assert!(matches!(refused, outbox::SweepError::Blobs(BlobError::Mirror { number: 1, .. })), "{refused}");
    let kept: Receipt = installation.blobs.mirror(MirrorPlace::Receipt(scope.tenant(), 1)).await.unwrap().unwrap();
    assert_eq!(kept, receipt);
}

#[tokio::test]
async fn one_tenants_broken_receipts_keep_no_other_from_being_copied_or_restored() {
    let installation = Installation::new().await;
    let scopes = [installation.tenant().await, installation.tenant().await, installation.tenant().await];
    let mut calls = Vec::new();
    for scope in scopes {
        calls.push(installation.call(scope, "gone").await);
    }
    let backup = installation.postgres.copy().await;
    for (scope, call) in scopes.iter().zip(&calls) {
        delete(&installation, *scope, RecordKind::Call, *call).await;
    }
    // The first tenant, by whom the walk begins, wrote a receipt of its own; the second one's copy is damaged.
    let mut superuser = installation.postgres.superuser().await;
    let forge = "UPDATE tenant.deletion_receipts SET subject_id = gen_random_uuid() WHERE tenant_id = $1";
    sqlx::query(forge).bind(scopes[0].tenant()).execute(&mut superuser).await.unwrap();
    installation.blobs.put_mirror(MirrorPlace::Receipt(scopes[1].tenant(), 1), &"damaged").await.unwrap();
    let fault = mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap_err();
    assert!(fault.to_string().contains(&scopes[0].tenant().to_string()), "{fault}");
    let copied = async |scope: &Scope| {
        let place = MirrorPlace::Receipt(scope.tenant(), 1);
        installation.blobs.mirror::<Receipt>(place).await.ok().flatten().is_some()
    };
    assert_eq!([copied(&scopes[0]).await, copied(&scopes[2]).await], [false, true], "nothing forged is copied");

    let (database, vault) = open(&backup, &installation.keys).await.unwrap();
    let fault = restore::check(&database, &installation.blobs, &vault).await.unwrap_err();
    assert!(fault.to_string().contains(&scopes[1].tenant().to_string()), "{fault}");
    assert!(matches!(title(&database, &vault, scopes[2], calls[2]).await, Err(VaultError::Gone(_))));
}

#[tokio::test]
async fn a_receipt_of_a_class_that_the_program_does_not_know_is_an_error() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "gone").await;
    let receipt = delete(&installation, scope, RecordKind::Call, call).await;
    let mut text = serde_json::to_value(&receipt).unwrap();
    assert!(text["horizon"].as_str().unwrap().contains("backups"), "every receipt states the erasure horizon");
    text["class"] = 9.into();
    installation.blobs.put_mirror(MirrorPlace::Receipt(scope.tenant(), 1), &text).await.unwrap();
    let Installation { database, blobs, vault, .. } = &installation;
    let error = restore::check(database, blobs, vault).await.unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
}
