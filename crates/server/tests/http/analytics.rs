//! Reports over many calls: what is in them, and whose calls are.

use serde_json::{Value, json};

use crate::{analyses::analysed, client::Service, people::Person};

/// As whole milliseconds, because sums of a database need not end where those of a test do.
fn millis(seconds: &Value) -> i64 {
    (seconds.as_f64().unwrap() * 1000.0).round() as i64
}

#[tokio::test]
async fn talk_is_summed_over_the_calls_that_the_caller_may_see_and_the_days_that_were_asked_for() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let member = owner.member().await;
    let old = analysed(&owner, 1).await;
    analysed(&owner, 2).await;
    analysed(&member, 3).await;
    analysed(&Person::new(&service).await, 4).await;
    owner.sql(format!("UPDATE tenant.calls SET created_at = now() - interval '40 days' WHERE id = '{old}'")).await;
    for (person, days, calls) in [(&owner, "", 2), (&owner, "?days=365", 3), (&member, "?days=365", 1)] {
        let report = person.get(&format!("/api/analytics/talk{days}")).await.json();
        assert_eq!(report["calls"], calls, "{report}");
        // Five turns of four seconds each, a second apart, in half a minute.
        assert_eq!(millis(&report["talkSeconds"]), calls * 20_000);
        assert_eq!(millis(&report["durationSeconds"]), calls * 30_000);
        assert_eq!(millis(&report["silenceSeconds"]), calls * 10_000);
        let parties = report["parties"].as_array().unwrap();
        let shown: Vec<_> =
            parties.iter().map(|party| (party["role"].as_str().unwrap(), millis(&party["talkSeconds"]))).collect();
        assert_eq!(shown, [("USER", calls * 12_000), ("CONTACT", calls * 8_000)]);
        assert_eq!((&parties[0]["talkShare"], &parties[1]["questions"]), (&json!(0.6), &json!(calls)));
        assert_eq!(millis(&parties[0]["responseLatencySeconds"]), 1000);
        let by_day = report["byDay"].as_array().unwrap();
        assert_eq!(by_day.iter().map(|day| day["calls"].as_i64().unwrap()).sum::<i64>(), calls);
    }
    for days in ["0", "366", "x"] {
        assert_eq!(owner.get(&format!("/api/analytics/talk?days={days}")).await.code(), "validation_failed");
    }
}

#[tokio::test]
async fn vibes_are_counted_without_opening_anything() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let empty = person.get("/api/analytics/vibe").await.json();
    assert_eq!((&empty["calls"], &empty["score"], &empty["byDay"]), (&json!(0), &Value::Null, &json!([])));
    let call = analysed(&person, 1).await;
    let found = person.get(&format!("/api/calls/{call}/analysis")).await.json();
    // Nothing is left to open.
    person.sql("UPDATE tenant.calls SET sealed = NULL; DELETE FROM tenant.record_keys".to_owned()).await;
    let report = person.get("/api/analytics/vibe?days=1").await.json();
    assert_eq!(report["calls"], 1, "{report}");
    let (told, stored) = (report["score"].as_f64().unwrap(), found["sentiment"]["score"].as_f64().unwrap());
    assert!((told - stored).abs() < 1e-6, "{told} {stored}");
    assert_eq!(report["sentiment"][found["sentiment"]["overall"].as_str().unwrap()], 1);
    assert_eq!(report["tone"][found["tone"]["overall"].as_str().unwrap()], 1);
    assert_eq!(report["energy"][found["tone"]["energy"].as_str().unwrap()], 1);
    assert_eq!(report["pace"][found["tone"]["pace"].as_str().unwrap()], 1);
    assert_eq!(report["byDay"][0]["calls"], 1);
}
