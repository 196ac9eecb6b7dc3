//! Whose voice a person says it is.

use std::collections::HashSet;

use axum::http::Method;
use serde_json::{Value, json};
use server::{
    db::{Role, Scope},
    search::index,
};

use crate::{
    actions::items,
    analyses::{DONE, work_until},
    client::{Answer, Service},
    made::{called, contact, speakers},
    people::Person,
    renamed::hold,
    sign_in::owner,
    transcripts::{document, put_transcript},
};

async fn patch(person: &Person<'_>, call: &str, speaker: &str, patch: &Value) -> Answer {
    person.json(Method::PATCH, &format!("/api/calls/{call}/speakers/{speaker}"), patch).await
}

async fn transcript(person: &Person<'_>, call: &str) -> Value {
    person.get(&format!("/api/calls/{call}/transcript")).await.json()
}

/// Name, party and where that is known from, of each.
fn parties(transcript: &Value) -> Vec<[&str; 3]> {
    let speakers = transcript["speakers"].as_array().unwrap().iter();
    speakers.map(|one| ["displayName", "role", "labelSource"].map(|field| one[field].as_str().unwrap_or("-"))).collect()
}

/// How long user and contact spoke, as the report of talk has it.
async fn talked(person: &Person<'_>) -> Vec<(String, i64)> {
    // The calls of these tests are of March, and the report is of the last days.
    person.sql("UPDATE tenant.calls SET recorded_at = NULL".to_owned()).await;
    let report = person.get("/api/analytics/talk").await.json();
    let party = |one: &Value| (one["role"].as_str().unwrap().to_owned(), one["talkSeconds"].as_f64().unwrap() as i64);
    report["parties"].as_array().unwrap().iter().map(party).collect()
}

/// Parties of those who have a task, by speaker.
async fn owners(person: &Person<'_>, call: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = items(person, call).await;
    let owners = items.iter().filter(|item| item["owner"].is_object()).map(|item| &item["owner"]);
    owners.map(|owner| (text(&owner["speakerId"]), text(&owner["role"]))).collect()
}

#[tokio::test]
async fn parties_that_were_taken_for_each_other_are_put_right_for_good() {
    let service = Service::new().await;
    let david = owner(&service, "david@example.org").await;
    let scope = Scope::authenticated(david.tenant, david.user, Role::Owner);
    let person = Person { service: &service, scope, token: david.access };
    let me = json!({"displayName": "David Stone"});
    assert_eq!(person.json(Method::PATCH, "/api/users/me", &me).await.status, 200);
    let ravi = contact(&person, &json!({"name": "Ravi Patel"})).await;
    let call = called(&person, &ravi).await;
    assert_eq!(talked(&person).await, [("USER".to_owned(), 12), ("CONTACT".to_owned(), 8)]);
    let before = owners(&person, &call).await;
    assert!(before.contains(&("spk_1".to_owned(), "USER".to_owned())), "{before:?}");

    let answer = patch(&person, &call, "spk_2", &json!({"role": "USER"})).await.json();
    assert_eq!([&answer["displayName"], &answer["role"], &answer["confidence"]], ["David Stone", "USER", "HIGH"]);
    let right = [["Ravi Patel", "CONTACT", "BY_ELIMINATION"], ["David Stone", "USER", "MANUAL"]];
    let stored = transcript(&person, &call).await;
    assert_eq!(parties(&stored), right);
    for segment in stored["segments"].as_array().unwrap() {
        let of = ["spk_1", "spk_2"].iter().position(|id| segment["speakerId"] == *id).unwrap();
        assert_eq!([&segment["speaker"], &segment["role"]], [right[of][0], right[of][1]]);
    }
    assert!(stored["cleanText"].as_str().unwrap().starts_with("Ravi Patel: Hello"));
    assert_eq!(stored["speakerResolution"]["resolvedSpeakerCount"], 2);
    // What was made of it follows, and stays so.
    for _ in 0..2 {
        assert_eq!(talked(&person).await, [("USER".to_owned(), 8), ("CONTACT".to_owned(), 12)]);
        let after = owners(&person, &call).await;
        assert!(after.contains(&("spk_1".to_owned(), "CONTACT".to_owned())), "{after:?}");
        assert!(!after.contains(&("spk_1".to_owned(), "USER".to_owned())), "{after:?}");
        person.send(Method::POST, &format!("/api/calls/{call}/reanalyze"), &[], b"").await;
        work_until(&service, DONE).await;
        assert_eq!(parties(&transcript(&person, &call).await), right);
    }
    // Whom a person says to be the contact is called what the contact is called, and by nothing once that is deleted.
    patch(&person, &call, "spk_1", &json!({"role": "CONTACT"})).await;
    let renamed = json!({"name": "Ravi Shah"});
    assert_eq!(person.json(Method::PUT, &format!("/api/contacts/{ravi}"), &renamed).await.status, 200);
    index::catch_up(&service.app, &person.scope).await.unwrap();
    assert_eq!(speakers(&person, &call).await, ["Ravi Shah", "David Stone"]);
    assert_eq!(person.send(Method::DELETE, &format!("/api/contacts/{ravi}"), &[], b"").await.status, 204);
    index::catch_up(&service.app, &person.scope).await.unwrap();
    assert_eq!(
        parties(&transcript(&person, &call).await),
        [["-", "CONTACT", "MANUAL"], ["David Stone", "USER", "MANUAL"]]
    );
    // And whose voice it is may be nobody's.
    patch(&person, &call, "spk_2", &json!({"role": "UNKNOWN"})).await;
    assert_eq!(parties(&transcript(&person, &call).await)[1], ["-", "UNKNOWN", "MANUAL"]);
}

#[tokio::test]
async fn whose_voice_it_is_is_followed_when_the_legal_hold_is_lifted_under_which_it_was_said() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let ravi = contact(&person, &json!({"name": "Ravi Patel"})).await;
    let call = called(&person, &ravi).await;
    // What people call somebody stays, so that nothing but the parties changes.
    for (speaker, name) in [("spk_1", "Ann"), ("spk_2", "Ben")] {
        assert_eq!(patch(&person, &call, speaker, &json!({ "displayName": name })).await.status, 200);
    }
    hold(&person, &call, true).await;
    let before = talked(&person).await;
    assert_eq!(patch(&person, &call, "spk_2", &json!({"role": "USER"})).await.status, 200);
    assert_eq!(speakers(&person, &call).await, ["Ann", "Ben"]);
    hold(&person, &call, false).await;
    assert_eq!(before, [("USER".to_owned(), 12), ("CONTACT".to_owned(), 8)]);
    assert_eq!(talked(&person).await, [("USER".to_owned(), 8), ("CONTACT".to_owned(), 12)]);
}

#[tokio::test]
async fn a_name_that_came_with_a_party_goes_with_it_and_one_that_a_person_gave_stays() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let ravi = contact(&person, &json!({"name": "Ravi Patel"})).await;
    let asha = contact(&person, &json!({"name": "Asha Rao"})).await;
    let call = person.upload(1, "two").await;
    put_transcript(&person, &call, document()).await;
    let link = async |contact: &str| {
        let link = json!({ "contactId": contact });
        assert_eq!(person.json(Method::PATCH, &format!("/api/calls/{call}/contact"), &link).await.status, 200);
    };
    // Who was said to be the contact is called as it is, also where it is known later.
    patch(&person, &call, "spk_1", &json!({"role": "CONTACT"})).await;
    assert_eq!(speakers(&person, &call).await, ["-", "-"]);
    link(&ravi).await;
    index::catch_up(&service.app, &person.scope).await.unwrap();
    assert_eq!(speakers(&person, &call).await[0], "Ravi Patel");
    // Before upkeep has come by with the name of the next one.
    link(&asha).await;
    patch(&person, &call, "spk_1", &json!({"role": "USER"})).await;
    assert_eq!(speakers(&person, &call).await, ["-", "Asha Rao"]);
    assert!(!transcript(&person, &call).await.to_string().contains("Ravi"));
    // What a person calls somebody stays, and says nothing of the party.
    let two = person.upload(2, "two").await;
    put_transcript(&person, &two, document()).await;
    patch(&person, &two, "spk_2", &json!({"displayName": "Ben"})).await;
    patch(&person, &two, "spk_1", &json!({"role": "USER"})).await;
    assert_eq!(parties(&transcript(&person, &two).await), [["-", "USER", "MANUAL"], ["Ben", "CONTACT", "MANUAL"]]);
}

#[tokio::test]
async fn who_says_what_is_there_corrects_nothing() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "two").await;
    put_transcript(&person, &call, document()).await;
    let path = format!("/api/calls/{call}/transcript");
    patch(&person, &call, "spk_1", &json!({"displayName": "Ann"})).await;
    let before = person.get(&path).await.headers["etag"].clone();
    assert_eq!(patch(&person, &call, "spk_1", &json!({})).await.json()["displayName"], "Ann");
    assert_eq!(patch(&person, &call, "spk_1", &json!({"displayName": "Ann"})).await.status, 200);
    let said =
        person.json(Method::PATCH, &format!("/api/calls/{call}/segments/seg_0002"), &json!({"text": "Hi."})).await;
    assert_eq!(said.status, 200);
    assert_eq!(person.get(&path).await.headers["etag"], before);
    assert_eq!(patch(&person, &call, "spk_9", &json!({})).await.code(), "not_found");
}

#[tokio::test]
async fn no_two_speakers_are_one_party_and_what_a_person_calls_one_stays() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "three").await;
    let mut three = document();
    let mut third = three["speakers"][1].clone();
    third["speakerId"] = json!("spk_3");
    three["speakers"].as_array_mut().unwrap().push(third);
    put_transcript(&person, &call, three).await;
    let named = patch(&person, &call, "spk_3", &json!({"displayName": "Ana", "role": "USER"})).await.json();
    assert_eq!([&named["displayName"], &named["role"]], ["Ana", "USER"]);
    // Of three, nothing follows for the others.
    let stored = transcript(&person, &call).await;
    assert_eq!(parties(&stored)[..2], [["-", "UNKNOWN", "DIARIZATION"]; 2]);
    for speaker in ["spk_1", "spk_2", "spk_3", "spk_1"] {
        for role in ["USER", "CONTACT", "USER", "UNKNOWN", "CONTACT"] {
            assert_eq!(patch(&person, &call, speaker, &json!({"role": role})).await.json()["role"], role);
            let stored = transcript(&person, &call).await;
            let known: Vec<&str> =
                parties(&stored).iter().map(|[_, role, _]| *role).filter(|role| *role != "UNKNOWN").collect();
            assert_eq!(known.len(), known.iter().collect::<HashSet<_>>().len(), "{known:?}");
            assert_eq!(parties(&stored)[2][0], "Ana");
        }
    }
    assert_eq!(patch(&person, &call, "spk_9", &json!({"role": "USER"})).await.code(), "not_found");
    assert_eq!(patch(&person, &call, "spk_1", &json!({"role": "ADMIN"})).await.code(), "validation_failed");
    assert_eq!(patch(&person, &call, "spk_1", &json!({})).await.json()["role"], "CONTACT");
    let stranger = Person::new(&service).await;
    assert_eq!(patch(&stranger, &call, "spk_1", &json!({"role": "USER"})).await.code(), "call_not_found");
}
