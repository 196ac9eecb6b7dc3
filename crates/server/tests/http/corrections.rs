//! What a correction takes out of a transcript, what it leaves, and that corrections at the same time do not undo each other.

use axum::http::Method;
use serde_json::json;
use server::{
    auth::{
        accounts::{self, NewPerson},
        tokens::TokenRole,
    },
    db::{Role, Scope},
    transcripts::store,
};
use uuid::Uuid;

use crate::{
    accounts::{PASSWORD, person},
    client::{Answer, Service},
    people::Person,
    sign_in::owner,
    transcripts::transcribed,
};

async fn correct(person: &Person<'_>, call: &str, segment: &str, text: &str) -> Answer {
    let path = format!("/api/calls/{call}/segments/{segment}");
    person.json(Method::PATCH, &path, &json!({ "text": text })).await
}

async fn name(person: &Person<'_>, call: &str, speaker: &str, name: &str) -> Answer {
    let path = format!("/api/calls/{call}/speakers/{speaker}");
    person.json(Method::PATCH, &path, &json!({ "displayName": name })).await
}

#[tokio::test]
async fn a_correction_is_redacted_as_the_tenant_wishes_today_and_what_nobody_touched_stays() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    // From a time when addresses were left, and a number was not found.
    let (app, id) = (&service.app, call.parse().unwrap());
    let mut tx = app.database.write(&person.scope).await.unwrap();
    let mut old = store::get(&mut tx, &app.vault, id).await.unwrap().unwrap();
    old.segments[1].words.clear();
    old.segments[1].text = "Write to ada@example.org or call +1 212 555 0199".to_owned();
    store::put(&mut tx, &app.vault, id, &old).await.unwrap();
    tx.commit().await.unwrap();
    person.json(Method::PATCH, "/api/tenant", &json!({"redactionPolicy": ["EMAIL_ADDRESS"]})).await;
    let corrected = correct(&person, &call, "seg_0001", "I am bob@example.org").await.json();
    assert_eq!(corrected["text"], "I am [e-mail address]");
    name(&person, &call, "spk_2", "Ada").await;
    let stored = person.get(&format!("/api/calls/{call}/transcript")).await.json();
    assert_eq!(stored["segments"][1]["text"], "Write to ada@example.org or call [phone number]");
}

#[tokio::test]
async fn whoever_corrects_a_call_its_owner_is_known_by_name() {
    let service = Service::new().await;
    let (ann, tenant) = {
        let owner = owner(&service, "ann@example.org").await;
        let scope = Scope::authenticated(owner.tenant, owner.user, Role::Owner);
        (Person { service: &service, scope, token: owner.access }, owner.tenant)
    };
    let member = async |email: &str, display_name: &str, role: TokenRole| {
        let member = NewPerson { display_name: Some(display_name.to_owned()), ..person(email, PASSWORD) };
        let user: Uuid = accounts::create_user(&service.app, &ann.scope, Role::Member, &member).await.unwrap();
        let scope = Scope::authenticated(tenant, user, Role::Member);
        Person { service: &service, scope, token: service.token(&scope, role) }
    };
    let bob = member("bob@example.org", "Bob Stone", TokenRole::Colleague).await;
    let eve = member("eve@example.org", "Eve Reed", TokenRole::Colleague).await;
    let wishes = json!({"redactionPolicy": ["PERSON_NAME"], "sharesCalls": true});
    assert_eq!(ann.json(Method::PATCH, "/api/tenant", &wishes).await.status, 200);
    let call = transcribed(&bob).await;
    for corrector in [&bob, &ann, &eve] {
        let corrected = correct(corrector, &call, "seg_0001", "Bob Stone has said so.").await.json();
        assert_eq!(corrected["text"], "[name] has said so.");
    }
}

#[tokio::test]
async fn corrections_at_the_same_time_are_all_made() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    for round in 0..4 {
        let said = [format!("one {round}"), format!("two {round}"), format!("Ana {round}")];
        let answers = tokio::join!(
            correct(&person, &call, "seg_0001", &said[0]),
            correct(&person, &call, "seg_0002", &said[1]),
            name(&person, &call, "spk_2", &said[2]),
        );
        assert_eq!([answers.0.status, answers.1.status, answers.2.status], [200, 200, 200]);
        let stored = person.get(&format!("/api/calls/{call}/transcript")).await.json();
        let segments = &stored["segments"];
        assert_eq!([&segments[0]["text"], &segments[1]["text"], &segments[1]["speaker"]], said.each_ref());
    }
}

#[tokio::test]
async fn nothing_is_corrected_before_the_call_is_completed_so_that_no_recording_is_silenced_by_what_people_wrote() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    let shown = async || person.get(&format!("/api/calls/{call}/transcript")).await.json();
    let before = shown().await;
    // It is analyzed, as while the recording to keep is made and made again; or it has failed.
    for status in [3, 5] {
        person.sql(format!("UPDATE tenant.calls SET status = {status}")).await;
        for answer in [correct(&person, &call, "seg_0001", "-").await, name(&person, &call, "spk_1", "Ana").await] {
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "call_not_completed"));
        }
        assert_eq!(shown().await, before);
    }
    person.sql("UPDATE tenant.calls SET status = 4".to_owned()).await;
    assert_eq!(correct(&person, &call, "seg_0001", "-").await.json()["text"], "-");
}

#[tokio::test]
async fn a_correction_holds_nothing_until_it_is_stored() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    // It gets no further than to the transcript.
    let mut holder = service.installation.postgres.superuser().await;
    let mut other = service.installation.postgres.superuser().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE tenant.artifacts").execute(&mut holder).await.unwrap();
    let meanwhile = async {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query(waits).fetch_optional(&mut other).await.unwrap().is_none() {}
        let free = sqlx::raw_sql("SELECT FROM tenant.calls FOR UPDATE NOWAIT").execute(&mut other).await;
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
        free
    };
    let (corrected, free) = tokio::join!(correct(&person, &call, "seg_0001", "Good day."), meanwhile);
    assert!(free.is_ok(), "others change the call meanwhile: {free:?}");
    assert_eq!(corrected.json()["text"], "Good day.");
}
