//! What an attacker tries who can run statements as the runtime login: no, empty, forged, expired, foreign and copied contexts, other
//! roles, other users.

use aws_lc_rs::hmac;
use server::db::{DbError, Role, Scope};
use sqlx::{AssertSqlSafe, Executor, Postgres, Row};
use uuid::Uuid;

use crate::support::{CONTEXT_KEY, Tenant, TestDatabase};

/// Rows of calls that a session sees.
async fn visible(connection: impl Executor<'_, Database = Postgres>) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM tenant.calls").fetch_one(connection).await.unwrap()
}

/// SQLSTATE of a statement that fails.
async fn refused(connection: impl Executor<'_, Database = Postgres>, statement: &str) -> String {
    let error = connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))).await.unwrap_err();
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

#[tokio::test]
async fn a_scope_sees_its_tenant_and_a_member_own_calls_only() {
    let test = TestDatabase::new().await;
    let (ours, theirs) = (test.tenant().await, test.tenant().await);
    let database = test.open().await;
    for (scope, calls) in [
        (ours.as_owner(), vec![ours.owner_call, ours.member_call]),
        (ours.as_member(), vec![ours.member_call]),
        (Scope::authenticated(ours.id, ours.member, Role::Colleague), vec![ours.owner_call, ours.member_call]),
        (Scope::authenticated(ours.id, ours.owner, Role::Auditor), vec![]),
        (Scope::authenticated(theirs.id, ours.owner, Role::Member), vec![]),
    ] {
        let mut transaction = database.read(&scope).await.unwrap();
        let mut seen: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM tenant.calls").fetch_all(transaction.conn()).await.unwrap();
        let mut calls = calls;
        seen.sort();
        calls.sort();
        assert_eq!(seen, calls, "{scope:?}");
    }
}

#[tokio::test]
async fn without_a_context_no_statement_sees_or_writes_a_row() {
    let test = TestDatabase::new().await;
    let Tenant { id, owner, .. } = test.tenant().await;
    let mut app = test.app().await;
    for context in ["", "''", "'x'", "repeat('0', 148)", "repeat('é', 74)"] {
        if !context.is_empty() {
            let set = format!("SELECT set_config('subrosa.context', {context}, false)");
            app.execute(AssertSqlSafe(set)).await.unwrap();
        }
        assert_eq!(visible(&mut app).await, 0, "{context}");
        for statement in [
            "UPDATE tenant.calls SET status = 4",
            "DELETE FROM tenant.calls",
            "DELETE FROM tenant.record_keys",
            "UPDATE tenant.tenants SET status = 3",
        ] {
            assert_eq!(app.execute(statement).await.unwrap().rows_affected(), 0, "{statement}");
        }
        let insert =
            format!("INSERT INTO tenant.calls (tenant_id, id, owner_id) VALUES ('{id}', gen_random_uuid(), '{owner}')");
        assert_eq!(refused(&mut app, &insert).await, "42501");
    }
}

#[tokio::test]
async fn a_forged_or_expired_or_altered_scope_does_not_open() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let mut app = test.app().await;
    let far = 4_102_444_800; // the year 2100
    for (what, key, expires, signed_role, role) in [
        ("another key", [8; 32], far, 1, 1),
        ("no key", [0; 32], far, 1, 1),
        ("expired", CONTEXT_KEY, 1_700_000_000, 1, 1),
        ("another role than was signed", CONTEXT_KEY, far, 3, 1),
        ("a reason instead of a role", CONTEXT_KEY, far, 1, 100),
    ] {
        let signature = sign(&key, tenant.id, tenant.owner, signed_role, expires);
        let error = enter(&mut app, tenant.id, tenant.owner, role, expires, &signature).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "28000", "{what}");
    }
    let signature = sign(&CONTEXT_KEY, tenant.id, tenant.owner, 1, far);
    assert!(enter(&mut app, tenant.id, tenant.member, 1, far, &signature).await.is_err(), "another user");
    assert!(enter(&mut app, tenant.id, tenant.owner, 1, far, &signature[..31]).await.is_err(), "a shorter signature");
    assert!(enter(&mut app, tenant.id, tenant.owner, 1, far, &[]).await.is_err(), "no signature");
    // The same call with the right signature opens, so that the refusals above were for the fault they name.
    enter(&mut app, tenant.id, tenant.owner, 1, far, &signature).await.unwrap();
}

async fn enter(
    app: impl Executor<'_, Database = Postgres>,
    tenant: Uuid,
    actor: Uuid,
    role: i16,
    expires: i64,
    signature: &[u8],
) -> Result<(), sqlx::Error> {
    let open = sqlx::query("SELECT app.enter($1, $2, $3, $4, $5)").bind(tenant).bind(actor).bind(role);
    open.bind(expires).bind(signature).execute(app).await.map(drop)
}

fn sign(key: &[u8], tenant: Uuid, actor: Uuid, role: i16, expires: i64) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let scope =
        [&b"subrosa scope 1"[..], tenant.as_bytes(), actor.as_bytes(), &role.to_be_bytes(), &expires.to_be_bytes()];
    hmac::sign(&key, &scope.concat()).as_ref().to_vec()
}

#[tokio::test]
async fn a_context_that_was_copied_out_is_worth_nothing_elsewhere() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let database = test.open().await;
    let mut transaction = database.write(&tenant.as_owner()).await.unwrap();
    let context: String =
        sqlx::query_scalar("SELECT current_setting('subrosa.context')").fetch_one(transaction.conn()).await.unwrap();
    // Left behind in the session by an injected statement, and carried to another session.
    let keep = format!("SELECT set_config('subrosa.context', '{context}', false)");
    transaction.conn().execute(AssertSqlSafe(keep.clone())).await.unwrap();
    assert_eq!(visible(transaction.conn()).await, 2);
    transaction.conn().execute("COMMIT").await.unwrap();
    assert_eq!(visible(transaction.conn()).await, 0, "the same session");
    let mut app = test.app().await;
    app.execute(AssertSqlSafe(keep)).await.unwrap();
    assert_eq!(visible(&mut app).await, 0, "another session");
}

#[tokio::test]
async fn statements_injected_into_a_transaction_stay_in_its_tenant() {
    let test = TestDatabase::new().await;
    let (ours, theirs) = (test.tenant().await, test.tenant().await);
    let database = test.open().await;
    let genuine = {
        let mut transaction = database.write(&ours.as_owner()).await.unwrap();
        let row =
            sqlx::query("SELECT current_setting('subrosa.context') AS c").fetch_one(transaction.conn()).await.unwrap();
        row.get::<String, _>("c")
    };
    let foreign = genuine.replacen(&ours.id.simple().to_string(), &theirs.id.simple().to_string(), 1);
    assert_ne!(genuine, foreign);
    for injected in [
        "SET ROLE subrosa_owner".to_owned(),
        "SET ROLE subrosa_jobs".to_owned(),
        "SET SESSION AUTHORIZATION subrosa_owner".to_owned(),
        "SET row_security = off; SELECT * FROM tenant.calls".to_owned(),
        "ALTER TABLE tenant.calls DISABLE ROW LEVEL SECURITY".to_owned(),
        "CREATE TABLE public.loot AS SELECT * FROM tenant.calls".to_owned(),
        "CREATE TEMP TABLE loot AS SELECT * FROM tenant.calls".to_owned(),
        "TRUNCATE tenant.calls".to_owned(),
        "COPY tenant.calls FROM STDIN".to_owned(),
        "COPY tenant.calls TO PROGRAM 'cat'".to_owned(),
        "SELECT * FROM global.users".to_owned(),
        "SELECT * FROM global.context_keys".to_owned(),
        "SELECT * FROM global.system_keys".to_owned(),
        "SELECT app.user_by_address('\\x00')".to_owned(),
        "SELECT app.tenants('00000000-0000-0000-0000-000000000000', 10)".to_owned(),
        "SELECT app.receipts('00000000-0000-0000-0000-000000000000', 0, 10)".to_owned(),
        "SELECT app.tenant_keys_not_under('', 10)".to_owned(),
        "SELECT app.require(100::smallint)".to_owned(),
        "SELECT app.scope_signature('\\x00', '\\x00')".to_owned(),
        "UPDATE tenant.audit_events SET action = 2".to_owned(),
        "DELETE FROM tenant.audit_events".to_owned(),
        "DELETE FROM tenant.deletion_receipts".to_owned(),
        "DELETE FROM tenant.blob_deletions".to_owned(),
        "UPDATE tenant.record_keys SET sealed = sealed".to_owned(),
        format!("UPDATE tenant.calls SET tenant_id = '{}'", theirs.id),
        format!("INSERT INTO tenant.memberships VALUES ('{}', '{}', 1)", theirs.id, ours.owner),
        // A child of another tenant's call, under our tenant: the key carries the tenant.
        format!(
            "INSERT INTO tenant.run_keys (tenant_id, id, call_id, owner_id, sealed) VALUES ('{}', gen_random_uuid(), '{}', '{}', \
             decode(repeat('00', 60), 'hex'))",
            ours.id, theirs.owner_call, ours.owner
        ),
    ] {
        let mut transaction = database.write(&ours.as_owner()).await.unwrap();
        let code = refused(transaction.conn(), &injected).await;
        assert!(
            ["42501", "28000", "0A000", "22023", "23503", "42809", "25001", "42P17"].contains(&&*code),
            "{injected}: {code}"
        );
    }
    for (injected, is_ours) in [(foreign, false), (String::new(), false), (genuine, false)] {
        let mut transaction = database.write(&ours.as_owner()).await.unwrap();
        let set = format!("SELECT set_config('subrosa.context', '{injected}', true)");
        transaction.conn().execute(AssertSqlSafe(set)).await.unwrap();
        assert_eq!(visible(transaction.conn()).await > 0, is_ours);
        // A foreign setting between two reads of one statement.
        let both = "SELECT (SELECT count(*) FROM tenant.calls) + (SELECT count(*) FROM tenant.tenants) AS n";
        assert_eq!(sqlx::query(both).fetch_one(transaction.conn()).await.unwrap().get::<i64, _>("n"), 0);
    }
}

#[tokio::test]
async fn what_is_read_only_refuses_every_change() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let mut transaction = test.open().await.read(&tenant.as_owner()).await.unwrap();
    assert_eq!(refused(transaction.conn(), "UPDATE tenant.calls SET status = 4").await, "25006");
}

#[tokio::test]
async fn a_read_only_transaction_cannot_be_made_writable() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let mut transaction = test.open().await.read(&tenant.as_owner()).await.unwrap();
    assert_eq!(refused(transaction.conn(), "SET TRANSACTION READ WRITE").await, "25001");
}

#[tokio::test]
async fn a_transaction_takes_one_context_and_no_second() {
    let test = TestDatabase::new().await;
    let (ours, theirs) = (test.tenant().await, test.tenant().await);
    let mut transaction = test.open().await.write(&ours.as_owner()).await.unwrap();
    let far = 4_102_444_800;
    let signature = sign(&CONTEXT_KEY, theirs.id, theirs.owner, 1, far);
    let error = enter(transaction.conn(), theirs.id, theirs.owner, 1, far, &signature).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "28000");
}

#[tokio::test]
async fn the_gate_with_another_key_opens_nothing() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let locked = server::db::Locked::connect(&test.address("subrosa_app"), 1).await.unwrap();
    let database = locked.unlock(server::db::ContextKey::new(secrecy::SecretBox::new(Box::new([9; 32]))));
    let error = database.read(&tenant.as_owner()).await.unwrap_err();
    assert!(matches!(&error, DbError::Forbidden(code) if code == "28000"), "{error}");
    assert!(matches!(database.system(server::db::Reason::Keys).await, Err(DbError::Forbidden(_))));
}

#[tokio::test]
async fn a_system_transaction_reaches_no_row_and_only_the_functions_of_its_reason() {
    let test = TestDatabase::new().await;
    test.tenant().await;
    let database = test.open().await;
    let list = "SELECT count(*) FROM app.tenants('00000000-0000-0000-0000-000000000000', 10)";
    let mut sweep = database.system(server::db::Reason::Sweep).await.unwrap();
    assert_eq!(visible(sweep.conn()).await, 0);
    let tenants: i64 = sqlx::query_scalar(list).fetch_one(sweep.conn()).await.unwrap();
    assert_eq!(tenants, 1);
    let mut keys = database.system(server::db::Reason::Keys).await.unwrap();
    assert_eq!(refused(keys.conn(), list).await, "28000");
}
