//! Every guard is taken away in turn, in a transaction that is undone, and something has to notice: the catalogue or an attack.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use uuid::Uuid;

use crate::{
    catalogue::deviations,
    support::{CONTEXT_KEY, ROLES, Tenant, TestDatabase},
};

/// The functions that make and check contexts: what takes a guard out of each, by text. The catalogue does not see these.
const WEAKENED: [(&str, &str, &str); 25] = [
    ("app.enter(uuid,uuid,smallint,bigint,bytea)", "app.scope() IS NOT NULL", "false"),
    ("app.enter(uuid,uuid,smallint,bigint,bytea)", "current_setting('subrosa.context', true) <> ''", "false"),
    (
        "app.enter(uuid,uuid,smallint,bigint,bytea)",
        "sha256(app.scope_signature(scope, signing)) = sha256(signature)",
        "true",
    ),
    ("app.enter(uuid,uuid,smallint,bigint,bytea)", "to_timestamp(expires) <= clock_timestamp()", "false"),
    ("app.enter(uuid,uuid,smallint,bigint,bytea)", "send(to_timestamp(expires))", "send('infinity')"),
    ("app.scope_bytes(uuid,uuid,smallint,bigint)", "uuid_send(tenant)", "uuid_send(actor)"),
    ("app.scope_signature(bytea,bytea)", "|| scope", "|| substring(scope FROM 1 FOR 32)"),
    ("app.context_seal(bytea,bytea)", "|| scope", ""),
    ("app.context_seal(bytea,bytea)", "timestamptz_send(now())", "''::bytea"),
    ("app.context_seal(bytea,bytea)", "|| int4send(pg_backend_pid())", ""),
    ("app.scope()", "sha256(app.context_seal(scope, sealing)) = sha256(substring(context FROM 43))", "true"),
    ("app.scope()", "> timestamptz_send(clock_timestamp())", "> ''"),
    ("app.tenant()", "< 100", "< 10000"),
    ("app.owner()", "<> 4", "<> 400"),
    ("app.sees_all()", "(1, 2, 5, 6)", "(1, 2, 3, 5, 6)"),
    ("app.manages()", "(1, 2, 5)", "(1, 2, 3, 5)"),
    ("app.audits()", "(1, 4)", "(1, 3, 4)"),
    ("app.require(smallint)", "IS DISTINCT FROM reason", "IS NULL"),
    ("app.require_event(smallint)", "e.xmin = pg_current_xact_id_if_assigned()::xid", "true"),
    ("app.require_event(smallint)", "IF NOT EXISTS", "IF false AND NOT EXISTS"),
    ("app.keyring_retire(text)", "PERFORM app.require_event(8::smallint);", ""),
    ("app.tenant_keys_reseal(uuid[],text,bytea[])", "PERFORM app.require_event(7::smallint);", ""),
    ("app.user_keys_reseal(uuid[],text,bytea[])", "PERFORM app.require_event(7::smallint);", ""),
    ("app.system_key_reseal(smallint,integer,bytea,text,bytea)", "PERFORM app.require_event(7::smallint);", ""),
    (OPERATOR_EVENT, "AND sequence = new_sequence - 1", ""),
];

const OPERATOR_EVENT: &str = "app.operator_event(smallint,bigint,uuid,smallint,smallint,uuid,bytea,bytea)";

/// A guard of each kind on one table is told apart from the same guard on every other.
async fn mutants(superuser: &mut PgConnection) -> Vec<String> {
    let each = |query: &'static str| sqlx::query_scalar::<_, String>(query);
    let mut mutants = Vec::new();
    for query in [
        "SELECT format('ALTER TABLE tenant.%I %s', tablename, what) FROM pg_tables, unnest(ARRAY['DISABLE ROW LEVEL SECURITY', \
         'NO FORCE ROW LEVEL SECURITY', 'OWNER TO subrosa_app']) what WHERE schemaname = 'tenant'",
        "SELECT format('DROP POLICY %I ON %s', polname, polrelid::regclass) FROM pg_policy",
        "SELECT format('ALTER POLICY %I ON %s WITH CHECK (true)', polname, polrelid::regclass) FROM pg_policy \
         WHERE NOT polpermissive AND polcmd IN ('*', 'a', 'w')",
        "SELECT format('ALTER POLICY %I ON %s USING (true)', polname, polrelid::regclass) FROM pg_policy \
         WHERE NOT polpermissive AND polcmd <> 'a'",
        "SELECT format('ALTER POLICY %I ON %s USING (tenant_id = app.tenant())', polname, polrelid::regclass) FROM pg_policy \
         WHERE polname = 'isolation'",
        "SELECT format('ALTER POLICY %I ON %s TO PUBLIC', polname, polrelid::regclass) FROM pg_policy WHERE polpermissive",
        "SELECT format('CREATE POLICY more ON tenant.%I TO subrosa_app USING (true)', tablename) FROM pg_tables WHERE schemaname = 'tenant'",
        "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) FROM pg_constraint \
         WHERE connamespace IN ('tenant'::regnamespace, 'global'::regnamespace) AND contype IN ('p', 'u', 'f')",
        "SELECT format('ALTER TABLE tenant.%I ALTER tenant_id DROP NOT NULL', tablename) FROM pg_tables t WHERE schemaname = 'tenant' \
         AND NOT EXISTS (SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) \
         WHERE k.contype = 'p' AND a.attname = 'tenant_id' AND k.conrelid = format('tenant.%I', t.tablename)::regclass)",
        "SELECT format('GRANT %s ON tenant.%I TO subrosa_app', what, tablename) FROM pg_tables, unnest(ARRAY['TRUNCATE', 'TRIGGER', \
         'REFERENCES']) what WHERE schemaname = 'tenant'",
        "SELECT format('GRANT SELECT ON %s TO subrosa_app', c.oid::regclass) FROM pg_class c WHERE c.relkind = 'r' \
         AND c.relnamespace = 'global'::regnamespace",
        "SELECT format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'app'::regnamespace \
         AND prokind = 'f'",
        "SELECT format('ALTER FUNCTION %s RESET search_path', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'app'::regnamespace \
         AND prosecdef",
        "SELECT format('ALTER FUNCTION %s LEAKPROOF', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'app'::regnamespace AND prosecdef",
        "SELECT format('ALTER ROLE subrosa_app RESET %s', split_part(unnest(setconfig), '=', 1)) FROM pg_db_role_setting \
         WHERE setrole = 'subrosa_app'::regrole",
    ] {
        mutants.extend(each(query).fetch_all(&mut *superuser).await.unwrap());
    }
    for statement in [
        "GRANT UPDATE, DELETE ON tenant.audit_events TO subrosa_app",
        "GRANT UPDATE ON tenant.record_keys TO subrosa_app",
        "GRANT DELETE ON tenant.deletion_receipts TO subrosa_app",
        "GRANT CREATE ON SCHEMA tenant TO subrosa_app",
        "GRANT CREATE ON SCHEMA app TO subrosa_jobs",
        "GRANT USAGE ON SCHEMA global TO subrosa_app",
        "GRANT TEMPORARY ON DATABASE subrosa TO PUBLIC",
        "GRANT subrosa_owner TO subrosa_app",
        "GRANT subrosa_jobs TO subrosa_app",
        "ALTER ROLE subrosa_app BYPASSRLS",
        "ALTER ROLE subrosa_app SUPERUSER",
        "ALTER ROLE subrosa_app CREATEROLE",
        "ALTER ROLE subrosa_jobs LOGIN",
        "ALTER ROLE subrosa_auth BYPASSRLS",
        "ALTER DOMAIN app.enc DROP CONSTRAINT enc_check",
        "ALTER TABLE tenant.calls ADD title text",
        "ALTER TABLE tenant.calls ADD loot bytea",
        "ALTER TABLE tenant.calls ADD other uuid UNIQUE",
        "CREATE TABLE tenant.new (tenant_id uuid PRIMARY KEY)",
        "CREATE VIEW tenant.all_calls AS SELECT * FROM tenant.calls",
        "CREATE MATERIALIZED VIEW tenant.all_calls AS SELECT * FROM tenant.calls",
        "CREATE SEQUENCE tenant.s; GRANT USAGE ON SEQUENCE tenant.s TO subrosa_app",
        "CREATE INDEX ON tenant.calls (md5(id::text))",
        "CREATE INDEX ON tenant.tenants (tenant_id, allowed_regions)",
        "CREATE RULE r AS ON INSERT TO tenant.calls DO ALSO NOTHING",
        "CREATE EXTENSION hstore",
    ] {
        mutants.push(statement.to_owned());
    }
    for (function, guard, nothing) in WEAKENED {
        let definition: String = sqlx::query_scalar("SELECT pg_get_functiondef($1::regprocedure)")
            .bind(function)
            .fetch_one(&mut *superuser)
            .await
            .unwrap_or_else(|error| panic!("{function}: {error}"));
        assert!(definition.contains(guard), "{function} has no {guard}");
        mutants.push(definition.replacen(guard, nothing, 1));
    }
    mutants
}

#[tokio::test]
async fn whichever_guard_is_taken_away_something_notices() {
    let test = TestDatabase::new().await;
    let tenants = [test.tenant().await, test.tenant().await];
    let mut superuser = test.superuser().await;
    assert_eq!(noticed(&mut superuser, "SELECT", &tenants).await, None, "nothing was taken away");
    let mutants = mutants(&mut superuser).await;
    let mut unnoticed = Vec::new();
    for mutant in &mutants {
        let mutant = mutant.replace("ON DATABASE subrosa ", &format!("ON DATABASE {} ", test.name));
        if noticed(&mut superuser, &mutant, &tenants).await.is_none() {
            unnoticed.push(mutant);
        }
    }
    println!("{} guards taken away in turn, {} unnoticed", mutants.len(), unnoticed.len());
    assert!(unnoticed.is_empty(), "nobody noticed:\n{}", unnoticed.join("\n"));
}

/// Applies a mutation and says who noticed.
async fn noticed(superuser: &mut PgConnection, mutant: &str, tenants: &[Tenant; 2]) -> Option<String> {
    let _alone = ROLES.lock().await;
    superuser.execute("BEGIN").await.unwrap();
    let applied = superuser.execute(sqlx::raw_sql(AssertSqlSafe(mutant.to_owned()))).await;
    applied.unwrap_or_else(|error| panic!("{mutant}: {error}"));
    let mut noticed = deviations(superuser).await.into_iter().next();
    if noticed.is_none() {
        superuser.execute("SET LOCAL SESSION AUTHORIZATION subrosa_app").await.unwrap();
        let honest = [enter(tenants[0], 1, FAR), "SELECT count(*) = 2 FROM tenant.calls".to_owned()];
        if !succeeds(superuser, &honest).await {
            noticed = Some("the honest are locked out".to_owned());
        }
        for (attack, statements) in attacks(tenants) {
            if succeeds(superuser, &statements).await {
                noticed = Some(attack.to_owned());
            }
        }
    }
    superuser.execute("ROLLBACK").await.unwrap();
    noticed
}

/// Runs statements and undoes them: whether all of them ran and the last returned true.
async fn succeeds(connection: &mut PgConnection, statements: &[String]) -> bool {
    connection.execute("SAVEPOINT attack").await.unwrap();
    let mut answer = false;
    for statement in statements {
        let rows = sqlx::query(AssertSqlSafe(statement.clone())).persistent(false).fetch_all(&mut *connection).await;
        answer = rows.is_ok_and(|rows| rows.first().is_some_and(|row| row.try_get(0).unwrap_or(true)));
        if !answer {
            break;
        }
    }
    connection.execute("ROLLBACK TO SAVEPOINT attack").await.unwrap();
    answer
}

/// The year 2100, in seconds.
const FAR: i64 = 4_102_444_800;

/// Before now.
const PAST: i64 = 1_700_000_000;

/// A scope as the program signs it.
fn scope(tenant: Tenant, role: i16, expires: i64) -> String {
    let (tenant, actor) = named(tenant, role);
    format!("uuid_send('{tenant}') || uuid_send('{actor}') || int2send('{role}') || int8send({expires})")
}

/// A system transaction has no tenant; a member is the member.
fn named(tenant: Tenant, role: i16) -> (Uuid, Uuid) {
    match role {
        3 => (tenant.id, tenant.member),
        100.. => (Uuid::nil(), Uuid::nil()),
        _ => (tenant.id, tenant.owner),
    }
}

/// The signature that the key of the test gives.
fn hmac(label: &str, message: &str) -> String {
    let key: String = CONTEXT_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("crypto.hmac(convert_to('{label}', 'UTF8') || {message}, '\\x{key}'::bytea, 'sha256')")
}

/// Opens a context with the right signature.
fn enter(tenant: Tenant, role: i16, expires: i64) -> String {
    let signature = hmac("subrosa scope 1", &scope(tenant, role, expires));
    let (tenant, actor) = named(tenant, role);
    format!("SELECT app.enter('{tenant}', '{actor}', '{role}', {expires}, {signature})")
}

/// Sets a context around `app.enter()`, sealed over the scope and what follows it.
fn set(tenant: Tenant, expires: i64, sealed: &str) -> String {
    let expiry = format!("timestamptz_send(to_timestamp({expires}))");
    let scope = scope(tenant, 1, expires).replace(&format!("int8send({expires})"), &expiry);
    let seal = hmac("subrosa context 1", &format!("{scope}{sealed}"));
    format!("SELECT set_config('subrosa.context', encode({scope} || {seal}, 'hex'), true)")
}

/// What an injected statement tries.
fn attacks([ours, theirs]: &[Tenant; 2]) -> Vec<(&'static str, Vec<String>)> {
    let open = |role| enter(*ours, role, FAR);
    let any_call = || "SELECT count(*) > 0 FROM tenant.calls".to_owned();
    let yes = || "SELECT true".to_owned();
    let this = "|| timestamptz_send(now()) || int4send(pg_backend_pid())";
    let renamed = format!(
        "SELECT set_config('subrosa.context', replace(current_setting('subrosa.context'), '{}', '{}'), true)",
        ours.id.simple(),
        theirs.id.simple()
    );
    let mut attacks = operator_attacks(ours);
    attacks.extend([
        ("no context", vec![any_call()]),
        ("a forged context", vec![set(*ours, FAR, "|| '\\x00'"), any_call()]),
        ("a context of another transaction", vec![set(*ours, FAR, "|| int4send(pg_backend_pid())"), any_call()]),
        ("a context of another session", vec![set(*ours, FAR, "|| timestamptz_send(now())"), any_call()]),
        ("an expired context", vec![set(*ours, PAST, this), any_call()]),
        ("another tenant's name in our context", vec![open(1), renamed, any_call()]),
        ("an expired scope", vec![enter(*ours, 1, PAST), yes()]),
        (
            "a context that outlives its scope",
            vec![
                open(1),
                format!(
                    "SELECT substring(decode(current_setting('subrosa.context'), 'hex') FROM 35 FOR 8) \
                     <> timestamptz_send(to_timestamp({FAR}))"
                ),
            ],
        ),
        ("a scope that was signed for another role", vec![open(3).replacen("'3'", "'1'", 1), yes()]),
        ("no signature", vec![format!("SELECT app.enter('{}', '{}', '1', {FAR}, '')", ours.id, ours.owner), yes()]),
        ("a second context", vec![open(1), enter(*theirs, 1, FAR), yes()]),
        ("another tenant's rows", vec![open(1), "SELECT count(*) <> 2 FROM tenant.calls".to_owned()]),
        ("another member's calls", vec![open(3), "SELECT count(*) > 1 FROM tenant.calls".to_owned()]),
        (
            "a tenant changed by its member",
            vec![open(3), "UPDATE tenant.tenants SET status = 2 RETURNING true".to_owned()],
        ),
        ("an auditor who owns", vec![open(4), "SELECT app.owner() IS NOT NULL".to_owned()]),
        ("a member who audits", vec![open(3), "SELECT app.audits()".to_owned()]),
        (
            "a tenant who looks across tenants",
            vec![open(1), format!("SELECT count(*) >= 0 FROM app.chain_heads('{}', '0', 1)", ours.id)],
        ),
        ("a system transaction with a tenant", vec![open(100), "SELECT app.tenant() IS NOT NULL".to_owned()]),
    ]);
    attacks
}

/// What somebody tries who wants an act on the keys without its event in the operators' log.
fn operator_attacks(ours: &Tenant) -> Vec<(&'static str, Vec<String>)> {
    let open = || enter(*ours, 100, FAR);
    let head = || "SELECT last_sequence >= 0 FROM app.operator_head('100', sha256(''))".to_owned();
    let event = |sequence, action| {
        format!(
            "SELECT app.operator_event('100', {sequence}, gen_random_uuid(), '{action}', '0', gen_random_uuid(), sha256(''), sha256(''))"
        )
    };
    let retire = || "SELECT app.keyring_retire('none') IS NOT NULL".to_owned();
    vec![
        ("a key retired without an event", vec![open(), retire()]),
        // A savepoint has a number of its own, so this event is of another transaction.
        ("a key retired by an event of another transaction", vec![open(), head(), event(1, 8), retire()]),
        (
            "tenants' keys sealed again without an event",
            vec![open(), "SELECT app.tenant_keys_reseal('{}', '', '{}') = 0".to_owned()],
        ),
        (
            "users' keys sealed again without an event",
            vec![open(), "SELECT app.user_keys_reseal('{}', '', '{}') = 0".to_owned()],
        ),
        (
            "a system key sealed again without an event",
            vec![open(), "SELECT NOT app.system_key_reseal('1', 1, '', '', '')".to_owned()],
        ),
        ("an event out of its place", vec![open(), head(), event(7, 8)]),
    ]
}
