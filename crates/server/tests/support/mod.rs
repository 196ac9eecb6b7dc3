//! A real PostgreSQL for tests: one private cluster a test binary, one database a test.
//!
//! Invariant: when the test process ends, however it ends, its cluster ends and its directory goes. A shell waits for the end of a
//! pipe that only the test process holds.
#![allow(dead_code, unreachable_pub, reason = "each test binary includes it and uses its own part")]
#![expect(
    clippy::unwrap_used,
    clippy::zombie_processes,
    reason = "a test fails by panicking; the undertaker outlives it"
)]

pub mod requests;

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use secrecy::SecretBox;
use server::{
    db::{Address, ContextKey, Database, Locked, Owner, Role, Scope, Tls},
    postgres::Embedded,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

/// The key that signs contexts in every test database; tests forge with another one.
pub const CONTEXT_KEY: [u8; 32] = [7; 32];

/// The account that a cluster runs under when tests run as root.
pub const ACCOUNT: &str = "postgres";

/// Connections of a test's pool; PostgreSQL allows 100 for all tests of a binary together.
const CONNECTIONS: u32 = 8;

/// Held while roles are changed: they are the whole cluster's, and PostgreSQL refuses two changes of one at once ("tuple concurrently
/// updated").
pub static ROLES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Stops the servers of a directory and removes it, once standard input ends. Only PostgreSQL needs to be asked: what a shell starts in the
/// background ignores SIGQUIT, and so do the other servers that it starts in turn.
const UNDERTAKER: &str = r#"read -r _
for file in "$0/cluster/postmaster.pid" "$0"/*.pid; do
  pid=$(head -n 1 "$file" 2>/dev/null) || continue
  case $file in */postmaster.pid) signal=QUIT ;; *) signal=KILL ;; esac
  kill "-$signal" "$pid" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
done
rm -rf "$0""#;

/// A directory that PostgreSQL may use and that goes when the test process ends.
pub fn directory() -> PathBuf {
    // Short, because a socket's path is; readable to the account above, which `tempfile`'s directories are not.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("subrosa-{}-{number}", std::process::id()));
    let mut undertaker = Command::new("sh");
    undertaker.args(["-c", UNDERTAKER]).arg(&directory).stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
    let child = undertaker.spawn().unwrap();
    // Never closed by this process, so closed by its end.
    std::mem::forget(child.stdin);
    directory
}

/// The cluster of this test binary, with a migrated database to copy.
pub fn cluster() -> &'static Path {
    static CLUSTER: OnceLock<PathBuf> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (started, socket) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let directory = directory();
                let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
                admit_pooler(&directory, embedded.socket()).await;
                let mut owner = Owner::connect(&embedded.owner_address()).await.unwrap();
                owner.migrate().await.unwrap();
                owner.install_context_key(1, &context_key()).await.unwrap();
                owner.close().await.unwrap();
                started.send(embedded.socket().to_owned()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        socket.recv().unwrap()
    })
}

/// Lets a pooler in that runs under the account, where the tests run as root.
async fn admit_pooler(directory: &Path, socket: &Path) {
    let path = directory.join("cluster/pg_ident.conf");
    let logins = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{logins}subrosa {ACCOUNT} subrosa_app\n")).unwrap();
    connect(socket, "postgres", "postgres").await.execute("SELECT pg_reload_conf()").await.unwrap();
}

/// The key that the test databases know.
pub fn context_key() -> ContextKey {
    ContextKey::new(SecretBox::new(Box::new(CONTEXT_KEY)))
}

/// A database of its own for one test.
pub struct TestDatabase {
    pub name: String,
    pub socket: PathBuf,
}

impl TestDatabase {
    /// A copy of it as it is, by the server's own means.
    pub async fn copy(&self) -> Self {
        let name = format!("{}_backup", self.name);
        let mut superuser = connect(&self.socket, "postgres", "postgres").await;
        // A copy wants its source to itself.
        let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(end).bind(&self.name).execute(&mut superuser).await.unwrap();
        let create = format!("CREATE DATABASE {name} TEMPLATE {} OWNER subrosa_owner", self.name);
        superuser.execute(AssertSqlSafe(create)).await.unwrap();
        superuser.close().await.unwrap();
        Self { name, socket: self.socket.clone() }
    }

    /// Copies the migrated database.
    pub async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Copying needs the template to itself.
        static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let socket = cluster().to_owned();
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let database = Self { name, socket };
        {
            let _alone = COPYING.lock().await;
            let mut superuser = connect(&database.socket, "postgres", "postgres").await;
            let create = format!("CREATE DATABASE {} TEMPLATE subrosa OWNER subrosa_owner", database.name);
            superuser.execute(AssertSqlSafe(create)).await.unwrap();
            superuser.close().await.unwrap();
        }
        // Grants on a database are not copied with it.
        let _alone = ROLES.lock().await;
        database.superuser().await.execute(sqlx::raw_sql(include_str!("../../roles.sql"))).await.unwrap();
        database
    }

    /// The address of a login, as `DATABASE_URL` would name it; `more` are further parameters.
    pub fn url(&self, login: &str, more: &str) -> String {
        format!("postgres:///{}?host={}&user={login}{more}", self.name, self.socket.display())
    }

    pub fn address(&self, login: &str) -> Address {
        Address::parse(&self.url(login, "&statement-cache-capacity=128"), Tls::Required).unwrap()
    }

    /// The gate, as the program opens it.
    pub async fn open(&self) -> Database {
        Locked::connect(&self.address("subrosa_app"), CONNECTIONS).await.unwrap().unlock(context_key())
    }

    /// A session that no guard holds, to prepare and to look.
    pub async fn superuser(&self) -> PgConnection {
        connect(&self.socket, "postgres", &self.name).await
    }

    /// A session of the runtime login around the gate, as an injected statement has it.
    pub async fn app(&self) -> PgConnection {
        connect(&self.socket, "subrosa_app", &self.name).await
    }

    /// A tenant with an owner and a member, and a call of each.
    pub async fn tenant(&self) -> Tenant {
        let tenant = Tenant::new();
        let mut superuser = self.superuser().await;
        let Tenant { id, owner, member, owner_call, member_call } = tenant;
        sqlx::raw_sql(AssertSqlSafe(format!(
            "INSERT INTO global.keyring (key_id, check_value) VALUES ('k1', decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
             INSERT INTO global.users (id, address_hmac, key_id, sealed_key)
               SELECT u, sha256(uuid_send(u)), 'k1', sha256(uuid_send(u)) FROM unnest('{{{owner},{member}}}'::uuid[]) u;
             INSERT INTO tenant.tenants (tenant_id, key_id, sealed_key) VALUES ('{id}', 'k1', sha256(uuid_send('{id}')));
             INSERT INTO tenant.memberships VALUES ('{id}', '{owner}', 1), ('{id}', '{member}', 3);
             INSERT INTO tenant.calls (tenant_id, id, owner_id)
               VALUES ('{id}', '{owner_call}', '{owner}'), ('{id}', '{member_call}', '{member}');"
        )))
        .execute(&mut superuser)
        .await
        .unwrap();
        tenant
    }
}

/// Who and what a test tenant has.
#[derive(Clone, Copy, Debug)]
pub struct Tenant {
    pub id: Uuid,
    pub owner: Uuid,
    pub member: Uuid,
    pub owner_call: Uuid,
    pub member_call: Uuid,
}

impl Tenant {
    fn new() -> Self {
        let [id, owner, member, owner_call, member_call] = std::array::from_fn(|_| Uuid::now_v7());
        Self { id, owner, member, owner_call, member_call }
    }

    pub fn as_owner(&self) -> Scope {
        Scope::authenticated(self.id, self.owner, Role::Owner)
    }

    pub fn as_member(&self) -> Scope {
        Scope::authenticated(self.id, self.member, Role::Member)
    }
}

/// A session around the gate.
pub async fn connect(socket: &Path, login: &str, database: &str) -> PgConnection {
    let options = PgConnectOptions::new_without_pgpass().socket(socket).port(5432).username(login).database(database);
    options.disable_statement_logging().connect().await.unwrap()
}
