//! How calls look from outside, one and many: what is in that, and whose calls are.

use axum::http::Method;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    analyses::{analysed, analysed_of},
    client::Service,
    people::Person,
    transcripts::{document, put_transcript},
};

/// A call in which every figure is another one, and can be counted by hand.
///
/// The contact breaks into the user's first turn a second before its end, goes on behind a pause of one, and says a word within the user's
/// next. The user speaks 6 + 2.5 + 1 + 0.5 = 10 seconds in 12 + 4 + 3 + 1 = 20 words, the contact 5 + 4 + 0.5 + 2 + 3.5 = 15 in
/// 14 + 13 + 1 + 6 + 11 = 45; both at once 1 + 0.5, nobody 2 + 1 + 3 + 2.5 + 1 + 2 + 3 + 2 = 16.5,
/// of which the user ends 2 + 3 + 2.5 + 2, the contact 1 + 1 + 3.
fn lively() -> Value {
    said(&[
        (1, 2.0, 8.0, "Good morning, this is David, have you looked at the offer yet?"),
        (2, 7.0, 12.0, "Yes, I have looked at all of it, and the price is too high."),
        (2, 13.0, 17.0, "Our budget this year ends at twelve thousand dollars, taxes and delivery included."),
        (1, 20.0, 22.5, "I can go lower."),
        (2, 21.0, 21.5, "Right."),
        (1, 25.0, 26.0, "Would that do?"),
        (2, 27.0, 29.0, "That would do, when is it?"),
        (1, 31.0, 31.5, "Tomorrow."),
        (2, 34.5, 38.0, "Perfect, then send me the new offer and I will sign."),
    ])
}

/// A call of 40 seconds in which the user (1) and the contact (2) say this, from when to when.
fn said(said: &[(u8, f64, f64, &str)]) -> Value {
    let mut transcript = document();
    let segments = (1..).zip(said).map(|(n, (speaker, start, end, text))| {
        json!({"id": format!("seg_{n:04}"), "speaker": format!("Speaker {speaker}"), "speakerId": format!("spk_{speaker}"),
            "sourceSpeakerId": format!("CHANNEL_{speaker}"), "role": "UNKNOWN", "startSeconds": start, "endSeconds": end,
            "text": text, "language": "en", "alignmentConfidence": 1.0, "words": []})
    });
    transcript["segments"] = segments.collect();
    transcript["durationSeconds"] = json!(40.0);
    transcript["speakers"][0]["role"] = json!("USER");
    transcript["speakers"][1]["role"] = json!("CONTACT");
    transcript
}

/// That call, as it is to be told.
fn counted() -> Value {
    json!({
        "durationSeconds": 40.0, "talkSeconds": 23.5, "silenceSeconds": 16.5, "longestSilenceSeconds": 3.0, "overlapSeconds": 1.5,
        "overlaps": 2, "interruptions": 1, "turns": 8, "questions": 3, "words": 65, "wordsPerMinute": 156.0,
        "longestMonologueSeconds": 10.0, "responseLatencySeconds": 2.0,
        "speakers": [
            {"speakerId": "spk_1", "talkSeconds": 10.0, "talkShare": 0.4, "words": 20, "wordsPerMinute": 120.0,
                "longestMonologueSeconds": 6.0, "interruptions": 0, "interrupted": 1, "overlapSeconds": 1.5, "overlaps": 2,
                "silenceSeconds": 9.5, "longestSilenceSeconds": 3.0, "questions": 2, "turns": 4, "responseLatencySeconds": 3.0},
            {"speakerId": "spk_2", "talkSeconds": 15.0, "talkShare": 0.6, "words": 45, "wordsPerMinute": 180.0,
                "longestMonologueSeconds": 10.0, "interruptions": 1, "interrupted": 0, "overlapSeconds": 1.5, "overlaps": 2,
                "silenceSeconds": 5.0, "longestSilenceSeconds": 3.0, "questions": 1, "turns": 4, "responseLatencySeconds": 1.0},
        ],
    })
}

#[tokio::test]
async fn the_talk_of_a_call_is_what_can_be_counted_in_its_transcript() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let member = owner.member().await;
    let path = |call: &str| format!("/api/calls/{call}/talk");
    let waiting = owner.upload(2, "waits").await;
    let early = owner.get(&path(&waiting)).await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (422, "call_not_completed"));

    let call = owner.upload(1, "lively").await;
    put_transcript(&owner, &call, lively()).await;
    let told = owner.get(&path(&call)).await;
    assert_eq!(told.json(), counted());
    let described: api::analytics::TalkAnalytics = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(serde_json::to_value(described).unwrap(), counted(), "it is what the document says");
    for other in [&member, &Person::new(&service).await] {
        assert_eq!(other.get(&path(&call)).await.code(), "call_not_found");
    }

    let etag = told.headers["etag"].to_str().unwrap();
    let again = owner.send(Method::GET, &path(&call), &[("if-none-match", etag)], b"").await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let segment = format!("/api/calls/{call}/segments/seg_0008");
    assert_eq!(owner.json(Method::PATCH, &segment, &json!({"text": "When? Never?"})).await.status, 200);
    let corrected = owner.send(Method::GET, &path(&call), &[("if-none-match", etag)], b"").await.json();
    assert_eq!((&corrected["speakers"][0]["words"], &corrected["questions"]), (&json!(21), &json!(5)));
}

#[tokio::test]
async fn a_report_has_each_figure_of_a_call_in_its_place() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed_of(&person, 1, lively()).await;
    recorded(&person, &call, "NULL").await;
    let report = person.get("/api/analytics/talk").await.json();
    let counted = counted();
    assert_eq!(report["calls"], 1);
    let kept = [
        "durationSeconds",
        "talkSeconds",
        "silenceSeconds",
        "longestSilenceSeconds",
        "overlapSeconds",
        "overlaps",
        "interruptions",
        "questions",
        "wordsPerMinute",
        "longestMonologueSeconds",
        "responseLatencySeconds",
    ];
    for field in kept {
        assert_eq!(report[field], counted[field], "{field}: {report}");
    }
    for (party, role) in ["USER", "CONTACT"].into_iter().enumerate() {
        let told = report["parties"][party].as_object().unwrap();
        assert_eq!((&told["role"], &told["calls"]), (&json!(role), &json!(1)));
        for (field, value) in told.iter().filter(|(field, _)| !["role", "calls"].contains(&field.as_str())) {
            assert_eq!(*value, counted["speakers"][party][field], "{role}, {field}: {report}");
        }
        assert_eq!(told.len(), 14, "{report}");
    }

    // As a version left it that did not measure this of speakers.
    person.sql("UPDATE tenant.call_metrics SET silence_ms = NULL WHERE speaker = 1".to_owned()).await;
    let older = person.get("/api/analytics/talk").await.json();
    for field in ["silenceSeconds", "longestSilenceSeconds", "overlapSeconds", "overlaps"] {
        assert_eq!((older["parties"][0].get(field), &older["parties"][1][field]), (None, &report["parties"][1][field]));
    }
}

/// Says when a call was recorded.
async fn recorded(person: &Person<'_>, call: &str, at: &str) {
    person.sql(format!("UPDATE tenant.calls SET recorded_at = {at} WHERE id = '{call}'")).await;
}

#[tokio::test]
async fn calls_are_of_the_day_on_which_they_were_recorded_or_uploaded_where_nobody_said() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let [old, late, unknown] = [analysed(&person, 1).await, analysed(&person, 2).await, analysed(&person, 3).await];
    let today = Utc::now().date_naive();
    let ago = |days| today - TimeDelta::days(days);
    recorded(&person, &old, &format!("'{} 12:00Z'", ago(40))).await;
    recorded(&person, &late, &format!("'{} 00:01Z'", ago(3))).await;
    recorded(&person, &unknown, "NULL").await;
    person.sql(format!("UPDATE tenant.calls SET created_at = '{} 23:59Z' WHERE id = '{unknown}'", ago(5))).await;
    // By a clock that was ahead: of its upload, and not in every report from now on.
    let ahead = analysed(&person, 4).await;
    recorded(&person, &ahead, "'2062-03-01 12:00Z'").await;
    person.sql(format!("UPDATE tenant.calls SET created_at = '{} 12:00Z' WHERE id = '{ahead}'", ago(7))).await;
    for report in ["talk", "vibe"] {
        for (days, expected) in [("", vec![7, 5, 3]), ("?days=4", vec![3]), ("?days=60", vec![40, 7, 5, 3])] {
            let told = person.get(&format!("/api/analytics/{report}{days}")).await.json();
            assert_eq!(told["calls"], expected.len(), "{report}: {told}");
            let expected: Vec<_> = expected.into_iter().map(|days| (json!(ago(days)), json!(1))).collect();
            let by_day =
                told["byDay"].as_array().unwrap().iter().map(|day| (day["date"].clone(), day["calls"].clone()));
            assert_eq!(by_day.collect::<Vec<_>>(), expected, "{report}{days}");
        }
    }
}

#[tokio::test]
async fn how_fast_people_speak_is_told_of_those_whose_words_can_be_counted() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let japanese =
        said(&[(1, 1.0, 9.0, "来週の月曜日に送ります。 よろしいですか？"), (2, 10.0, 30.0, "はい、 お願いします。")]);
    let call = analysed_of(&person, 1, japanese).await;
    recorded(&person, &call, "NULL").await;
    let talk = person.get(&format!("/api/calls/{call}/talk")).await;
    let described: api::analytics::TalkAnalytics = serde_json::from_slice(&talk.body).unwrap();
    assert_eq!(serde_json::to_value(&described).unwrap(), talk.json());
    let speeds = described.speakers.iter().map(|one| (one.words, one.words_per_minute));
    assert!(
        speeds.chain([(described.words, described.words_per_minute)]).all(|one| one == (None, None)),
        "{described:?}"
    );
    let report = person.get("/api/analytics/talk").await.json();
    for part in [&report, &report["parties"][0], &report["parties"][1]] {
        assert_eq!(part.get("wordsPerMinute"), None, "{report}");
    }
    assert_eq!((millis(&report["talkSeconds"]), &report["questions"]), (28_000, &json!(1)));

    // The contact of this one speaks Japanese too; its user adds to the user of the other.
    let mut mixed = lively();
    mixed["segments"][1]["text"] = json!("はい。");
    for (seed, transcript) in [(2, lively()), (3, mixed)] {
        let call = analysed_of(&person, seed, transcript).await;
        recorded(&person, &call, "NULL").await;
    }
    let report = person.get("/api/analytics/talk").await.json();
    let speeds = [&report["parties"][0], &report["parties"][1], &report].map(|part| &part["wordsPerMinute"]);
    // 20 words in 10 seconds, twice; 45 in 15.
    assert_eq!(speeds, [&json!(120.0), &json!(180.0), &json!(85.0 * 60.0 / 35.0)]);
    assert_eq!(millis(&report["parties"][0]["talkSeconds"]), 28_000, "who is not counted spoke nonetheless");
}

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
    owner.sql("UPDATE tenant.calls SET recorded_at = NULL".to_owned()).await;
    recorded(&owner, &old, "now() - interval '40 days'").await;
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
    recorded(&person, &call, "NULL").await;
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

/// Scores are stored with seven digits.
fn is_near(told: &Value, expected: f64) -> bool {
    told.as_f64().is_some_and(|told| (told - expected).abs() < 1e-6)
}

#[tokio::test]
async fn vibes_of_several_calls_are_their_means_party_by_party_and_their_counts() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    // In the first one party is glad and the other is not; in the second both are milder; in the third only the user feels anything.
    let mut calls = [
        said(&[
            (1, 0.0, 8.0, "Certainly, sir, this is a wonderful plan and I love it."),
            (2, 10.0, 18.0, "This is a terrible delay and I hate it."),
        ]),
        said(&[(1, 0.0, 8.0, "Certainly, sir, that is a good idea."), (2, 10.0, 18.0, "There is a problem with it.")]),
        said(&[(1, 0.0, 8.0, "Yeah, gonna be great, guys."), (2, 10.0, 18.0, "来週の月曜日に送ります。")]),
    ];
    calls[2]["segments"][1]["language"] = json!("ja");
    let mut found = Vec::new();
    for (seed, transcript) in (1..).zip(calls) {
        let call = analysed_of(&person, seed, transcript).await;
        recorded(&person, &call, &format!("now() - interval '{seed} days'")).await;
        found.push(person.get(&format!("/api/calls/{call}/analysis")).await.json());
    }
    let scores = |of: &str| -> Vec<f64> {
        found.iter().filter_map(|one| one["sentiment"].pointer(of).and_then(Value::as_f64)).collect()
    };
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
    let [of_calls, of_users, of_contacts] = ["/score", "/userSentiment/score", "/contactSentiment/score"].map(scores);
    assert_eq!((of_calls.len(), of_users.len(), of_contacts.len()), (3, 3, 2), "{found:?}");
    // Each would show where it is in another's place.
    assert!(of_users.iter().all(|score| *score > 0.0) && of_contacts.iter().all(|score| *score < 0.0), "{found:?}");
    assert!(of_users[0] != of_users[1] && of_users[1] != of_users[2] && of_contacts[0] != of_contacts[1], "{found:?}");

    let report = person.get("/api/analytics/vibe").await.json();
    assert_eq!(report["calls"], 3, "{report}");
    for (field, scores) in [("score", &of_calls), ("userScore", &of_users), ("contactScore", &of_contacts)] {
        assert!(is_near(&report[field], mean(scores)), "{field}: {report} {scores:?}");
    }
    assert_eq!(report["formality"], json!({"formal": 2, "semiFormal": 0, "informal": 1}));
    for (of, field) in [
        ("sentiment", "/sentiment/overall"),
        ("tone", "/tone/overall"),
        ("energy", "/tone/energy"),
        ("pace", "/tone/pace"),
    ] {
        for (code, count) in report[of].as_object().unwrap() {
            let expected = found.iter().filter(|one| one.pointer(field).unwrap() == code.as_str()).count();
            assert_eq!(*count, expected, "{of} {code}: {report}");
        }
    }
    let by_day = report["byDay"].as_array().unwrap();
    assert!(by_day.iter().zip(of_calls.iter().rev()).all(|(day, score)| is_near(&day["score"], *score)), "{report}");
    let together = "UPDATE tenant.calls SET recorded_at = (SELECT min(recorded_at) FROM tenant.calls)
                    WHERE recorded_at < now() - interval '36 hours'";
    person.sql(together.to_owned()).await;
    let report = person.get("/api/analytics/vibe").await.json();
    let days: Vec<_> = report["byDay"].as_array().unwrap().iter().map(|day| &day["calls"]).collect();
    assert_eq!(days, [2, 1], "{report}");
    assert!(is_near(&report["byDay"][0]["score"], mean(&of_calls[1..])), "{report}");
}
