//! An object store without room: what was stored stays, what was not leaves nothing behind.

use std::process::Command;

use bytes::Bytes;
use futures::stream;
use nix::unistd::Uid;
use server::vault::{
    blobs::{BlobError, BlobPlace, Blobs},
    key::Key,
};
use uuid::Uuid;

/// A file system of 8 MiB that goes with the test.
struct Small(tempfile::TempDir);

impl Small {
    /// Takes root, of the machine or of a namespace.
    fn mount() -> Self {
        let small = Self(tempfile::tempdir().unwrap());
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(small.0.path());
        assert!(mount.status().unwrap().success(), "a small file system cannot be mounted");
        small
    }
}

/// Runs this test once more as root of a namespace of its own, where the account may make one.
fn run_in_namespace() {
    let mut again = Command::new("unshare");
    again.args(["--user", "--map-root-user", "--mount"]).arg(std::env::current_exe().unwrap());
    again.args(["--exact", "disk_full::a_full_disk_refuses_an_upload_and_keeps_what_is_there"]);
    assert!(
        again.status().unwrap().success(),
        "neither root nor allowed to make a user namespace, or the test failed there"
    );
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_an_upload_and_keeps_what_is_there() {
    if !Uid::effective().is_root() {
        return run_in_namespace();
    }
    let small = Small::mount();
    let blobs = Blobs::local(&small.0.path().join("objects")).unwrap();
    let key = Key::generate().unwrap();
    let place = || BlobPlace { tenant: Uuid::now_v7(), record: Uuid::now_v7(), object: Uuid::now_v7() };
    let write = async |place, mebibytes: usize| {
        let block = Bytes::from(vec![7; 1 << 20]);
        blobs.write(&key, place, stream::iter((0..mebibytes).map(|_| Ok(block.clone())))).await
    };
    let read = async |place, length| {
        let mut reader = blobs.read(&key, place, length, 0..u64::MAX).await?;
        let mut length = 0;
        while let Some(bytes) = reader.next().await? {
            length += bytes.len();
        }
        Ok::<_, BlobError>(length)
    };
    let (kept, refused) = (place(), place());
    write(kept, 1).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(write(refused, 12).await, Err(BlobError::Store(_))));
        assert!(matches!(read(refused, 12 << 20).await, Err(BlobError::Missing(_))));
    }
    assert_eq!(read(kept, 1 << 20).await.unwrap(), 1 << 20);
    // The room that the refused upload took is free again.
    let again = place();
    write(again, 5).await.unwrap();
    assert_eq!(read(again, 5 << 20).await.unwrap(), 5 << 20);
}
