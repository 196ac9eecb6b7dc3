//! Behind a transaction-mode PgBouncer, which gives one session of the server to many clients in turn, and which (1.18) knows no
//! prepared statements of the protocol.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use nix::unistd::{Uid, User};
use server::db::{Address, Database, Locked, Tls};

use crate::{
    bleed,
    support::{ACCOUNT, TestDatabase, context_key, directory},
};

/// Sessions of the server that all clients share.
const SESSIONS: u32 = 2;

/// Starts a pooler before a database and returns the directory of its socket.
fn pooler(test: &TestDatabase) -> PathBuf {
    let directory = directory();
    fs::create_dir(&directory).unwrap();
    let config = directory.join("pgbouncer.ini");
    let (name, socket, here) = (&test.name, test.socket.display(), directory.display());
    fs::write(
        &config,
        format!(
            "[databases]\n{name} = host={socket} port=5432 user=subrosa_app\n[pgbouncer]\nlisten_port = 6432\n\
             unix_socket_dir = {here}\npidfile = {here}/pgbouncer.pid\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = {SESSIONS}\nlog_connections = 0\nlog_disconnections = 0\nserver_login_retry = 1\n"
        ),
    )
    .unwrap();
    let mut command = Command::new("/usr/sbin/pgbouncer");
    command.arg("-q").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    if Uid::effective().is_root() {
        let user = User::from_name(ACCOUNT).unwrap().unwrap();
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        chown(&directory, Some(uid), Some(gid)).unwrap();
        command.uid(uid).gid(gid);
    }
    // The undertaker of the directory ends it.
    std::mem::forget(command.spawn().unwrap());
    directory
}

/// Opens the gate through the pooler, as soon as it listens, with the address that an operator would write.
async fn through(test: &TestDatabase, connections: u32) -> (Locked, Database) {
    let url = format!("postgres:///{}?host={}&port=6432&user=subrosa_app", test.name, pooler(test).display());
    let address = Address::parse(&url, Tls::Required).unwrap();
    for _ in 0..500 {
        match Locked::connect(&address, connections).await {
            Ok(locked) => return (locked.clone(), locked.unlock(context_key())),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("the pooler does not answer");
}

#[tokio::test]
async fn many_clients_on_few_sessions_each_see_their_own_tenant() {
    const CLIENTS: usize = 12;
    const ROUNDS: usize = 50;
    let test = TestDatabase::new().await;
    let (_, database) = through(&test, CLIENTS as u32).await;
    let mut tasks = Vec::new();
    for _ in 0..CLIENTS {
        let tenant = test.tenant().await;
        let database = database.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                let mut transaction = database.write(&tenant.as_owner()).await.unwrap();
                let update = "UPDATE tenant.calls SET duration_ms = $1 RETURNING tenant_id";
                let seen: Vec<uuid::Uuid> =
                    sqlx::query_scalar(update).bind(round as i64).fetch_all(transaction.conn()).await.unwrap();
                assert_eq!(seen, [tenant.id; 2]);
                transaction.commit().await.unwrap();
                let mut transaction = database.read(&tenant.as_member()).await.unwrap();
                let own: Vec<uuid::Uuid> =
                    sqlx::query_scalar("SELECT id FROM tenant.calls").fetch_all(transaction.conn()).await.unwrap();
                assert_eq!(own, [tenant.member_call]);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_is_dropped_behind_a_pooler_leaves_no_context() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let (locked, database) = through(&test, SESSIONS * 2).await;
    bleed::give_up(&database, &locked, &tenant.as_owner(), bleed::transactions() / 10).await;
}
