//! What has to hold before anything is served: the address, the server, the login, the schema; and the private cluster's life.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use server::{
    db::{Address, Locked, Owner, StartError, Tls},
    postgres::{Embedded, PostgresError, processes},
};
use sqlx::{AssertSqlSafe, Executor};

use crate::support::{ACCOUNT, TestDatabase, connect, directory};

#[test]
fn tls_that_proves_nothing_is_refused_on_tcp_and_a_local_socket_needs_none() {
    for (url, tls, accepted) in [
        ("postgres://app@db.example/subrosa?sslmode=verify-full", Tls::Required, true),
        ("postgres://app@db.example/subrosa", Tls::Required, false),
        ("postgres://app@db.example/subrosa?sslmode=disable", Tls::Required, false),
        ("postgres://app@db.example/subrosa?sslmode=require", Tls::Required, false),
        ("postgres://app@db.example/subrosa?sslmode=verify-ca", Tls::Required, false),
        ("postgres://app@127.0.0.1/subrosa", Tls::Required, false),
        ("postgres://app@127.0.0.1/subrosa", Tls::Optional, true),
        ("postgres:///subrosa?host=/run/postgresql&user=app", Tls::Required, true),
        ("postgres://app@%2Frun%2Fpostgresql/subrosa", Tls::Required, true),
        ("mysql://app@db.example/subrosa", Tls::Optional, false),
        ("db.example", Tls::Optional, false),
    ] {
        assert_eq!(Address::parse(url, tls).is_ok(), accepted, "{url}");
    }
}

#[test]
fn an_address_shows_no_password() {
    let url = "postgres://app:hunter2@db.example/subrosa?sslmode=";
    let address = Address::parse(&format!("{url}verify-full"), Tls::Required).unwrap();
    let error = Address::parse(&format!("{url}require"), Tls::Required).unwrap_err();
    for text in [format!("{address:?}"), format!("{error:?} {error}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_would_log_passphrases_is_refused_with_what_to_change() {
    for (name, value) in [
        ("log_parameter_max_length", "-1"),
        ("log_parameter_max_length_on_error", "100"),
        ("log_statement", "all"),
        ("log_error_verbosity", "verbose"),
        ("debug_print_plan", "on"),
        ("auto_explain.log_min_duration", "0"),
        ("pgaudit.log_parameter", "on"),
    ] {
        let test = TestDatabase::new().await;
        let set = format!("ALTER ROLE subrosa_app IN DATABASE {} SET {name} = '{value}'", test.name);
        test.superuser().await.execute(AssertSqlSafe(set)).await.unwrap();
        let error = Locked::connect(&test.address("subrosa_app"), 1).await.unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, StartError::Logs { .. }), "{message}");
        assert!(message.contains(name) && message.contains("ALTER ROLE subrosa_app SET"), "{message}");
    }
}

#[tokio::test]
async fn an_owners_session_that_would_log_the_key_of_contexts_is_refused() {
    for (name, value) in [("log_parameter_max_length", "-1"), ("log_statement", "all"), ("pgaudit.log_parameter", "on")]
    {
        let test = TestDatabase::new().await;
        let set = format!("ALTER ROLE subrosa_owner IN DATABASE {} SET {name} = '{value}'", test.name);
        test.superuser().await.execute(AssertSqlSafe(set)).await.unwrap();
        let error = Owner::connect(&test.address("subrosa_owner")).await.unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, StartError::Logs { .. }), "{message}");
        assert!(message.contains(&format!("ALTER ROLE subrosa_owner SET {name}")), "{message}");
    }
}

#[test]
fn a_transaction_that_is_dropped_after_its_runtime_ended_ends_too() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (test, tenant, transaction) = runtime().block_on(async {
        let test = TestDatabase::new().await;
        let tenant = test.tenant().await;
        let transaction = test.open().await.write(&tenant.as_owner()).await.unwrap();
        (test, tenant, transaction)
    });
    drop(transaction);
    runtime().block_on(async {
        let mut transaction = test.open().await.write(&tenant.as_owner()).await.unwrap();
        transaction.conn().execute("UPDATE tenant.calls SET duration_ms = 1").await.unwrap();
        transaction.commit().await.unwrap();
    });
}

#[tokio::test]
async fn a_login_that_row_level_security_does_not_hold_is_refused() {
    let test = TestDatabase::new().await;
    for login in ["postgres", "subrosa_owner"] {
        let error = Locked::connect(&test.address(login), 1).await.unwrap_err();
        let is_refused = matches!(error, StartError::Login { .. } | StartError::Logs { .. });
        assert!(is_refused, "{login}: {error}");
    }
}

#[tokio::test]
async fn a_schema_that_is_older_newer_or_other_than_the_program_is_refused() {
    for (change, wanted) in [
        ("DELETE FROM app.migrations WHERE version = (SELECT max(version) FROM app.migrations)", "run the migrations"),
        (
            "INSERT INTO app.migrations SELECT 9999, description, now(), true, checksum, 0 FROM app.migrations LIMIT 1",
            "newer program",
        ),
        ("UPDATE app.migrations SET checksum = '\\x00' WHERE version = 1", "is not the one of this program"),
        ("DROP FUNCTION app.applied_migrations", "run the migrations"),
    ] {
        let test = TestDatabase::new().await;
        test.superuser().await.execute(change).await.unwrap();
        let message = Locked::connect(&test.address("subrosa_app"), 1).await.unwrap_err().to_string();
        assert!(message.contains(wanted), "{change}: {message}");
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let test = TestDatabase::new().await;
    let mut owner = Owner::connect(&test.address("subrosa_owner")).await.unwrap();
    owner.migrate().await.unwrap();
    assert!(Locked::connect(&test.address("subrosa_app"), 1).await.is_ok());
}

/// The process of a cluster's server.
fn postmaster(directory: &Path) -> i32 {
    let file = fs::read_to_string(directory.join("cluster/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

async fn setting(embedded: &Embedded, name: &str) -> String {
    let mut superuser = connect(embedded.socket(), "postgres", "subrosa").await;
    sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut superuser).await.unwrap()
}

#[tokio::test]
async fn the_private_cluster_is_reached_by_its_socket_alone_and_does_not_run_as_root() {
    let directory = directory();
    let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
    assert_eq!(setting(&embedded, "listen_addresses").await, "");
    assert_eq!(setting(&embedded, "data_checksums").await, "on");
    assert_eq!(fs::metadata(embedded.socket()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_ne!(fs::metadata(format!("/proc/{}", postmaster(&directory))).unwrap().uid(), 0);
    let limits = fs::read_to_string(format!("/proc/{}/limits", postmaster(&directory))).unwrap();
    let cores: Vec<_> = limits.lines().find(|line| line.starts_with("Max core")).unwrap().split_whitespace().collect();
    assert_eq!(cores[4..6], ["0", "0"], "core dumps");
    embedded.stop().await.unwrap();
    assert!(!directory.join("cluster/postmaster.pid").exists(), "stopped in order");
}

#[tokio::test]
async fn one_program_has_the_directory_and_the_next_is_refused() {
    let directory = directory();
    let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
    let error = Embedded::start(&directory, ACCOUNT).await.unwrap_err();
    assert!(matches!(error, PostgresError::InUse(_)), "{error}");
    embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_lock_that_a_killed_program_leaves_to_a_child_for_a_moment_is_waited_for() {
    let directory = directory();
    Embedded::start(&directory, ACCOUNT).await.unwrap().stop().await.unwrap();
    let lock = fs::File::options().append(true).open(directory.join("lock")).unwrap();
    lock.try_lock().unwrap();
    // The first look at the lock comes before its end.
    let (started, ()) = tokio::join!(Embedded::start(&directory, ACCOUNT), async { drop(lock) });
    started.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn what_was_committed_is_there_after_the_server_was_killed() {
    let directory = directory();
    let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
    let mut owner = connect(embedded.socket(), "subrosa_owner", "subrosa").await;
    owner
        .execute("CREATE SCHEMA app; CREATE TABLE app.kept (n integer); INSERT INTO app.kept VALUES (1)")
        .await
        .unwrap();
    kill(Pid::from_raw(postmaster(&directory)), Signal::SIGKILL).unwrap();
    drop(embedded);
    let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
    let mut owner = connect(embedded.socket(), "subrosa_owner", "subrosa").await;
    let kept: i32 = sqlx::query_scalar("SELECT n FROM app.kept").fetch_one(&mut owner).await.unwrap();
    assert_eq!(kept, 1);
    embedded.stop().await.unwrap();
}

/// Who owns a file, links not followed, and its permissions.
fn owner_and_mode(path: &Path) -> (u32, u32) {
    let at = fs::symlink_metadata(path).unwrap();
    (at.uid(), at.permissions().mode() & 0o777)
}

#[tokio::test]
async fn the_account_of_the_cluster_puts_nothing_in_the_way_of_the_program() {
    if !Uid::effective().is_root() {
        return; // There is one account only.
    }
    let (directory, account) = (directory(), User::from_name(ACCOUNT).unwrap().unwrap().uid);
    Embedded::start(&directory, ACCOUNT).await.unwrap().stop().await.unwrap();
    assert_eq!(owner_and_mode(&directory), (0, 0o711));
    assert_eq!(
        (owner_and_mode(&directory.join("lock")).0, owner_and_mode(&directory.join("start.log"))),
        (0, (0, 0o600))
    );
    for handed_over in ["cluster", "socket", "cluster/pg_hba.conf", "cluster/pg_ident.conf"] {
        assert_eq!(owner_and_mode(&directory.join(handed_over)).0, account.as_raw(), "{handed_over}");
    }
    let mut plant = Command::new("ln");
    plant.args(["-s", "/etc/passwd"]).arg(directory.join("planted")).uid(account.as_raw()).stderr(Stdio::null());
    assert!(!plant.status().unwrap().success());
    // What an account that could once, or may yet, would have left there.
    let (victim, file) = (directory.join("victim"), directory.join("victim/file"));
    fs::create_dir(&victim).unwrap();
    fs::write(&file, "kept").unwrap();
    fs::remove_dir_all(directory.join("socket")).unwrap();
    symlink(&victim, directory.join("socket")).unwrap();
    Embedded::start(&directory, ACCOUNT).await.unwrap().stop().await.unwrap();
    assert_eq!(owner_and_mode(&victim).0, 0);
    for link in ["start.log", "lock"] {
        fs::remove_file(directory.join(link)).unwrap();
        symlink(&file, directory.join(link)).unwrap();
        let error = Embedded::start(&directory, ACCOUNT).await.unwrap_err();
        assert!(matches!(error, PostgresError::File(..)), "{link}: {error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept", "{link}");
        fs::remove_file(directory.join(link)).unwrap();
    }
    chown(&directory, Some(account.as_raw()), None).unwrap();
    let error = Embedded::start(&directory, ACCOUNT).await.unwrap_err();
    assert!(matches!(error, PostgresError::NotOurs(_)), "{error}");
}

#[tokio::test]
async fn somebody_elses_process_in_the_directory_is_left_alone() {
    let directory = directory();
    Embedded::start(&directory, ACCOUNT).await.unwrap().stop().await.unwrap();
    let mut shell = Command::new("cat");
    let mut shell = shell.current_dir(directory.join("cluster")).stdin(Stdio::piped()).spawn().unwrap();
    Embedded::start(&directory, ACCOUNT).await.unwrap().stop().await.unwrap();
    assert!(shell.try_wait().unwrap().is_none(), "it was ended");
    drop(shell.stdin.take());
    shell.wait().unwrap();
}

/// The process that writes the server's log ends by itself when nobody is left to write to it, a moment after the server.
#[tokio::test]
async fn a_server_that_was_stopped_has_left_no_process_behind() {
    let directory = directory();
    let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
    let (files, server) = (directory.join("cluster"), postmaster(&directory));
    let logger = processes(&files).into_iter().find(|id| {
        fs::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|command| command.starts_with("postgres: logger"))
    });
    let logger = Pid::from_raw(logger.unwrap().try_into().unwrap());
    kill(logger, Signal::SIGSTOP).unwrap();
    let stopped = tokio::spawn(embedded.stop());
    while fs::exists(format!("/proc/{server}/exe")).unwrap() {
        tokio::task::yield_now().await;
    }
    assert_eq!(processes(&files).len(), 1);
    assert!(!stopped.is_finished());
    kill(logger, Signal::SIGCONT).unwrap();
    stopped.await.unwrap().unwrap();
    assert!(processes(&files).is_empty());
}

/// What the test below runs in a process of its own, which then ends without a word to the server.
#[tokio::test]
#[ignore = "a part of the test below"]
async fn a_program_that_is_killed() {
    let Some(directory) = std::env::var_os("SUBROSA_ORPHAN") else { return };
    let _embedded = Embedded::start(Path::new(&directory), ACCOUNT).await.unwrap();
    let _ = kill(Pid::this(), Signal::SIGKILL);
}

#[tokio::test]
async fn a_server_that_outlived_its_program_is_ended_and_started_again() {
    let directory = directory();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "start::a_program_that_is_killed", "--ignored"]).env("SUBROSA_ORPHAN", &directory);
    assert!(!program.output().unwrap().status.success());
    let orphan = postmaster(&directory);
    let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
    assert_ne!(postmaster(&directory), orphan);
    embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused_with_what_to_install() {
    let directory = directory();
    Embedded::start(&directory, ACCOUNT).await.unwrap().stop().await.unwrap();
    fs::write(directory.join("cluster/PG_VERSION"), "11\n").unwrap();
    let message = Embedded::start(&directory, ACCOUNT).await.unwrap_err().to_string();
    assert!(message.contains("postgresql-11"), "{message}");
}

#[tokio::test]
async fn a_start_that_was_cut_off_while_the_cluster_was_made_is_made_again() {
    let directory = directory();
    fs::create_dir_all(directory.join("cluster.new/base")).unwrap();
    Embedded::start(&directory, ACCOUNT).await.unwrap().stop().await.unwrap();
}
