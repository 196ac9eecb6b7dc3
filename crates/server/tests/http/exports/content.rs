//! What is in an archive.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::json;

use super::{ann, ask, bob, build, download, files, json_of, state};
use crate::{analyses::analysed, client::Service, transcripts::transcribed};

/// Tables with a user's rows that are in no archive, and why.
const LEFT_OUT: [(&str, &str); 9] = [
    ("record_keys", "keys: what they seal is there"),
    ("run_keys", "keys of what must not outlive redaction"),
    ("contact_tokens", "keyed hashes of numbers, addresses and names of contacts, which are there"),
    ("export_calls", "shares of the archive's own key"),
    ("upload_pieces", "where bytes of an upload lie; uploads are there"),
    ("idempotency_keys", "answers of the last day about what is there"),
    ("jobs", "how far a call is, which its status says"),
    ("legal_holds", "that a call is held is there; the reason is the tenant's"),
    ("search_postings", "keyed hashes of the words of transcripts, which are there"),
];

/// Tables that are read for an archive.
const EXPORTED: [&str; 12] = [
    "action_items",
    "api_keys",
    "artifacts",
    "call_metrics",
    "calls",
    "consents",
    "contacts",
    "exports",
    "processing_events",
    "uploads",
    "voice_profiles",
    "memberships",
];

#[tokio::test]
async fn every_table_with_rows_of_a_user_is_exported_or_left_out_for_a_reason() {
    let service = Service::new().await;
    let mut superuser = service.installation.postgres.superuser().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'tenant'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname IN ('owner_id', 'user_id')",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    let known = LEFT_OUT.iter().map(|(table, _)| *table).chain(EXPORTED);
    assert_eq!(
        tables.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        known.collect(),
        "a new table with rows of a user is exported (exports::user), or on a list here with the reason why not"
    );
}

#[tokio::test]
async fn an_archive_holds_what_was_found_in_a_call_and_what_was_measured_of_it() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let call = analysed(&ann, 1).await;
    let export = ask(&ann).await;
    build(&service).await;
    let files = files(&download(&ann, &export).await);
    let of = |name: &str| json_of(&files, &format!("calls/{call}/{name}"));
    assert_eq!(of("analysis.json"), ann.get(&format!("/api/calls/{call}/analysis")).await.json());
    assert_eq!(of("phone-endings.json"), json!({"seg_0005": "0199"}));
    let metrics = of("call.json")["metrics"].clone();
    assert_eq!((&metrics[0]["talk_ms"], &metrics[2]["questions"]), (&json!(20_000), &json!(1)), "{metrics}");
}

#[tokio::test]
async fn an_archive_holds_everything_about_the_user_and_nothing_about_others() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let bob = bob(&ann).await;
    let consent = |given| json!({"kind": "TERMS", "version": 3, "given": given});
    for given in [true, false, true] {
        let answer = ann.json(Method::PATCH, "/api/users/me/consent", &consent(given)).await;
        assert_eq!(answer.status, 200);
    }
    let key = json!({"name": "the crane's key", "scopes": ["calls:read"]});
    let key = ann.json(Method::POST, "/api/tenant/api-keys", &key).await.json();
    let metadata = "title c2FpZCBiZWZvcmUgdGhlIGNhbGw="; // "said before the call"
    let headers = [("tus-resumable", "1.0.0"), ("upload-length", "1000"), ("upload-metadata", metadata)];
    assert_eq!(ann.send(Method::POST, "/api/uploads", &headers, b"").await.status, 201);
    let call = transcribed(&ann).await;
    let correction = json!({"text": "What Ann corrected."});
    let path = format!("/api/calls/{call}");
    assert_eq!(ann.json(Method::PATCH, &format!("{path}/segments/seg_0001"), &correction).await.status, 200);
    let hostile = "</td><script>alert('heron')</script>";
    assert_eq!(ann.json(Method::PATCH, &path, &json!({"title": hostile, "notes": "what Ann noted"})).await.status, 200);
    let hold = json!({"held": true, "reason": "the tenant's reason"});
    assert_eq!(ann.json(Method::PUT, &format!("{path}/legal-hold"), &hold).await.status, 200);
    let bobs = bob.upload(9, "what Bob owns").await;
    let contact = json!({"name": "Carl Heron", "phoneNumbers": ["+49 30 901820"], "notes": "</td><b>met in May"});
    assert_eq!(ann.json(Method::POST, "/api/contacts", &contact).await.status, 201);
    let theirs = json!({"name": "whom Bob knows, bob@example.org"});
    assert_eq!(bob.json(Method::POST, "/api/contacts", &theirs).await.status, 201);
    let task = json!({"title": "what Ann does", "dueDate": "2026-12-19"});
    assert_eq!(ann.json(Method::POST, &format!("{path}/action-items"), &task).await.status, 201);

    let export = ask(&ann).await;
    assert_eq!(state(&ann, &export).await.0, "PENDING");
    assert_eq!(download(&ann, &export).await.code(), "conflict");
    build(&service).await;
    let shown = ann.get(&export).await.json();
    assert_eq!((&shown["status"], &shown["calls"]), (&json!("READY"), &json!(1)));
    let answer = download(&ann, &export).await;
    assert_eq!(answer.headers["content-type"], "application/zip");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let files = files(&answer);

    let folder = format!("calls/{call}/");
    let of_call = ["action-items.json", "call.json", "redactions.json", "transcript.json", "transcript.txt"];
    let mut names: Vec<String> = of_call.map(|name| format!("{folder}{name}")).into();
    names.extend(
        [
            "README.txt",
            "api-keys.json",
            "audit.json",
            "consents.json",
            "contacts.json",
            "exports.json",
            "index.html",
            "memberships.json",
        ]
        .map(str::to_owned),
    );
    names.extend(["profile.json", "sessions.json", "uploads.json", "voice-profile.json"].map(str::to_owned));
    assert_eq!(files.keys().cloned().collect::<BTreeSet<_>>(), names.into_iter().collect());

    let profile = json_of(&files, "profile.json");
    assert_eq!((&profile["email"], &profile["displayName"]), (&json!("ann@example.org"), &json!("Ann Lee")));
    assert_eq!((&profile["role"], &profile["tenantName"]), (&json!("OWNER"), &json!("Heron Ltd")));
    let consents = json_of(&files, "consents.json");
    assert_eq!(consents.as_array().unwrap().len(), 2);
    assert_eq!((&consents[0]["kind"], &consents[0]["version"]), (&json!("TERMS"), &json!(3)));
    assert!(consents[0]["withdrawnAt"].is_string() && consents[1]["withdrawnAt"].is_null());
    assert_eq!(json_of(&files, "api-keys.json")[0]["name"], "the crane's key");
    assert_eq!(json_of(&files, "uploads.json")[0]["said"]["title"], "said before the call");
    assert_eq!(json_of(&files, "memberships.json")[0]["tenantId"], ann.scope.tenant().to_string());
    assert_eq!(json_of(&files, "sessions.json").as_array().unwrap().len(), 1);
    let actions = json_of(&files, "audit.json");
    let actions: Vec<&str> =
        actions.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    for action in ["CreateApiKey", "SetLegalHold", "RequestExport"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
    let about = json_of(&files, &format!("{folder}call.json"));
    assert_eq!((&about["title"], &about["notes"]), (&json!(hostile), &json!("what Ann noted")));
    assert_eq!(about["legalHold"], true);
    assert!(about["events"].is_array());
    let contacts = json_of(&files, "contacts.json");
    assert_eq!((contacts.as_array().unwrap().len(), &contacts[0]["name"]), (1, &json!("Carl Heron")));
    assert!(index_shows(&files, "+49 30 901820") && index_shows(&files, "&lt;/td&gt;&lt;b&gt;met in May"));
    let items = json_of(&files, &format!("{folder}action-items.json"));
    assert_eq!((&items[0]["title"], &items[0]["dueDate"]), (&json!("what Ann does"), &json!("2026-12-19")));
    let said = &json_of(&files, &format!("{folder}transcript.json"))["segments"][0]["text"];
    assert_eq!(said, "What Ann corrected.");
    assert!(text(&files, &format!("{folder}transcript.txt")).contains("What Ann corrected."));
    let index = text(&files, "index.html");
    assert!(index.contains("&lt;script&gt;alert(&#39;heron&#39;)") && !index.contains("<script"), "{index}");
    assert!(index.contains(&format!("href=\"{folder}call.json\"")) && !index.contains("://"), "{index}");

    for (name, content) in &files {
        let content = String::from_utf8_lossy(content);
        for secret in
            [key["token"].as_str().unwrap(), &ann.token, "the tenant's reason", "what Bob owns", &bobs, "bob@"]
        {
            assert!(!content.contains(secret), "{name} holds {secret}");
        }
    }
}

fn index_shows(files: &BTreeMap<String, Vec<u8>>, what: &str) -> bool {
    text(files, "index.html").contains(what)
}

fn text(files: &BTreeMap<String, Vec<u8>>, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}
