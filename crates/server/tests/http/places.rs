//! What lasts long has places, and one tenant does not take those of others.

use axum::{body::Body, http::Method};
use server::{
    db::{Role, Scope},
    http::places::{Place, Places, Shares, Told},
};
use uuid::Uuid;

use crate::{audio, client::Service, people::Person};

/// Told to nobody.
const TOLD: Told =
    Told { user: "the user has their share", tenant: "the tenant has its share", all: "all have theirs" };

/// Takes what is left of a tenant's share, as so many colleagues as it needs.
pub(crate) fn fill(places: &Places, tenant: Uuid) -> Vec<Place> {
    let mut taken = Vec::new();
    loop {
        let (colleague, before) = (Scope::authenticated(tenant, Uuid::now_v7(), Role::Member), taken.len());
        while let Ok(place) = places.take(&colleague, TOLD) {
            taken.push(place);
        }
        if taken.len() == before {
            return taken;
        }
    }
}

/// The status of an answer whose body may have no end, and what is said where it is a refusal.
async fn ask(person: &Person<'_>, path: &str) -> (u16, String) {
    let request = person.request(Method::GET, path, &[("range", "bytes=0-9")]).body(Body::empty()).unwrap();
    let response = person.service.open(request).await;
    let status = response.status().as_u16();
    if status < 400 {
        return (status, String::new());
    }
    assert!(response.headers().contains_key("retry-after"));
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (status, error["error"]["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_tenant_whose_people_watch_as_many_calls_as_they_may_leaves_room_for_others() {
    let service = Service::new().await;
    let (person, other) = (Person::new(&service).await, Person::new(&service).await);
    let path = |call: String| format!("/api/calls/{call}/events");
    let (ours, theirs) = (path(person.upload(1, "ours").await), path(other.upload(2, "theirs").await));
    let taken = fill(&service.app.streams, person.scope.tenant());
    let (status, said) = ask(&person, &ours).await;
    assert!(status == 429 && said.starts_with("your tenant has too many streams open"), "{status} {said}");
    assert_eq!(ask(&other, &theirs).await.0, 200);
    drop(taken);
    assert_eq!(ask(&person, &ours).await.0, 200);
}

#[tokio::test]
async fn a_tenant_whose_people_play_as_many_recordings_as_they_may_is_told_of_that() {
    let service = Service::new().await;
    let (person, other) = (Person::new(&service).await, Person::new(&service).await);
    audio::keeps(&person, true).await;
    let path = format!("/api/calls/{}/audio", audio::kept(&person).await);
    let taken = fill(&service.app.plays, person.scope.tenant());
    let (status, said) = ask(&person, &path).await;
    assert!(status == 429 && said.starts_with("your tenant plays too many recordings"), "{status} {said}");
    assert!(!fill(&service.app.plays, other.scope.tenant()).is_empty(), "others have none");
    drop(taken);
    assert_eq!(ask(&person, &path).await.0, 206);
}

#[test]
fn a_user_a_tenant_and_everybody_have_their_share_and_what_is_given_back_is_there_again() {
    let places = Places::new(Shares { user: 2, tenant: 3, all: 4, retry_after: 1 });
    let somebody = |tenant| Scope::authenticated(Uuid::from_u128(tenant), Uuid::now_v7(), Role::Member);
    let (ann, bob, cem, dan) = (somebody(1), somebody(1), somebody(2), somebody(2));
    let take = |scope: &Scope| places.take(scope, TOLD).map_err(|error| error.message());
    for _ in 0..2 {
        let mut taken = vec![take(&ann).unwrap(), take(&ann).unwrap()];
        assert_eq!(take(&ann).err(), Some(TOLD.user));
        taken.push(take(&bob).unwrap());
        assert_eq!(take(&bob).err(), Some(TOLD.tenant));
        taken.push(take(&cem).unwrap());
        assert_eq!(take(&dan).err(), Some(TOLD.all));
    }
}
