//! Blobs against `openssl speed`'s AES-256-GCM of as many bytes on the same core.

use std::process::Command;

use bytes::Bytes;
use futures::stream;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutOptions, local::LocalFileSystem, memory::InMemory, path::Path,
};
use server::vault::{
    blobs::{BlobPlace, Blobs, open_part, seal_part},
    key::Key,
};
use uuid::Uuid;

use crate::seconds;

/// Bytes of the object: a recording of some minutes.
const OBJECT: usize = 16 << 20;

/// Bytes of a part, plain.
const PART: usize = 4 << 20;

/// Bytes that arrive at once from a network.
const BLOCK: usize = 64 << 10;

pub(crate) fn run() {
    let everywhere = sched_getaffinity(Pid::this()).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::count()).find(|&cpu| everywhere.is_set(cpu).unwrap()).unwrap()).unwrap();
    // Children inherit it, so OpenSSL runs on the same core.
    sched_setaffinity(Pid::this(), &one).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    println!("Blobs, one core, against `openssl speed -evp aes-256-gcm` of as many bytes\n");
    println!("| what | GB/s | openssl, GB/s | ratio |\n|---|---|---|---|");
    let row = |what: &str, bytes: usize, seconds: f64, openssl: f64| {
        let speed = bytes as f64 / seconds / 1e9;
        println!("| {what} | {speed:.2} | {openssl:.2} | {:.2} |", speed / openssl);
    };

    let key = Key::generate().unwrap();
    let place = BlobPlace { tenant: Uuid::now_v7(), record: Uuid::now_v7(), object: Uuid::now_v7() };
    for kib in [4, 64, 1024, 4095] {
        let plain = vec![7; kib << 10];
        let sealed = seal_part(&key, place.purpose(0), &plain).unwrap().unwrap();
        let time = seconds(|| drop(seal_part(&key, place.purpose(0), &plain).unwrap()));
        row(&format!("seal {kib} KiB in memory"), plain.len(), time, openssl(plain.len()));
        let mut buffer = sealed.clone();
        let time = seconds(|| {
            buffer.copy_from_slice(&sealed);
            open_part(&key, place.purpose(0), &mut buffer).unwrap();
        });
        row(&format!("open {kib} KiB in memory"), plain.len(), time, openssl(plain.len()));
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let bare = tempfile::tempdir_in("/dev/shm").unwrap();
    let stores: [(&str, Blobs, Box<dyn ObjectStore>); 2] = [
        ("memory", Blobs::memory(), Box::new(InMemory::new())),
        (
            "a directory in RAM, with fsync",
            Blobs::local(directory.path()).unwrap(),
            Box::new(LocalFileSystem::new_with_prefix(bare.path()).unwrap().with_fsync(true)),
        ),
    ];
    for (name, blobs, bare) in stores {
        let block = Bytes::from(vec![7; BLOCK]);
        let write = || {
            let blocks = stream::iter((0..OBJECT / BLOCK).map(|_| Ok(block.clone())));
            runtime.block_on(blobs.write(&key, place, blocks)).unwrap();
        };
        row(&format!("write 16 MiB to {name}"), OBJECT, seconds(write), openssl(BLOCK));
        let read = || {
            runtime.block_on(async {
                let mut reader = blobs.read(&key, place, OBJECT as u64, 0..u64::MAX).await.unwrap();
                while reader.next().await.unwrap().is_some() {}
            });
        };
        row(&format!("read 16 MiB from {name}"), OBJECT, seconds(read), openssl(BLOCK));
        // What the store alone takes, parts of 4 MiB that are not sealed: no sealing gets past that.
        let part = Bytes::from(vec![7; PART]);
        let paths: Vec<_> = (0..OBJECT / PART).map(|number| Path::from(format!("part/{number}"))).collect();
        let write = || {
            runtime.block_on(async {
                for path in &paths {
                    // A writer gathers what arrives.
                    bare.put_opts(path, part.to_vec().into(), PutOptions::default()).await.unwrap();
                }
            });
        };
        row(&format!("the store alone: write to {name}"), OBJECT, seconds(write), openssl(BLOCK));
        if name != "memory" {
            let read = || {
                runtime.block_on(async {
                    for path in &paths {
                        drop(bare.get(path).await.unwrap().bytes().await.unwrap());
                    }
                });
            };
            row(&format!("the store alone: read from {name}"), OBJECT, seconds(read), openssl(BLOCK));
        }
    }
    sched_setaffinity(Pid::this(), &everywhere).unwrap();
}

/// GB/s of OpenSSL's own benchmark with so many bytes at once.
fn openssl(bytes: usize) -> f64 {
    let output = Command::new("openssl")
        .args(["speed", "-elapsed", "-seconds", "3", "-bytes", &bytes.to_string(), "-evp", "aes-256-gcm"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // The last word of the last line is thousands of bytes a second: "AES-256-GCM  5236097.47k".
    let last = text.split_whitespace().last().unwrap();
    last.trim_end_matches('k').parse::<f64>().unwrap() / 1e6
}
