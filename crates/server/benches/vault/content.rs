//! Sealing content through pgcrypto and opening it in the program, by size.

use std::time::Instant;

use server::{
    db::{Role, Scope},
    vault::{
        content::{self, Stored},
        seal::Field,
    },
};
use uuid::Uuid;

use crate::{ROUNDS, support::TestDatabase};

/// How many values of each size are sealed and opened in a round.
const VALUES: u32 = 200;

pub(crate) async fn run() {
    let test = TestDatabase::new().await;
    let (database, _) = crate::open(&test).await;
    let scope = Scope::authenticated(Uuid::now_v7(), Uuid::now_v7(), Role::Owner);
    let key = server::vault::key::Key::generate().unwrap();
    let field = Field::new("calls", "sealed", Uuid::now_v7());
    println!("\nContent columns: the program's AES-256-GCM and pgcrypto's AES-256, sealed over a local socket\n");
    println!("| bytes | seal | open | open a value in a list of 50 |\n|---|---|---|---|");
    for bytes in [100, 1_000, 10_000, 100_000, 1_000_000] {
        let plain = vec![7; bytes];
        let values = VALUES.min(2_000_000_000 / (bytes as u32 * 100)).max(5);
        let (mut seal, mut open, mut list) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            let mut tx = database.write(&scope).await.unwrap();
            let mut sealed = Vec::new();
            let start = Instant::now();
            for _ in 0..values {
                sealed = content::seal(&mut tx, &key, &field, &plain).await.unwrap();
            }
            seal = seal.min(start.elapsed().as_secs_f64() / f64::from(values));
            let stored = || Stored { key: &key, field: field.clone(), sealed: &sealed };
            let start = Instant::now();
            for _ in 0..values {
                content::open(&stored()).unwrap();
            }
            open = open.min(start.elapsed().as_secs_f64() / f64::from(values));
            let fifty: Vec<_> = (0..50).map(|_| stored()).collect();
            let start = Instant::now();
            content::open_all(&fifty).unwrap();
            list = list.min(start.elapsed().as_secs_f64() / 50.0);
        }
        let micros = |seconds: f64| format!("{:.0} µs", seconds * 1e6);
        println!("| {bytes} | {} | {} | {} |", micros(seal), micros(open), micros(list));
    }
}
