//! Disks without room: the object store's, the database's, its write-ahead log's. What was acknowledged stays, what was not leaves
//! nothing behind.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use bytes::Bytes;
use futures::stream;
use nix::unistd::Uid;
use server::{
    db::{Owner, Scope},
    deletion::{self, verify},
    postgres::Embedded,
    vault::{
        blobs::{BlobError, BlobPlace, Blobs},
        key::Key,
        keys::VaultError,
        seal::RecordKind,
    },
};
use uuid::Uuid;

use crate::{
    kit::{self, Installation},
    support::{self, TestDatabase},
};

/// A small file system that goes with the test; only root can make one.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, mebibytes: u32) -> Self {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]).arg(at).status();
        assert!(mounted.unwrap().success(), "mounting a small file system takes root: run the tests as root");
        Self(at.to_owned())
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        for size in [1 << 20, 1 << 12] {
            while file.write(&vec![7; size]).is_ok_and(|written| written == size) {}
        }
    }

    /// Gives the room back.
    fn clear(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
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
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_an_upload_and_keeps_what_is_there() {
    if !Uid::effective().is_root() {
        return run_in_namespace();
    }
    let directory = tempfile::tempdir().unwrap();
    let small = Small::mount(directory.path(), 8);
    let blobs = Blobs::local(&small.0.join("objects")).unwrap();
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

/// A private cluster of which one directory has a small file system of its own.
struct Cluster {
    directory: PathBuf,
    small: Small,
    keys: String,
}

impl Cluster {
    async fn new(part: &str, mebibytes: u32) -> Self {
        let directory = support::directory();
        let embedded = Embedded::start(&directory, support::ACCOUNT).await.unwrap();
        Owner::connect(&embedded.owner_address()).await.unwrap().migrate().await.unwrap();
        embedded.stop().await.unwrap();
        let (small, from) = (Small::mount(&directory.join("small"), mebibytes), directory.join("cluster").join(part));
        assert!(Command::new("cp").arg("-a").arg(&from).arg(&small.0).status().unwrap().success());
        fs::remove_dir_all(&from).unwrap();
        std::os::unix::fs::symlink(small.0.join(part), &from).unwrap();
        Self { directory, small, keys: kit::key("k1") }
    }

    async fn start(&self) -> (Embedded, Installation) {
        let embedded = Embedded::start(&self.directory, support::ACCOUNT).await.unwrap();
        let database = TestDatabase { name: "subrosa".to_owned(), socket: embedded.socket().to_owned() };
        (embedded, Installation::on(database, self.keys.clone()).await)
    }
}

/// Calls as their owner knows them.
#[derive(Default)]
struct Known {
    kept: Vec<Uuid>,
    deleted: Vec<Uuid>,
}

impl Known {
    /// Adds calls, and deletes every fourth, until the database refuses, which it has to before `most`.
    async fn work(&mut self, installation: &Installation, scope: Scope, title: &str, most: usize) -> bool {
        for number in 0..most {
            match installation.try_call(scope, title).await {
                Ok(call) => self.kept.push(call),
                Err(_) => return false,
            }
            if number % 4 == 3 {
                let call = self.kept[self.kept.len() / 2];
                let Ok(mut tx) = installation.database.write(&scope).await else { return false };
                let signer = installation.vault.signer();
                let deleted = deletion::delete(&mut tx, signer, RecordKind::Call, call).await;
                if deleted.is_err() || tx.commit().await.is_err() {
                    // Nobody was told whether it is deleted, so it may be either.
                    self.kept.retain(|kept| *kept != call);
                    return false;
                }
                self.kept.retain(|kept| *kept != call);
                self.deleted.push(call);
            }
        }
        true
    }

    async fn check(&self, installation: &Installation, scope: Scope, title: &str) {
        for call in &self.kept {
            assert_eq!(installation.title(scope, *call).await.unwrap(), title, "lost after {} calls", self.kept.len());
        }
        for call in &self.deleted {
            assert!(matches!(installation.title(scope, *call).await, Err(VaultError::Gone(_))), "came back");
        }
        let (database, blobs, keys) = (&installation.database, &installation.blobs, installation.vault.public_keys());
        let receipts = verify::receipts(database, blobs, keys).await.unwrap();
        let audit = verify::audit(database, blobs, keys).await.unwrap();
        assert_eq!((receipts.faults, audit.faults), (vec![], vec![]));
        // One more where a deletion was committed and its answer lost.
        assert!([0, 1].contains(&(receipts.links - self.deleted.len() as u64)) && receipts.links == audit.links);
    }
}

/// Fills the disk of a part of the cluster under work, gives room back, and looks whether all that was acknowledged is there.
async fn nothing_is_lost_when_it_is_full(part: &str, mebibytes: u32) {
    // 64 KiB a call: WAL that is left in an open segment of 16 MiB is used up by some 250, and a heap's page by one.
    let (title, most) = ("disk".repeat(16 << 10), 1000);
    let cluster = Cluster::new(part, mebibytes).await;
    let (embedded, installation) = cluster.start().await;
    let (scope, mut known) = (installation.tenant().await, Known::default());
    assert!(known.work(&installation, scope, &title, 20).await);
    cluster.small.fill();
    assert!(!known.work(&installation, scope, &title, most).await, "{most} calls fit on a full disk");
    let acknowledged = known.kept.len() + known.deleted.len();
    // It goes on refusing and does not hang.
    assert!(!known.work(&installation, scope, &title, most).await);
    cluster.small.clear();
    drop((embedded, installation));

    let (embedded, installation) = cluster.start().await;
    known.check(&installation, scope, &title).await;
    assert!(known.work(&installation, scope, &title, 20).await);
    known.check(&installation, scope, &title).await;
    println!("{part} full after {acknowledged} calls, 0 lost, 0 came back");
    embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_under_the_tables_loses_nothing_that_was_acknowledged() {
    nothing_is_lost_when_it_is_full("base", 96).await;
}

#[tokio::test]
async fn a_full_disk_under_the_write_ahead_log_loses_nothing_that_was_acknowledged() {
    nothing_is_lost_when_it_is_full("pg_wal", 48).await;
}
