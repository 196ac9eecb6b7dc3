//! A server of somebody else, where nobody of Subrosa is a superuser: what a managed database gives is a login that may make roles
//! and databases.

use nix::unistd::{Uid, User};
use server::{
    db::{Address, Locked, Owner, StartError, Tls},
    postgres::Embedded,
};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::support::{ACCOUNT, connect, directory};

/// Makes the administrator of such a server, and takes away what the private cluster made by itself.
async fn hand_over(directory: &std::path::Path, superuser: &mut PgConnection) {
    for statement in [
        "DROP DATABASE subrosa",
        "DROP OWNED BY subrosa_app, subrosa_owner, subrosa_auth, subrosa_jobs",
        "DROP ROLE subrosa_app, subrosa_owner, subrosa_auth, subrosa_jobs",
        "GRANT CONNECT ON DATABASE postgres TO PUBLIC",
        "CREATE ROLE administrator LOGIN CREATEROLE CREATEDB",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    let path = directory.join("cluster/pg_ident.conf");
    let logins = std::fs::read_to_string(&path).unwrap();
    let user = User::from_uid(Uid::effective()).unwrap().unwrap().name;
    std::fs::write(&path, format!("{logins}subrosa {user} administrator\n")).unwrap();
    superuser.execute("SELECT pg_reload_conf()").await.unwrap();
}

#[tokio::test]
async fn a_login_that_may_make_roles_and_is_no_superuser_sets_everything_up() {
    let directory = directory();
    let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
    let mut superuser = connect(embedded.socket(), "postgres", "postgres").await;
    hand_over(&directory, &mut superuser).await;

    // As docs/adr/005 says, all by the administrator.
    let mut administrator = connect(embedded.socket(), "administrator", "postgres").await;
    for statement in [
        "CREATE ROLE subrosa_owner LOGIN",
        "GRANT subrosa_owner TO administrator",
        "CREATE DATABASE subrosa OWNER subrosa_owner",
    ] {
        administrator.execute(statement).await.unwrap();
    }
    let mut administrator = connect(embedded.socket(), "administrator", "subrosa").await;
    administrator.execute(sqlx::raw_sql(include_str!("../../roles.sql"))).await.unwrap();

    // What only a superuser or the server's configuration can set is asked for by name, before any secret is sent.
    let address = |login: &str| {
        let url = format!("postgres:///subrosa?host={}&user={login}", embedded.socket().display());
        Address::parse(&url, Tls::Required).unwrap()
    };
    let configure = async |superuser: &mut PgConnection, name: &str, value: &str| {
        for database in ["postgres", "subrosa"] {
            let set = format!("ALTER DATABASE {database} SET {name} = '{value}'");
            superuser.execute(AssertSqlSafe(set)).await.unwrap();
        }
    };
    configure(&mut superuser, "log_parameter_max_length", "-1").await;
    let error = Owner::connect(&address("subrosa_owner")).await.unwrap_err();
    assert!(matches!(&error, StartError::Logs { name, .. } if name == "log_parameter_max_length"), "{error}");
    assert!(error.to_string().contains("the server's configuration"), "{error}");
    configure(&mut superuser, "log_parameter_max_length", "0").await;

    let mut owner = Owner::connect(&address("subrosa_owner")).await.unwrap();
    owner.migrate().await.unwrap();
    configure(&mut superuser, "log_error_verbosity", "verbose").await;
    let error = Locked::connect(&address("subrosa_app"), 1).await.unwrap_err();
    assert!(matches!(&error, StartError::Logs { name, .. } if name == "log_error_verbosity"), "{error}");
    configure(&mut superuser, "log_error_verbosity", "terse").await;
    Locked::connect(&address("subrosa_app"), 1).await.unwrap();

    let by_superusers: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
         WHERE c.relnamespace IN ('app'::regnamespace, 'tenant'::regnamespace, 'global'::regnamespace) AND r.rolsuper",
    )
    .fetch_one(&mut connect(embedded.socket(), "postgres", "subrosa").await)
    .await
    .unwrap();
    assert_eq!(by_superusers, 0);
    embedded.stop().await.unwrap();
}
