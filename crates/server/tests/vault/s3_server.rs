//! A server that speaks S3, one a test binary, with a bucket for each test. Its one invariant: a test that needs it fails where it
//! is not installed; none is skipped.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use object_store::aws::{AmazonS3, AmazonS3Builder};
use server::vault::blobs::Blobs;
use uuid::Uuid;

use crate::support;

/// How long Python may take to load and listen, on a machine that does much else.
const START: Duration = Duration::from_secs(60);

/// Where `scripts/setup` puts it.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/s3");

/// Starts the server once.
#[expect(clippy::zombie_processes, reason = "the directory's undertaker ends it")]
fn address() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        assert!(PathBuf::from(INSTALLED).join("moto").exists(), "the S3 of the tests is missing: run scripts/setup");
        let directory = support::directory();
        fs::create_dir(&directory).unwrap();
        let log = directory.join("log");
        let mut command = Command::new("python3");
        command.args(["-m", "moto.server", "--port", "0"]).env("PYTHONPATH", INSTALLED);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let mut server = command.spawn().unwrap();
        fs::write(directory.join("s3.pid"), server.id().to_string()).unwrap();
        let deadline = Instant::now() + START;
        loop {
            let said = fs::read_to_string(&log).unwrap();
            let address = said.split_once("http://").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
            if let Some(address) = address {
                return address;
            }
            assert!(server.try_wait().unwrap().is_none() && Instant::now() < deadline, "no S3: {said}");
            thread::sleep(Duration::from_millis(20));
        }
    })
}

/// Sends a request that needs no signature, and returns the answer.
fn request(method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address()).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.split(' ').nth(1) == Some("200"), "{answer}");
    answer
}

/// A bucket of its own for one test.
pub(crate) struct Bucket(String);

impl Bucket {
    pub(crate) fn new() -> Self {
        let bucket = Uuid::now_v7().to_string();
        request("PUT", &format!("/{bucket}"));
        Self(bucket)
    }

    /// The store, as the program opens it, below a prefix.
    pub(crate) fn blobs(&self, prefix: &str) -> Blobs {
        let options = [
            ("aws_endpoint", format!("http://{}", address())),
            ("aws_allow_http", "true".to_owned()),
            ("aws_region", "us-east-1".to_owned()),
            ("aws_access_key_id", "test".to_owned()),
            ("aws_secret_access_key", "test".to_owned()),
        ];
        Blobs::s3(&format!("s3://{}{prefix}", self.0), options.map(|(name, value)| (name.to_owned(), value))).unwrap()
    }

    /// The bucket, as somebody who may write to it has it.
    pub(crate) fn raw(&self) -> AmazonS3 {
        let builder = AmazonS3Builder::new().with_bucket_name(&self.0).with_endpoint(format!("http://{}", address()));
        builder.with_allow_http(true).with_access_key_id("test").with_secret_access_key("test").build().unwrap()
    }

    /// Whether any upload in parts was begun and never ended: the store shows those to nobody, and charges for them.
    pub(crate) fn has_pending_uploads(&self) -> bool {
        request("GET", &format!("/{}?uploads", self.0)).contains("<UploadId>")
    }
}
