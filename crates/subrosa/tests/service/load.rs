//! Many uploads of all sizes at once while many readers page through calls.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;

use crate::{
    client::{Client, Way},
    fleet::Brought,
    ledger,
    program::{Place, Program, until},
    recordings::Recording,
};

/// Memory that an upload may add to the program, in MiB: a part of 4 MiB, and blocks on their way.
const AN_UPLOAD: u64 = 5;

/// Memory that recognition of two calls, connections and the allocator's slack may add, in MiB.
const ANYTHING_ELSE: u64 = 256;

/// How much of everything.
struct Size {
    uploads: usize,
    readers: usize,
    /// Bytes of every tenth recording; most have some 60 kB.
    large: usize,
}

#[tokio::test]
async fn twenty_uploads_and_fifty_readers_meet_no_error_and_lose_no_call() {
    run(&Size { uploads: 20, readers: 50, large: 12 << 20 }).await;
}

#[tokio::test]
#[ignore = "soak: a gigabyte in, and minutes of recognition"]
async fn two_hundred_uploads_and_five_hundred_readers_meet_no_error_and_lose_no_call() {
    run(&Size { uploads: 200, readers: 500, large: 48 << 20 }).await;
}

async fn run(size: &Size) {
    let Some(place) = Place::new() else { return };
    // By default it answers 512 requests at once and tells others to come again; clients with tus read as well.
    let place = place.set("limits.requests=1024").set("limits.uploads_each=256");
    let program = place.start().await;
    let key = program.key().await;
    let (files, memory) = (program.open_files(), program.memory("VmRSS"));

    let readers = Readers::start(size.readers, &program, &key);
    let began = Instant::now();
    let uploads = (0..size.uploads).map(|number| upload(program.client(&key), number, size.large));
    let brought = join_all(uploads).await;
    let took = began.elapsed().as_secs_f64();
    let mut reads = readers.stop().await;

    let bytes: usize = brought.iter().map(|(_, bytes, _)| bytes).sum();
    println!(
        "{} uploads at once, {} MiB: {took:.1} s, {:.1} uploads/s, {:.0} MiB/s",
        size.uploads,
        bytes >> 20,
        size.uploads as f64 / took,
        bytes as f64 / 1048576.0 / took,
    );
    reads.sort_unstable();
    let at = |share: f64| reads[((reads.len() - 1) as f64 * share) as usize].as_millis();
    println!(
        "{} reads by {} readers meanwhile: {:.0}/s, p50 {} ms, p99 {} ms, longest {} ms",
        reads.len(),
        size.readers,
        reads.len() as f64 / took,
        at(0.5),
        at(0.99),
        at(1.0),
    );

    let mut client = program.client(&key);
    let mut ended = Vec::new();
    for (title, _, call) in brought {
        ended.push(Brought { title, call, end: end(&mut client, call).await });
    }
    println!("{} after {:.0} s", ledger::check(&mut client, &ended).await, began.elapsed().as_secs_f64());

    let (peak, bound) = (program.memory("VmHWM"), memory + size.uploads as u64 * AN_UPLOAD + ANYTHING_ELSE);
    println!("memory: {memory} MiB before, {peak} MiB at the peak, bound {bound} MiB");
    assert!(peak <= bound, "{peak} MiB");
    // Connections of these clients are over, but for this one; the pool and the worker may have opened some that stay.
    drop(client);
    let most = files + 64;
    until("files are closed", async || program.open_files() <= most).await;
    println!("open files: {files} before, {} after", program.open_files());
    program.stop().await;
}

/// Brings a recording whose size and way in depend on its number.
async fn upload(mut client: Client, number: usize, large: usize) -> (String, usize, Uuid) {
    let padding = match number % 10 {
        0 => large,
        1..4 => large / 12,
        _ => 0,
    };
    let recording = Recording::new(number, 1 + number % 3, padding);
    let way = match number % 3 {
        0 => Way::Form,
        1 => Way::Chunked,
        _ => Way::Pieces(recording.bytes().div_ceil(3)),
    };
    let call =
        client.upload(&recording, way).await.unwrap_or_else(|trouble| panic!("{}: {trouble:?}", recording.title));
    let bytes = recording.bytes();
    (recording.title, bytes, call)
}

async fn end(client: &mut Client, call: Uuid) -> api::calls::CallStatus {
    loop {
        let status = client.detail(call).await.unwrap().call.status;
        if status.is_terminal() {
            return status;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Readers, each of whom asks for the next thing as soon as it has the last.
struct Readers {
    tasks: JoinSet<()>,
    done: Arc<AtomicBool>,
    took: Arc<Mutex<Vec<Duration>>>,
}

impl Readers {
    fn start(count: usize, program: &Program, key: &str) -> Self {
        let (done, took) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<_>>>::default());
        let tasks = (0..count).map(|_| read(program.client(key), Arc::clone(&done), Arc::clone(&took))).collect();
        Self { tasks, done, took }
    }

    /// How long each read took.
    async fn stop(self) -> Vec<Duration> {
        self.done.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        std::mem::take(&mut self.took.lock().unwrap())
    }
}

/// Pages through the list, and looks at a call of each page and at the progress of all on it.
async fn read(mut client: Client, done: Arc<AtomicBool>, took: Arc<Mutex<Vec<Duration>>>) {
    let note = |began: Instant| took.lock().unwrap().push(began.elapsed());
    let mut cursor: Option<String> = None;
    while !done.load(Ordering::Relaxed) {
        let began = Instant::now();
        let page = client.page(cursor.as_deref(), 20).await.expect("a page");
        note(began);
        let calls: Vec<Uuid> = page.items.iter().map(|call| call.call_id).collect();
        if let Some(call) = calls.first() {
            let began = Instant::now();
            client.detail(*call).await.expect("a call");
            note(began);
            let began = Instant::now();
            assert_eq!(client.progress(&calls).await.expect("progress").len(), calls.len());
            note(began);
        }
        cursor = page.next_cursor;
    }
}
