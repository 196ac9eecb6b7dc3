//! What an upload costs in memory, whatever its length.

use std::process::Command;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use server::vault::blobs::Blobs;

use crate::{
    client::Service,
    people::{Person, closing, opening, recording},
};

/// Bytes that an upload may add to the process: a part of 4 MiB in clear and sealed, blocks on their way, the allocator's slack.
const ALLOWED: u64 = 64 << 20;

/// Bytes that a line of `/proc/self/status` says.
pub(crate) fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn a_recording_of_256_mib_adds_no_more_to_the_memory_of_the_process_than_a_small_one() {
    // In a process of its own, where nothing else runs.
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::a_recording_of_2_gib_is_taken_in", "--ignored", "--nocapture"])
        .env("SUBROSA_UPLOAD_MIB", "256")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&child.stderr));
}

#[tokio::test]
#[ignore = "soak: two gigabytes"]
async fn a_recording_of_2_gib_is_taken_in() {
    let mib: usize = std::env::var("SUBROSA_UPLOAD_MIB").map_or(2047, |mib| mib.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let service = Service::with(Blobs::local(&directory.path().join("blobs")).unwrap(), &[]).await;
    let person = Person::new(&service).await;
    person.upload(0, "before").await;
    let before = status("VmHWM");
    // Blocks as a socket gives them.
    let blocks = (0..mib * 16).map(|n| Ok(Bytes::from(recording((n % 251) as u8, 64 << 10))));
    let start = stream::iter([Ok(Bytes::from(opening("file")))]);
    let end = stream::iter([Ok(Bytes::from(format!("\r\n{}", closing())))]);
    let answer = service.send(person.streamed(start.chain(stream::iter(blocks)).chain(end))).await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    let added = status("VmHWM") - before;
    println!("{mib} MiB added {} MiB at the peak", added >> 20);
    assert!(added < ALLOWED, "{} MiB", added >> 20);
}
