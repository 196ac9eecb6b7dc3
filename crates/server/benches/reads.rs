//! What a transcript costs its reader: GET /api/calls/{id}/transcript of the real service over TCP, with sign-in, row-level security and
//! decryption, against an axum route of this file that answers the same bytes out of a plain table, by a login that no policy holds.
//! `cargo bench -p server --bench reads`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark prints and fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "the kits of the tests are shared, each user takes its part")]

#[path = "../tests/http/client.rs"]
mod client;
#[path = "../tests/vault/kit.rs"]
mod kit;
#[path = "../tests/http/people.rs"]
mod people;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use axum::{Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use client::Service;
use people::Person;
use serde_json::json;
use server::{serve, transcripts::store};
use sqlx::{ConnectOptions as _, PgPool, postgres::PgConnectOptions};
use tokio::net::TcpListener;
use uuid::Uuid;

/// Ten minutes of a call: segments of 6 s with 15 words each, 150 words a minute.
const SEGMENTS: usize = 100;
const WORDS: usize = 15;

/// Connections of each pool, as many as the kit's.
const CONNECTIONS: u32 = 6;

/// Readers at once, each with a connection that is kept alive.
const READERS: usize = 4;

/// How long each way is measured, in turns, so that a busy machine slows both alike; the median of the turns' ratios counts.
const TURN: Duration = Duration::from_secs(1);
const TURNS: usize = 9;

/// More than are read: the service counts the requests of this run as it does all, and refuses none.
const RATE: &str = "1000000/1s";

/// Longest head of an answer.
const HEAD: usize = 8 * 1024;

#[tokio::main]
async fn main() {
    let service = Service::set(&[("rates.read", RATE)]).await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    let path = format!("/api/calls/{call}/transcript");
    let body = person.get(&path).await.body;
    let pool = plain(&service, call, &body).await;
    let route = Router::new().route("/api/calls/{id}/transcript", get(read)).with_state(pool);
    let (sealed, plain) = (listen(&service, service.router()).await, listen(&service, route).await);
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n\r\n", person.token);
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        let (through, around) = (rate(sealed, &request, &body).await, rate(plain, &request, &body).await);
        turns.push((through / around, through, around));
    }
    turns.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, through, around) = turns[TURNS / 2];
    let (least, most) = (turns[0].0, turns[TURNS - 1].0);
    println!(
        "transcript of {} bytes: {through:.0} /s from the service, {around:.0} /s in plain, ratio {ratio:.2} ({least:.2} to {most:.2})",
        body.len()
    );
}

/// A call with a transcript of ten minutes.
async fn transcribed(person: &Person<'_>) -> Uuid {
    let call = person.upload(1, "Offer").await.parse().unwrap();
    let transcript = serde_json::from_value(document()).unwrap();
    let mut tx = person.service.app.database.write(&person.scope).await.unwrap();
    store::put(&mut tx, &person.service.app.vault, call, &transcript).await.unwrap();
    tx.commit().await.unwrap();
    call
}

fn said(words: usize) -> String {
    vec!["sixteen"; words].join(" ")
}

fn document() -> serde_json::Value {
    let words = |start: f64| -> Vec<_> {
        let at = |n: usize| start + n as f64 * 0.4;
        let word = |n| json!({"text": "sixteen", "startSeconds": at(n), "endSeconds": at(n + 1), "confidence": 0.937});
        (0..WORDS).map(word).collect()
    };
    let segment = |n: usize| {
        let (speaker, start) = (n % 2 + 1, n as f64 * 6.0);
        json!({"id": format!("seg_{n:04}"), "speaker": format!("Speaker {speaker}"), "speakerId": format!("spk_{speaker}"),
            "sourceSpeakerId": format!("CHANNEL_{speaker}"), "role": "UNKNOWN", "startSeconds": start, "endSeconds": start + 6.0,
            "text": said(WORDS), "alignmentConfidence": 1.0, "words": words(start)})
    };
    let speaker = |n: usize| {
        json!({"speakerId": format!("spk_{n}"), "sourceSpeakerId": format!("CHANNEL_{n}"), "label": format!("Speaker {n}"),
            "displayName": null, "role": "UNKNOWN", "confidence": null, "labelSource": "DIARIZATION", "voiceMatchScore": null})
    };
    json!({"schemaVersion": 2, "language": "en", "durationSeconds": SEGMENTS as f64 * 6.0,
        "cleanText": said(SEGMENTS * WORDS), "speakers": [speaker(1), speaker(2)],
        "segments": (0..SEGMENTS).map(segment).collect::<Vec<_>>(),
        "speakerResolution": {"strategyVersion": 0, "usedUserDisplayName": false, "usedContactName": false, "usedDirection": false,
            "usedPhoneFallback": false, "voiceEmbeddingEnabled": false, "voiceProfileUsed": false, "voiceMatchStatus": null,
            "totalSpeakerCount": 2, "resolvedSpeakerCount": 0, "warnings": []},
        "pipeline": {"transcriptionProvider": "local", "transcriptionModel": "base", "diarizationProvider": "channels",
            "diarizationModel": null, "alignmentVersion": 1, "normalizationVersion": 1, "status": "COMPLETED", "warnings": []}})
}

/// The same bytes where nothing guards them.
async fn plain(service: &Service, call: Uuid, body: &[u8]) -> PgPool {
    let test = &service.installation.postgres;
    let options = PgConnectOptions::new_without_pgpass().socket(&test.socket).port(5432).username("postgres");
    let options = options.database(&test.name).disable_statement_logging();
    let pool = sqlx::postgres::PgPoolOptions::new().test_before_acquire(false).max_connections(CONNECTIONS);
    let pool = pool.connect_with(options).await.unwrap();
    let table =
        "CREATE SCHEMA plain; CREATE TABLE plain.transcripts (call_id uuid PRIMARY KEY, document bytea NOT NULL)";
    sqlx::raw_sql(table).execute(&pool).await.unwrap();
    let insert = sqlx::query("INSERT INTO plain.transcripts VALUES ($1, $2)").bind(call).bind(body);
    insert.execute(&pool).await.unwrap();
    pool
}

/// One transaction with one read, given up like the service's, which waits for no COMMIT either.
async fn read(State(pool): State<PgPool>, axum::extract::Path(call): axum::extract::Path<Uuid>) -> impl IntoResponse {
    let mut tx = pool.begin_with("BEGIN READ ONLY").await.unwrap();
    let query = sqlx::query_scalar("SELECT document FROM plain.transcripts WHERE call_id = $1").bind(call);
    let document: Vec<u8> = query.fetch_one(&mut *tx).await.unwrap();
    drop(tx);
    ([(CONTENT_TYPE, "application/json")], document)
}

/// Serves as the program does.
async fn listen(service: &Service, router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, limits) = (listener.local_addr().unwrap(), service.app.operation.config.limits.clone());
    tokio::spawn(async move { serve::serve(listener, router, &limits, std::future::pending()).await });
    address
}

/// Answers a second.
async fn rate(address: SocketAddr, request: &str, body: &[u8]) -> f64 {
    let (request, body) = (request.to_owned(), body.to_owned());
    let read = move || {
        thread::scope(|threads| {
            let readers: Vec<_> = (0..READERS).map(|_| threads.spawn(|| reads(address, &request, &body))).collect();
            readers.into_iter().map(|reader| reader.join().unwrap()).sum()
        })
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// One reader: the answers a second that it gets.
fn reads(address: SocketAddr, request: &str, body: &[u8]) -> f64 {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_nodelay(true).unwrap();
    let (start, mut count, mut buffer) = (Instant::now(), 0, vec![0; HEAD + body.len()]);
    while start.elapsed() < TURN {
        connection.write_all(request.as_bytes()).unwrap();
        let mut filled = 0;
        let length = loop {
            filled += connection.read(&mut buffer[filled..]).unwrap();
            if let Some(end) = buffer[..filled].windows(4).position(|at| at == b"\r\n\r\n") {
                break end + 4 + body.len();
            }
        };
        connection.read_exact(&mut buffer[filled..length]).unwrap();
        // A status, another document or a part of one would not end like this.
        assert!(buffer.starts_with(b"HTTP/1.1 200 ") && buffer[length - body.len()..length] == *body);
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}
