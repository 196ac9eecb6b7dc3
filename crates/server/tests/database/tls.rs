//! A server over TCP is believed only with a certificate that proves its name.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use nix::unistd::{Uid, User};
use server::{
    db::{Address, Locked, Owner, StartError, Tls},
    postgres::Embedded,
};

use crate::support::{ACCOUNT, directory};

/// Makes a key and a certificate for `localhost` that signs itself, for the server's account.
fn certificate(directory: &Path, name: &str) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")]).current_dir(directory);
    assert!(openssl.stderr(Stdio::null()).status().unwrap().success());
}

/// Starts the stopped cluster of a directory once more, on TCP with TLS; the directory's undertaker ends it.
fn serve(directory: &Path, port: u16) {
    fs::write(directory.join("cluster/pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
    let bindir = Command::new("pg_config").arg("--bindir").output().unwrap().stdout;
    let mut server = Command::new(format!("{}/postgres", String::from_utf8(bindir).unwrap().trim()));
    server.arg("-D").arg(directory.join("cluster")).current_dir(directory).process_group(0);
    for setting in [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", directory.join("right.crt").display()),
        format!("ssl_key_file={}", directory.join("right.key").display()),
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
    ] {
        server.args(["-c", &setting]);
    }
    if Uid::effective().is_root() {
        let user = User::from_name(ACCOUNT).unwrap().unwrap();
        chown(directory.join("right.key"), Some(user.uid.as_raw()), None).unwrap();
        server.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    std::mem::forget(server.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
}

#[tokio::test]
async fn a_server_is_reached_over_tls_that_proves_its_name_and_not_otherwise() {
    let directory = directory();
    let embedded = Embedded::start(&directory, ACCOUNT).await.unwrap();
    Owner::connect(&embedded.owner_address()).await.unwrap().migrate().await.unwrap();
    embedded.stop().await.unwrap();
    certificate(&directory, "right");
    certificate(&directory, "wrong");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    serve(&directory, port);
    let connect = async |host: &str, certificate: &str| {
        let file = directory.join(certificate);
        let url =
            format!("postgres://subrosa_app@{host}:{port}/subrosa?sslmode=verify-full&sslrootcert={}", file.display());
        Locked::connect(&Address::parse(&url, Tls::Required).unwrap(), 1).await
    };
    let mut answer = connect("localhost", "right.crt").await;
    for _ in 0..500 {
        let Err(StartError::Unreachable(_)) = &answer else { break };
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = connect("localhost", "right.crt").await;
    }
    answer.unwrap();
    for (host, certificate, why) in
        [("localhost", "wrong.crt", "another certificate"), ("127.0.0.1", "right.crt", "a name that it does not hold")]
    {
        assert!(matches!(connect(host, certificate).await, Err(StartError::Unreachable(_))), "{why}");
    }
}
