//! What has to hold after every kill.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use server::{
    deletion::{blobs as outbox, mirror, verify},
    vault::{
        blobs::Blobs,
        content::{self, Stored},
        keys::VaultError,
        seal::RecordKind,
    },
};
use sqlx::Row as _;
use uuid::Uuid;

use crate::workload;

/// What the workload said last of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Uploading,
    Uploaded,
    Deleting,
    Deleted,
}

/// All calls that were ever spoken of, and which of them are to be looked at after this kill.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) calls: BTreeMap<Uuid, Word>,
    recent: Vec<Uuid>,
}

impl Known {
    pub(crate) fn hear(&mut self, lines: &[String]) {
        self.recent.clear();
        for line in lines {
            // The last line may have been cut in the middle.
            let Some((word, call)) = line.split_once(' ') else { continue };
            let Ok(call) = Uuid::parse_str(call) else { continue };
            let word = match word {
                "@uploading" => Word::Uploading,
                "@uploaded" => Word::Uploaded,
                "@deleting" => Word::Deleting,
                _ => Word::Deleted,
            };
            self.calls.insert(call, word);
            self.recent.push(call);
        }
    }

    /// Looks at what the last run touched, or at everything.
    pub(crate) async fn check(&mut self, socket: &Path, objects: &Path, ring: &str, everything: bool) {
        let (database, vault) = workload::open(socket, ring).await;
        let blobs = Blobs::local(objects).unwrap();
        if everything {
            self.recent = self.calls.keys().copied().collect();
            // Uploads that never ended are found as if their day had passed.
            let mut owner = crate::support::connect(socket, "postgres", "subrosa").await;
            sqlx::query("UPDATE tenant.blob_deletions SET run_at = now()").execute(&mut owner).await.unwrap();
            age_leftovers(objects);
            blobs.remove_leftovers().await.unwrap();
            outbox::sweep(&database, &blobs).await.unwrap();
            mirror::catch_up(&database, &blobs, &vault).await.unwrap();
            for report in [
                verify::receipts(&database, &blobs, vault.public_keys()).await.unwrap(),
                verify::audit(&database, &blobs, vault.public_keys()).await.unwrap(),
            ] {
                assert_eq!(report.faults, []);
                assert!(report.links > 0);
            }
        }
        for call in &self.recent {
            let (is_there, word) = (self.opens(&database, &vault, &blobs, *call).await, self.calls[call]);
            match word {
                Word::Uploaded => assert!(is_there, "{call} was acknowledged and is lost"),
                Word::Deleted => assert!(!is_there, "{call} was deleted and is there"),
                // Not acknowledged: all or nothing, and from now on what it is.
                Word::Uploading | Word::Deleting => {
                    self.calls.insert(*call, if is_there { Word::Uploaded } else { Word::Deleted });
                }
            }
        }
        if everything {
            for file in files(&objects.join("blobs")) {
                // blobs/TENANT/RECORD/OBJECT/PART
                let record = file.iter().rev().nth(2).and_then(|name| Uuid::parse_str(name.to_str()?).ok());
                let kept = record.is_some_and(|call| self.calls.get(&call) == Some(&Word::Uploaded));
                assert!(kept && !is_leftover(&file), "{} is left", file.display());
            }
        }
        database.close().await;
    }

    /// Whether a call is there, all of it; one that is half there fails the test.
    async fn opens(
        &self,
        database: &server::db::Database,
        vault: &server::vault::keys::Vault,
        blobs: &Blobs,
        call: Uuid,
    ) -> bool {
        let mut tx = database.read(&workload::scope()).await.unwrap();
        let row = sqlx::query("SELECT sealed FROM tenant.calls WHERE id = $1")
            .bind(call)
            .fetch_optional(tx.conn())
            .await
            .unwrap();
        let key = vault.record_key(&mut tx, RecordKind::Call, call).await;
        let key = match (row.is_some(), key) {
            (true, Ok(key)) => key,
            (false, Err(VaultError::Gone(_))) => {
                return false;
            }
            (row, key) => panic!("{call} is half there: row {row}, key {:?}", key.err()),
        };
        let sealed: Vec<u8> = row.unwrap().get(0);
        let title = content::open(&Stored { key: &key, field: workload::title_of(call), sealed: &sealed }).unwrap();
        assert_eq!(title.as_slice(), call.to_string().as_bytes());
        drop(tx);
        let mut reader =
            blobs.read(&key, workload::place(call), workload::length_of(call) as u64, 0..u64::MAX).await.unwrap();
        let mut length = 0;
        while let Some(bytes) = reader.next().await.unwrap() {
            assert!(bytes.iter().all(|byte| *byte == workload::sound_of(call)));
            length += bytes.len();
        }
        assert_eq!(length, workload::length_of(call));
        true
    }
}

/// All files below a directory: what the store lists, and what a `put` that was killed left beside it.
fn files(directory: &Path) -> Vec<PathBuf> {
    let (mut files, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let list = if entry.file_type().unwrap().is_dir() { &mut directories } else { &mut files };
            list.push(entry.path());
        }
    }
    files
}

fn is_leftover(file: &Path) -> bool {
    file.file_name().unwrap().to_string_lossy().contains('#')
}

/// Lets what was left half-written be as old as what is removed.
fn age_leftovers(objects: &Path) {
    for file in files(objects).iter().filter(|file| is_leftover(file)) {
        let long_ago = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
        File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
    }
}
