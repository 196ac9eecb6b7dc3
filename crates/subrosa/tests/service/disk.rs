//! A disk without room while calls are in flight: what was acknowledged stays, what was not is told so, and with room again it goes on.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    process::Command,
};

use tempfile::TempDir;

use crate::{
    client::{Trouble, Way},
    fleet::Fleet,
    ledger,
    program::{Place, skipped},
    recordings::Recording,
};

/// A small file system that goes with the test.
struct Small(TempDir);

impl Small {
    /// Only root can make one; `None` where this is not root, or may not mount.
    fn mount(mebibytes: u32) -> Option<Self> {
        let directory = TempDir::with_prefix("subrosa-").unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]).arg(directory.path());
        let output = mount.output().unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            skipped(&format!("no small file system can be mounted: {}", why.trim()));
            return None;
        }
        Some(Self(directory))
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("filler")).unwrap();
        for size in [1 << 20, 1 << 12] {
            while file.write(&vec![7; size]).is_ok_and(|written| written == size) {}
        }
    }

    fn clear(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn uploads_to_a_full_disk_are_told_to_come_again_and_nothing_else_suffers() {
    let Some(small) = Small::mount(64) else { return };
    let Some(place) = Place::new() else { return };
    symlink(small.0.path(), place.data().join("objects")).unwrap();
    let program = place.start().await;
    let key = program.key().await;
    let fleet = Fleet::start(4, program.heard.address, &key);
    fleet.brings(4).await;
    small.fill();
    let (mut client, recording) = (program.client(&key), Recording::new(1000, 1, 8 << 20));
    for way in [Way::Form, Way::Pieces(1 << 20)] {
        let Err(Trouble::Refused(answer)) = client.upload(&recording, way).await else { panic!("there is no room") };
        assert_eq!(answer.status, 503, "{answer}");
        assert!(answer.headers.contains_key("retry-after"), "{answer}");
    }
    assert!(client.calls().await.unwrap().len() >= 4, "reads need no room");
    small.clear();
    fleet.brings(4).await;
    let (refused, brought) = (fleet.refused(), fleet.close().await);
    let said = ledger::check(&mut client, &brought).await;
    println!("objects without room: {refused} requests told to wait; {said}");
    program.stop().await;
}

#[tokio::test]
async fn a_disk_that_is_full_under_everything_loses_nothing_that_was_acknowledged() {
    // A new cluster takes 60 MiB, and its write-ahead log 16 MiB more now and then.
    let Some(small) = Small::mount(256) else { return };
    let Some(place) = Place::on(small.0.path()) else { return };
    let mut program = place.start().await;
    let key = program.key().await;
    let fleet = Fleet::start(4, program.heard.address, &key);
    fleet.brings(4).await;
    small.fill();
    // PostgreSQL may go on without room for a while, or end; the program then ends with it.
    let (mut client, recording) = (program.client(&key), Recording::new(1000, 1, 8 << 20));
    let mut has_ended = false;
    for way in [Way::Form, Way::Pieces(1 << 20), Way::Chunked] {
        match client.upload(&recording, way).await {
            Err(Trouble::Refused(answer)) => assert_eq!(answer.status, 503, "{answer}"),
            Err(Trouble::Lost) => has_ended = true,
            Ok(call) => panic!("{call} was acknowledged, and there is no room"),
        }
    }
    if has_ended {
        assert_eq!(program.starting.end().await, Some(7), "{}", place.last_words());
    }
    small.clear();
    if has_ended {
        fleet.service_is_at(None);
        program = place.start().await;
        fleet.service_is_at(Some(program.heard.address));
    }
    fleet.brings(4).await;
    let (refused, brought) = (fleet.refused(), fleet.close().await);
    let said = ledger::check(&mut program.client(&key), &brought).await;
    let ended = if has_ended { "the program ended and was started again" } else { "the program went on" };
    println!("all data without room: {ended}, {refused} requests told to wait; {said}");
    program.stop().await;
}
