//! A program that is killed at random moments while calls are in flight. Its PostgreSQL outlives it each time, and is ended by the
//! next start.

use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;

use crate::{
    fleet::Fleet,
    ledger,
    program::{Place, Program},
};

/// Calls in flight: on their way in, waiting, or being worked on.
const IN_FLIGHT: usize = 50;

/// How long a program lives at most before it is killed: some calls get through, and most do not.
const LIFE: Duration = Duration::from_millis(2500);

/// Of so many starts, one is killed before it listens.
const STILLBORN: u8 = 5;

#[tokio::test]
async fn whenever_the_program_is_killed_every_acknowledged_call_comes_to_one_end() {
    run(5).await;
}

#[tokio::test]
#[ignore = "soak: a quarter of an hour"]
async fn two_hundred_kills_of_the_program_lose_no_call_and_make_none_twice() {
    run(std::env::var("SUBROSA_KILLS").map_or(200, |kills| kills.parse().unwrap())).await;
}

async fn run(kills: usize) {
    let Some(place) = Place::new() else { return };
    let seed = std::env::var("SUBROSA_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SUBROSA_SEED={seed}");
    let (mut random, began) = (Rng::with_seed(seed), Instant::now());
    let mut program = place.start().await;
    let key = program.key().await;
    let fleet = Fleet::start(IN_FLIGHT, program.heard.address, &key);
    fleet.brings(IN_FLIGHT / 2).await;
    for killed in 0..kills {
        if killed > 0 && killed.is_multiple_of(20) {
            println!("{killed} kills, {} recordings acknowledged", fleet.acknowledged());
        }
        sleep(LIFE.mul_f64(random.f64())).await;
        program.kill().await;
        fleet.service_is_at(None);
        program = start(&place, &mut random).await;
        fleet.service_is_at(Some(program.heard.address));
    }
    let killed = began.elapsed().as_secs_f64();
    let (acknowledged, refused) = (fleet.acknowledged(), fleet.refused());
    let brought = fleet.close().await;
    let said = ledger::check(&mut program.client(&key), &brought).await;
    println!("{kills} kills in {killed:.0} s, {acknowledged} recordings acknowledged, {refused} requests told to wait");
    println!("{said}, {:.0} s after the last kill", began.elapsed().as_secs_f64() - killed);
    program.stop().await;
}

/// The program again, which is killed while it starts now and then.
async fn start(place: &Place, random: &mut Rng) -> Program {
    while random.u8(..STILLBORN) == 0 {
        let starting = place.spawn();
        sleep(LIFE.mul_f64(random.f64())).await;
        starting.kill().await;
    }
    place.start().await
}
