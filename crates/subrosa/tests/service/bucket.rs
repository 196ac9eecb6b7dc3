//! A server that speaks S3, as the object store of an installation. Its one invariant: it ends with the test that started it, and a test
//! that needs it fails where it is not installed.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::program::{Place, until};

/// Where `scripts/setup` puts it.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/s3");

/// A server with buckets.
pub(crate) struct Store {
    address: SocketAddr,
    _server: Child,
    _directory: TempDir,
}

impl Store {
    pub(crate) async fn start() -> Self {
        assert!(Path::new(INSTALLED).join("moto").exists(), "the S3 of the tests is missing: run scripts/setup");
        let directory = TempDir::with_prefix("subrosa-").unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "python3", "-m", "moto.server", "--port", "0"]);
        command.env("PYTHONPATH", INSTALLED).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null());
        let server = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let address = || {
            let said = fs::read_to_string(&log).unwrap();
            said.split_once("http://").and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok())
        };
        until("an S3 that listens", async || address().is_some()).await;
        Self { address: address().unwrap(), _server: server, _directory: directory }
    }

    /// An installation with its recordings in a new bucket of it.
    pub(crate) fn behind(&self, place: Place, bucket: &str) -> Place {
        put(self.address, &format!("/{bucket}"), b"");
        let place = place.with("SUBROSA_OBJECTS", format!("s3://{bucket}/installation"));
        let place = place.with("AWS_ENDPOINT", format!("http://{}", self.address));
        let place = place.with("AWS_ALLOW_HTTP", "true".to_owned()).with("AWS_REGION", "us-east-1".to_owned());
        place.with("AWS_ACCESS_KEY_ID", "test".to_owned()).with("AWS_SECRET_ACCESS_KEY", "test".to_owned())
    }

    /// Puts an object where an installation has its own, as somebody who may write to the bucket does.
    pub(crate) fn leak(&self, bucket: &str) -> impl Fn(&[u8]) + Send + Sync + use<> {
        let (address, bucket, number) = (self.address, bucket.to_owned(), AtomicU32::new(0));
        move |bytes| {
            let number = number.fetch_add(1, Ordering::Relaxed);
            put(address, &format!("/{bucket}/installation/blobs/upload-{number}.bin"), bytes);
        }
    }
}

/// A request that needs no signature.
fn put(address: SocketAddr, path: &str, body: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("PUT {path} HTTP/1.0\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.split(' ').nth(1) == Some("200"), "{answer}");
}
