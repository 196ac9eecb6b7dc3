//! Memory while a recording of any length is stored and read: that of a part, whatever the length.

use std::process::Command;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use server::vault::{
    blobs::{BlobPlace, Blobs},
    key::Key,
};
use uuid::Uuid;

use crate::s3_server::Bucket;

/// What the process that is measured is to do: `local` or `s3`, and how many MiB.
const STORE: &str = "SUBROSA_MEMORY_STORE";
const LENGTH: &str = "SUBROSA_MEMORY_MIB";

/// The short object, in MiB.
const SHORT: u64 = 16;
/// What part of its additional length a long object may take as memory: an allocator keeps what it likes, some 10 MiB, and
/// what is held whole takes all of it.
const PART: u64 = 4;

/// The process that is measured.
#[tokio::test]
#[ignore = "a part of the tests below"]
async fn an_object_is_written_and_read() {
    let (Ok(store), Ok(length)) = (std::env::var(STORE), std::env::var(LENGTH)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let blobs = if store == "s3" { Bucket::new().blobs("") } else { Blobs::local(directory.path()).unwrap() };
    let (key, length) = (Key::generate().unwrap(), length.parse::<u64>().unwrap() << 20);
    let place = BlobPlace { tenant: Uuid::now_v7(), record: Uuid::now_v7(), object: Uuid::now_v7() };
    // Bytes as they come from a network, each block made when it is asked for.
    let blocks = stream::iter(0..length >> 16).map(|number| Ok(Bytes::from(vec![number as u8; 1 << 16])));
    assert_eq!(blobs.write(&key, place, blocks).await.unwrap(), length);
    let mut reader = blobs.read(&key, place, length, 0..u64::MAX).await.unwrap();
    let mut read = 0;
    while let Some(bytes) = reader.next().await.unwrap() {
        read += bytes.len() as u64;
    }
    assert_eq!(read, length);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
}

/// The most memory that a process of its own takes to write and read an object, in KiB.
fn peak(store: &str, mebibytes: u64) -> u64 {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "memory::an_object_is_written_and_read", "--ignored", "--nocapture"]);
    let output = process.env(STORE, store).env(LENGTH, mebibytes.to_string()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let peak = told.split_once("VmHWM:").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    peak.unwrap_or_else(|| panic!("{told}{}", String::from_utf8_lossy(&output.stderr)))
}

fn does_not_grow(store: &str, mebibytes: u64) {
    let (short, long) = (peak(store, SHORT), peak(store, mebibytes));
    println!("{store}: {} MiB at the most for {SHORT} MiB, {} MiB for {mebibytes} MiB", short >> 10, long >> 10);
    let more = ((mebibytes - SHORT) << 10) / PART;
    assert!(long <= short + more, "{short} KiB for {SHORT} MiB, {long} KiB for {mebibytes} MiB");
}

#[test]
fn a_long_object_in_a_directory_takes_no_more_memory_than_a_short_one() {
    does_not_grow("local", 256);
}

#[test]
fn a_long_object_in_a_bucket_takes_no_more_memory_than_a_short_one() {
    does_not_grow("s3", 128);
}

#[test]
#[ignore = "a soak run"]
fn two_gibibytes_take_no_more_memory_than_a_short_object() {
    does_not_grow("local", 2048);
}
