//! Calls are found by their words, of which the database has none.

use axum::http::Method;
use serde_json::{Value, json};
use server::{
    db::Scope,
    search::{index, remembered},
};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::{
    analyses::analysed,
    client::{Answer, Service},
    contacts::add,
    people::Person,
    transcripts::{document, put_transcript},
};

/// A call in which this is said, one text after the other, and is indexed as upkeep does it.
pub(crate) async fn call(person: &Person<'_>, title: &str, (language, said): (&str, &[&str])) -> String {
    static NUMBER: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
    let call = person.upload(NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed), title).await;
    let mut spoken = document();
    let segment = spoken["segments"][0].clone();
    spoken["language"] = json!(language);
    spoken["segments"] = json!([]);
    for (n, text) in said.iter().enumerate() {
        let mut one = segment.clone();
        (one["id"], one["text"], one["startSeconds"]) = (json!(format!("seg_{n:04}")), json!(text), json!(n * 2));
        one["words"] = json!([]);
        spoken["segments"].as_array_mut().unwrap().push(one);
    }
    put_transcript(person, &call, spoken).await;
    upkeep(person).await;
    call
}

/// Upkeep of one tenant, until nothing is left to do.
pub(crate) async fn upkeep(person: &Person<'_>) {
    let (app, scope) = (&person.service.app, &person.scope);
    index::catch_up(app, scope).await.unwrap();
    let mut place = Some(remembered::Place::default());
    while let Some(after) = place {
        place = remembered::catch_up(app, scope, after).await.unwrap();
    }
}

pub(crate) async fn search(person: &Person<'_>, query: &str) -> Answer {
    let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    person.get(&format!("/api/calls/search?q={query}")).await
}

/// The calls that a query finds, the best first.
pub(crate) async fn found(person: &Person<'_>, query: &str) -> Vec<String> {
    let answer = search(person, query).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    ids(&answer.json())
}

pub(crate) fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|hit| hit["callId"].as_str().unwrap().to_owned()).collect()
}

pub(crate) async fn count(service: &Service, statement: &'static str) -> i64 {
    let mut superuser = service.installation.postgres.superuser().await;
    let count = sqlx::query_scalar(statement).fetch_one(&mut superuser).await.unwrap();
    superuser.close().await.unwrap();
    count
}

const POSTINGS: &str = "SELECT count(*) FROM tenant.search_postings";

#[tokio::test]
async fn a_call_is_found_by_what_was_said_in_any_form_and_shows_where() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let said = ("en", &["Hello Ann.", "We sent two offers — one for the 😀 boat.", "The offer ends on Friday."][..]);
    let offer = call(&person, "Boat", said).await;
    let other = call(&person, "Offers", ("en", &["Nothing of the kind."])).await;
    // The one that says it most first; and a title weighs more than what was said.
    assert_eq!(found(&person, "offer").await, [other.clone(), offer.clone()]);
    assert_eq!(found(&person, "OFFERS boat").await, [offer.as_str()]);
    assert!(found(&person, "offer trombone").await.is_empty());
    let action = json!({"title": "Call Ann back"});
    person.json(Method::POST, &format!("/api/calls/{offer}/action-items"), &action).await;
    let hit = &search(&person, "offer boats").await.json()["items"][0];
    assert_eq!((&hit["title"], &hit["status"]), (&json!("Boat"), &json!("COMPLETED")));
    assert_eq!((&hit["firstActionTitle"], &hit["actionItemCount"]), (&json!("Call Ann back"), &json!(1)));
    assert!(hit["score"].as_f64().unwrap() > 0.0);
    let snippets = hit["snippets"].as_array().unwrap();
    assert_eq!(snippets.len(), 3);
    let best = &snippets[0];
    assert_eq!(
        (&best["field"], &best["segmentId"], &best["startSeconds"]),
        (&json!("TRANSCRIPT"), &json!("seg_0001"), &json!(2.0))
    );
    let text: Vec<u16> = best["text"].as_str().unwrap().encode_utf16().collect();
    let marked = best["highlights"].as_array().unwrap().iter().map(|one| {
        let at = |name: &str| one[name].as_u64().unwrap() as usize;
        String::from_utf16(&text[at("start")..at("end")]).unwrap()
    });
    assert_eq!(marked.collect::<Vec<_>>(), ["offers", "boat"]);
    assert_eq!(snippets[1]["field"], "TITLE");
}

#[tokio::test]
async fn words_are_found_in_their_other_forms_in_five_languages_at_once() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    for (language, said, asked) in [
        ("en", "They were meeting the suppliers.", "meetings supplier"),
        ("de", "Die Verträge sind gekündigt.", "vertrag"),
        ("fr", "Les réunions sont annulées.", "reunion annulée"),
        ("es", "Cambiaron las reservaciones.", "reservación"),
        ("pt", "Os pagamentos chegaram.", "pagamento"),
        ("ja", "東京で会いましょう", "東京"),
    ] {
        let call = call(&person, "-", (language, &[said])).await;
        assert_eq!(found(&person, asked).await, [call], "{language}");
    }
}

#[tokio::test]
async fn a_phrase_stands_together_and_what_a_minus_names_is_left_out() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let near = call(&person, "near", ("en", &["Please follow up on the red boat."])).await;
    let far = call(&person, "far", ("en", &["Up the red hill, follow the boat."])).await;
    // The end of one person's words and the beginning of another's are no phrase.
    let split = call(&person, "split", ("en", &["We follow.", "Up the red", "boat."])).await;
    assert_eq!(found(&person, "\"red boat\"").await, [near.as_str()]);
    assert_eq!(found(&person, "follow-up").await, [near.as_str()]);
    // One word at two places of a phrase.
    assert_eq!(found(&person, "\"the red boat\" the").await, [near.as_str()]);
    assert!(found(&person, "\"red red\"").await.is_empty());
    let twice = call(&person, "twice", ("en", &["Bye bye, then."])).await;
    assert_eq!(found(&person, "\"bye bye then\"").await, [twice]);
    let mut rest = found(&person, "boat -\"red boat\"").await;
    rest.sort();
    assert_eq!(rest, [far.clone(), split.clone()]);
    assert_eq!(found(&person, "boat -please -hill").await, [split]);
    assert_eq!(found(&person, "red -please -we").await, [far]);
    // One that is in every call and one that is in none.
    assert!(found(&person, "boat -red").await.is_empty());
    assert_eq!(found(&person, "boat -trombone").await.len(), 3);
}

#[tokio::test]
async fn a_search_is_narrowed_like_a_list_and_comes_in_pages() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let mut calls = Vec::new();
    for n in 0..5 {
        calls.push(call(&person, "-", ("en", &[&"boat ".repeat(n + 1)])).await);
    }
    person.sql(format!("UPDATE tenant.calls SET created_at = '2026-01-01' WHERE id = '{}'", calls[3])).await;
    let narrowed = async |rest: &str| ids(&person.get(&format!("/api/calls/search?q=boat{rest}")).await.json());
    assert_eq!(narrowed("&to=2026-02-01T00:00:00Z").await, [calls[3].clone()]);
    assert_eq!(narrowed("&from=2026-02-01T00:00:00Z").await.len(), 4);
    assert_eq!(narrowed("&status=COMPLETED").await.len(), 5);
    assert!(narrowed("&status=FAILED").await.is_empty());
    let contact = add(&person, &json!({"name": "Ann Heron"})).await;
    let contact = contact.rsplit('/').next().unwrap();
    assert!(narrowed(&format!("&contactId={contact}")).await.is_empty());
    let linked =
        person.json(Method::PATCH, &format!("/api/calls/{}/contact", calls[2]), &json!({"contactId": contact})).await;
    assert_eq!(linked.status, 200);
    assert_eq!(narrowed(&format!("&contactId={contact}")).await, [calls[2].clone()]);
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = person.get(&format!("/api/calls/search?q=boat&limit=2{cursor}")).await.json();
        walked.extend(ids(&page));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(walked, narrowed("").await);
    assert_eq!(walked.len(), 5);
    for wrong in ["", "q=", "q=-boat", "q=boat&limit=51", "q=boat&limit=0", "q=boat&cursor=x", "q=boat&status=DONE"] {
        assert_eq!(person.get(&format!("/api/calls/search?{wrong}")).await.code(), "validation_failed", "{wrong}");
    }
    assert_eq!(search(&person, &"boat ".repeat(17)).await.code(), "validation_failed");
}

#[tokio::test]
async fn what_a_person_corrects_is_found_as_corrected_at_once() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = call(&person, "Boat", ("en", &["A trombone was sold."])).await;
    let path = format!("/api/calls/{call}");
    let corrected =
        person.json(Method::PATCH, &format!("{path}/segments/seg_0000"), &json!({"text": "A trumpet."})).await;
    assert_eq!(corrected.status, 200);
    assert!(found(&person, "trombone").await.is_empty());
    assert_eq!(found(&person, "trumpets").await, [call.as_str()]);
    let changed = person.json(Method::PATCH, &path, &json!({"title": "Brass", "notes": "Ask for mouthpieces"})).await;
    assert_eq!(changed.status, 200);
    assert!(found(&person, "boat").await.is_empty());
    assert_eq!(found(&person, "brass mouthpiece").await, [call.as_str()]);
    person.json(Method::PATCH, &format!("{path}/speakers/spk_2"), &json!({"displayName": "Quentin"})).await;
    let hit = &search(&person, "quentin").await.json()["items"][0];
    assert_eq!((&hit["callId"], &hit["snippets"][0]["field"]), (&json!(call), &json!("SPEAKER")));
}

#[tokio::test]
async fn a_call_is_found_by_whom_it_is_linked_to_and_no_longer_once_it_is_not() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = call(&person, "-", ("en", &["A trombone was sold."])).await;
    let quentin = add(&person, &json!({"name": "Quentin"})).await;
    let link = async |contact: Option<&str>| {
        let path = format!("/api/calls/{call}/contact");
        person.json(Method::PATCH, &path, &json!({"contactId": contact})).await
    };
    assert_eq!(link(quentin.rsplit('/').next()).await.status, 200);
    assert_eq!(found(&person, "quentin").await, [call.as_str()]);
    assert_eq!(link(None).await.status, 200);
    assert!(found(&person, "quentin").await.is_empty());
}

#[tokio::test]
async fn a_call_is_found_by_the_title_that_an_analysis_gave_it() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let title = person.get(&format!("/api/calls/{call}")).await.json()["title"].clone();
    let hits = search(&person, &format!("\"{}\"", title.as_str().unwrap())).await.json();
    let mut fields = hits["items"][0]["snippets"].as_array().unwrap().iter().map(|snippet| &snippet["field"]);
    assert!(fields.any(|field| field == "TITLE"), "{hits}");
}

#[tokio::test]
async fn upkeep_gives_up_a_call_that_is_damaged_and_comes_back_to_one_that_only_failed() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let said = ("en", &["A trombone was sold."][..]);
    let (failing, damaged, sound) =
        (call(&person, "-", said).await, call(&person, "-", said).await, call(&person, "-", said).await);
    person
        .sql(format!(
            "UPDATE tenant.calls SET search_words = NULL WHERE id <> '{sound}';
             UPDATE tenant.calls SET search_version = 0 WHERE id = '{sound}'; DELETE FROM tenant.search_postings;
             UPDATE tenant.artifacts SET sealed = set_byte(sealed, octet_length(sealed) - 1, get_byte(sealed, octet_length(sealed) - 1) # 1)
               WHERE call_id = '{damaged}' AND kind = 4;
             ALTER TABLE tenant.search_postings ADD CONSTRAINT fails CHECK (call_id <> '{failing}')"
        ))
        .await;
    index::catch_up(&service.app, &person.scope).await.unwrap();
    assert_eq!(found(&person, "trombone").await, [sound.as_str()]);
    person.sql("ALTER TABLE tenant.search_postings DROP CONSTRAINT fails".to_owned()).await;
    index::catch_up(&service.app, &person.scope).await.unwrap();
    let mut both = found(&person, "trombone").await;
    both.sort();
    assert_eq!(both, [failing, sound]);
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.calls WHERE search_words = 0").await, 1);
}

#[tokio::test]
async fn a_deleted_call_leaves_no_posting() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let gone = call(&person, "-", ("en", &["A trombone was sold."])).await;
    let stays = call(&person, "-", ("en", &["A trombone was bought."])).await;
    let before = count(&service, POSTINGS).await;
    assert_eq!(before, 8);
    assert_eq!(person.send(Method::DELETE, &format!("/api/calls/{gone}"), &[], b"").await.status, 204);
    assert_eq!(count(&service, POSTINGS).await, 4);
    assert_eq!(found(&person, "trombone").await, [stays]);
}

#[tokio::test]
async fn a_member_finds_own_calls_and_nobody_finds_another_tenants() {
    let service = Service::new().await;
    let (owner, stranger) = (Person::new(&service).await, Person::new(&service).await);
    let member = owner.member().await;
    let said = ("en", &["A trombone was sold."][..]);
    let (owners, members) = (call(&owner, "-", said).await, call(&member, "-", said).await);
    let strangers = call(&stranger, "-", said).await;
    assert_eq!(found(&member, "trombone").await, [members.as_str()]);
    assert_eq!(found(&stranger, "trombone").await, [strangers]);
    let mut all = found(&owner, "trombone").await;
    all.sort();
    assert_eq!(all, [owners, members]);
}

#[tokio::test]
async fn the_index_holds_no_word_and_another_tenant_has_other_tokens_for_the_same() {
    let service = Service::new().await;
    let tenants = [Person::new(&service).await, Person::new(&service).await];
    for person in &tenants {
        call(person, "Brass", ("en", &["A trombone, another trombone, and one more trombone was sold."])).await;
    }
    let mut superuser = service.installation.postgres.superuser().await;
    let rows = "SELECT encode(token || positions, 'escape') || s::text FROM tenant.search_postings s";
    let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut superuser).await.unwrap();
    assert_eq!(rows.len(), 2 * 9);
    let stems = ["trombon", "brass", "sold", "more"];
    let hex = |word: &str| word.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(rows.iter().all(|row| stems.iter().all(|stem| !row.contains(stem) && !row.contains(&hex(stem)))));
    let distinct = count(&service, "SELECT count(DISTINCT token) FROM tenant.search_postings").await;
    assert_eq!(distinct, 18, "no token of one tenant is one of the other");
    // Neither does the order of the rows, or what is said where: the same places of one word, in two calls, are not the same bytes.
    let in_order = "SELECT bool_and(token > before) FROM (SELECT token, lag(token) OVER (PARTITION BY call_id ORDER BY ctid) AS before
                    FROM tenant.search_postings) s WHERE before IS NOT NULL";
    assert!(sqlx::query_scalar::<_, bool>(in_order).fetch_one(&mut superuser).await.unwrap());
    let frequent =
        "SELECT positions FROM tenant.search_postings WHERE term_frequency = 3 AND octet_length(positions) = 3";
    let places: Vec<Vec<u8>> = sqlx::query_scalar(frequent).fetch_all(&mut superuser).await.unwrap();
    assert!(places.len() == 2 && places[0] != places[1]);
    superuser.close().await.unwrap();
}

/// The statements that look for postings, of the calls of all and of those of one person.
const STATEMENTS: [&str; 3] = [
    include_str!("../../src/search/newest.sql"),
    include_str!("../../src/search/among.sql"),
    include_str!("../../src/search/places.sql"),
];
const OWN: &str = include_str!("../../src/search/newest_own.sql");

#[tokio::test]
async fn the_planner_finds_postings_by_their_index_under_row_level_security() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let member = person.member().await;
    let (tenant, user, own) = (person.scope.tenant(), person.scope.user(), member.scope.user());
    // Enough of them that reading all would cost more, of which the member's are few.
    person
        .sql(format!(
            "INSERT INTO tenant.calls (tenant_id, id, owner_id)
               SELECT '{tenant}', gen_random_uuid(), CASE WHEN n % 100 = 0 THEN '{own}' ELSE '{user}' END::uuid FROM generate_series(1, 200) n;
             INSERT INTO tenant.search_postings
               SELECT '{tenant}', c.id, c.owner_id, 1, 1, substring(sha256(n::text::bytea) FOR 16), '\\x00'
               FROM tenant.calls c, generate_series(1, 100) n;
             ANALYZE tenant.search_postings; ANALYZE tenant.calls"
        ))
        .await;
    for scope in [person.scope, member.scope] {
        for statement in STATEMENTS {
            let plan = plan(&service, &scope, statement).await;
            assert!(plan.contains("using search_postings_pkey on search_postings"), "{plan}");
            assert!(plan.contains("token = t.token") && !plan.contains("Seq Scan"), "{plan}");
        }
    }
    let plan = plan(&service, &member.scope, OWN).await;
    assert!(plan.contains("using search_postings_own on search_postings") && !plan.contains("Sort"), "{plan}");
    let found = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or_default();
    assert!(["tenant_id =", "owner_id =", "token ="].iter().all(|one| found.contains(one)), "{plan}");
}

/// What the planner makes of a statement for a word and two calls.
async fn plan(service: &Service, scope: &Scope, statement: &'static str) -> String {
    let mut tx = service.app.database.read(scope).await.unwrap();
    let explained =
        sqlx::query(AssertSqlSafe(format!("EXPLAIN {statement}"))).bind(scope.tenant()).bind(vec![vec![0u8; 16]]);
    let explained = if statement.contains("LIMIT") {
        explained.bind(10i64)
    } else {
        explained.bind(vec![uuid::Uuid::nil(), uuid::Uuid::max()])
    };
    let explained = if statement.contains("$4") { explained.bind(scope.user()) } else { explained };
    let lines = explained.fetch_all(tx.conn()).await.unwrap();
    lines.iter().map(|line| line.get::<String, _>(0) + "\n").collect()
}
