//! Two programs over one database, one of which dies with a call in its hands.

use std::time::Duration;

use api::calls::{CallStatus, ProcessingEvent, StageOutcome};
use chrono::Utc;
use nix::sys::signal::Signal;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    client::{Client, Way},
    outages::Postgres,
    program::Place,
    recordings::Recording,
};

/// Within this a dead worker's call has another one.
const MOST: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_killed_programs_call_is_taken_over_by_another_one_within_a_minute() {
    let Some(place) = Place::new() else { return };
    let postgres = Postgres::start().await;
    // The same keys and objects, as two machines have them that share a key service and a bucket. Each takes one call at a time.
    let place = postgres.behind(place).set("worker.calls=1");
    let first = place.start().await;
    let key = first.key().await;
    let second = place.start().await;
    let mut client = second.client(&key);
    // One call each. The first program is stopped, so that what it has stays what it has, and only then killed.
    let mut number = 0;
    let calls = loop {
        let calls = [upload(&mut client, number).await, upload(&mut client, number + 1).await];
        number += 2;
        let mut statuses = look(&mut client, &calls).await;
        while statuses.contains(&CallStatus::Queued) && !statuses.contains(&CallStatus::Completed) {
            sleep(LOOK).await;
            statuses = look(&mut client, &calls).await;
        }
        first.starting.signal(Signal::SIGSTOP);
        if look(&mut client, &calls).await == [CallStatus::Transcribing; 2] {
            break calls;
        }
        // It was done with it already.
        first.starting.signal(Signal::SIGCONT);
    };
    let killed = Utc::now();
    first.kill().await;
    let mut begun = Vec::new();
    for call in calls {
        let events = client.events(call).await.unwrap();
        let is_begin =
            |event: &&ProcessingEvent| event.stage == "TRANSCRIBED" && event.outcome == StageOutcome::Started;
        begun.extend(events.iter().filter(is_begin).map(|event| event.at));
    }
    let taken_over = begun.into_iter().max().unwrap();
    let took = (taken_over - killed).to_std().expect("begun once more after the kill");
    println!("taken over {:.1} s after the kill", took.as_secs_f64());
    assert!(took <= MOST, "{took:?}");
    assert_eq!(look(&mut client, &calls).await, [CallStatus::Completed; 2]);
    second.stop().await;
}

/// Half a minute of speech, which takes a program a second or two.
async fn upload(client: &mut Client, number: usize) -> Uuid {
    client.upload(&Recording::new(number, 30, 0), Way::Form).await.unwrap()
}

async fn look(client: &mut Client, calls: &[Uuid]) -> Vec<CallStatus> {
    client.progress(calls).await.unwrap().iter().map(|call| call.status).collect()
}
