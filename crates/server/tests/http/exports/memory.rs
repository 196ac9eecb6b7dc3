//! What an archive costs in memory, however much is in it.

use std::process::Command;

use server::{
    artifacts::{self, Artifact},
    vault::{blobs::Blobs, seal::RecordKind},
};

use super::{ask, build};
use crate::{
    audio::{keeps, kept_with},
    client::Service,
    memory::status,
    people::Person,
};

/// Calls, and bytes of text in each: 128 MiB together, of which 96 MiB are left in the archive.
const CALLS: u8 = 128;
const BYTES: usize = 1 << 20;

/// Bytes of the recording that is kept of one more call, three quarters of an hour; they are all alike, so that hardly anything is stored.
const RECORDED: usize = 96 << 20;

/// Bytes that an archive may add to the process: some copies of one document, a part of 4 MiB in clear and sealed, the allocator's slack.
const ALLOWED: u64 = 64 << 20;

/// A call with much in it.
pub(super) async fn long_call(person: &Person<'_>, seed: u8) {
    let app = &person.service.app;
    let call = person.upload(seed, "a long call").await.parse().unwrap();
    // Letters at random, which hardly get smaller.
    let mut state = u64::from(seed) + 1;
    let letters = (0..BYTES).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b' ' + 2 + (state >> 58) as u8 % 58)
    });
    let text = serde_json::to_vec(&letters.collect::<String>()).unwrap();
    let mut tx = app.database.write(&person.scope).await.unwrap();
    let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    artifacts::put(&mut tx, (call, Artifact::RawTranscript), (&key, None), &text).await.unwrap();
    tx.commit().await.unwrap();
}

#[test]
fn an_archive_of_many_calls_adds_no_more_to_the_memory_of_the_process_than_one_of_them() {
    // In a process of its own, where nothing else runs. What is held of an archive is held each time; what an allocator cannot use again
    // of what was freed differs by 50 MiB from one run to the next, so that the least of three counts.
    let run = || {
        Command::new(std::env::current_exe().unwrap())
            // Glibc keeps what each thread freed for that thread, and how many had their turn is chance (mallopt(3)).
            .env("MALLOC_ARENA_MAX", "1")
            .args(["--exact", "exports::memory::many_calls_are_exported", "--ignored", "--nocapture"])
            .output()
            .unwrap()
    };
    let mut said = String::new();
    for _ in 0..3 {
        let child = run();
        said.push_str(&String::from_utf8_lossy(&child.stdout));
        said.push_str(&String::from_utf8_lossy(&child.stderr));
        if child.status.success() && said.contains("1 passed") {
            return;
        }
    }
    panic!("{said}");
}

#[tokio::test]
#[ignore = "run by the test above in a process of its own"]
async fn many_calls_are_exported() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::with(Blobs::local(&directory.path().join("blobs")).unwrap(), &[]).await;
    let person = Person::new(&service).await;
    for seed in 0..CALLS {
        long_call(&person, seed).await;
    }
    keeps(&person, true).await;
    kept_with(&person, "{}", vec![1; RECORDED]).await;
    let export = ask(&person).await;
    // The peak of the preparations is forgotten (proc(5)).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    build(&service).await;
    let added = status("VmHWM").saturating_sub(before);
    let shown = person.get(&export).await.json();
    assert_eq!((&shown["status"], &shown["calls"]), (&"READY".into(), &(CALLS + 1).into()));
    println!("{} MiB added {} MiB at the peak", shown["bytes"].as_u64().unwrap() >> 20, added >> 20);
    assert!(shown["bytes"].as_u64().unwrap() > 90 << 20);
    assert!(added < ALLOWED, "{} MiB", added >> 20);
}
