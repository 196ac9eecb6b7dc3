//! Tenants that are full of canaries: every field that holds content has one of its own.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::{Value, json};
use server::{
    artifacts::{self, Artifact},
    auth::{
        accounts::{self, NewPerson},
        person::EmailAddress,
        tokens::TokenRole,
    },
    db::{Role, Scope},
    exports,
    transcripts::store,
    vault::seal::RecordKind,
};
use uuid::Uuid;

use crate::{
    accounts::PASSWORD,
    client::Service,
    people::{Person, recording},
    sign_in::login,
};

/// Ids by the names that requests have for them.
pub(crate) type Ids = BTreeMap<&'static str, String>;

/// Every field of a house that holds content.
const FIELDS: [&str; 20] = [
    "acquaintance",
    "analysis",
    "contact",
    "invitation",
    "key",
    "name",
    "notes",
    "organization",
    "owner",
    "phone",
    "remark",
    "role",
    "speaker",
    "summary",
    "task",
    "text",
    "title",
    "turn",
    "webhook",
    "word",
];

/// A tenant with an owner, who has everything, a member and an auditor.
pub(crate) struct House {
    pub(crate) ids: Ids,
    /// Access tokens by role, and an API key that opens no call.
    pub(crate) tokens: BTreeMap<&'static str, String>,
    /// In every canary of the owner.
    pub(crate) content: String,
    pub(crate) tenant_name: String,
    name: String,
    scope: Scope,
}

/// Ids of the same shape that name nothing.
pub(crate) fn nobodys(ids: &Ids) -> Ids {
    let other = |id: &String| id.parse::<Uuid>().map_or_else(|_| id.clone(), |_| Uuid::now_v7().to_string());
    ids.iter().map(|(name, id)| (*name, other(id))).collect()
}

fn person(address: &str, name: &str) -> NewPerson {
    let email = EmailAddress::parse(address).unwrap();
    NewPerson { email, display_name: Some(name.to_owned()), password: PASSWORD.into() }
}

impl House {
    pub(crate) async fn new(service: &Service, name: &str) -> Self {
        // Letters alone: redaction takes digits for a number.
        let random = Uuid::new_v4().simple().to_string();
        let letters = random.bytes().map(|digit| char::from(b'g' + digit % 16));
        let content: String = name.chars().filter(|letter| letter.is_alphabetic()).chain(letters).collect();
        let tenant_name = format!("canary-name-of-{}", Uuid::new_v4().simple());
        let email = format!("owner@{name}.example.org");
        let owner = person(&email, &format!("canary-owner-{content}"));
        let (tenant, user) = accounts::create_tenant(&service.app, &tenant_name, &owner).await.unwrap();
        let signed_in = login(service, &email, PASSWORD).await.json();
        let scope = Scope::authenticated(tenant, user, Role::Owner);
        let ids = [("tenant", tenant.to_string()), ("segId", "seg_0001".into()), ("speakerId", "spk_1".into())];
        let owner = ("OWNER", signed_in["accessToken"].as_str().unwrap().to_owned());
        let (ids, tokens) = (ids.into_iter().collect(), [owner].into_iter().collect());
        let mut house = Self { ids, tokens, content, tenant_name, name: name.to_owned(), scope };
        house.keep("sessionId", &signed_in["sessionId"]);
        for role in ["MEMBER", "AUDITOR"] {
            let token = house.spare(service, role).await;
            house.tokens.insert(role, token);
        }
        house.furnish(service).await;
        house
    }

    fn keep(&mut self, name: &'static str, id: &Value) {
        self.ids.insert(name, id.as_str().unwrap_or_else(|| panic!("no {name}: {id}")).to_owned());
    }

    fn canary(&self, field: &str) -> String {
        format!("canary-{field}-{}", self.content)
    }

    /// One more person, who signed in.
    pub(crate) async fn spare(&self, service: &Service, role: &str) -> String {
        let (role, in_token) = match role {
            "OWNER" => (Role::Owner, TokenRole::Owner),
            "MEMBER" => (Role::Member, TokenRole::Member),
            _ => (Role::Auditor, TokenRole::Auditor),
        };
        let new = person(&format!("p{}@{}.example.org", Uuid::now_v7().simple(), self.name), "a spare person");
        let user = accounts::create_user(&service.app, &self.scope, role, &new).await.unwrap();
        service.token(&Scope::authenticated(self.scope.tenant(), user, role), in_token)
    }

    /// Fills every field of the owner and the tenant.
    async fn furnish(&mut self, service: &Service) {
        let owner = Person { service, scope: self.scope, token: self.tokens["OWNER"].clone() };
        let bystander = person(&format!("bystander@{}.example.org", self.name), &self.canary("role"));
        let bystander = accounts::create_user(&service.app, &self.scope, Role::Member, &bystander).await.unwrap();
        self.keep("userId", &json!(bystander));
        let key = json!({"name": self.canary("key"), "scopes": ["account:read"]});
        let key = owner.json(Method::POST, "/api/tenant/api-keys", &key).await.json();
        self.keep("apiKeyId", &key["apiKeyId"]);
        self.tokens.insert("KEY", key["token"].as_str().unwrap().to_owned());
        let webhook = json!({"url": format!("https://{}.example.org/", self.canary("webhook")), "description": self.canary("webhook"),
            "events": ["call.failed"]});
        let webhook = owner.json(Method::POST, "/api/tenant/webhooks", &webhook).await.json();
        self.keep("webhookId", &webhook["webhookId"]);
        let test = format!("/api/tenant/webhooks/{}/test", self.ids["webhookId"]);
        let delivery = owner.send(Method::POST, &test, &[], b"").await.json();
        self.keep("deliveryId", &delivery["deliveryId"]);
        owner
            .sql(format!("UPDATE tenant.webhook_deliveries SET state = 3 WHERE id = '{}'", self.ids["deliveryId"]))
            .await;
        let invitation = json!({"email": self.canary("invitation") + "@example.org", "role": "MEMBER"});
        let invitation = owner.json(Method::POST, "/api/tenant/invitations", &invitation).await.json();
        self.keep("invitationId", &invitation["invitationId"]);
        self.call(&owner).await;

        let export = owner.send(Method::POST, "/api/users/me/export", &[], b"").await.json();
        self.keep("exportId", &export["exportId"]);
        exports::work(&service.app).await.unwrap();
        let about = json!({"phoneNumber": "+49 30 901820"});
        let export = owner.json(Method::POST, "/api/tenant/data-subjects/export", &about).await.json();
        self.keep("subjectExportId", &export["exportId"]);
        exports::work(&service.app).await.unwrap();

        let gone = owner.upload(2, "gone").await;
        let gone = owner.send(Method::DELETE, &format!("/api/calls/{gone}"), &[], b"").await;
        self.keep("receiptId", &json!(gone.headers["deletion-receipt"].to_str().unwrap()));
        let headers = [("tus-resumable", "1.0.0"), ("upload-length", "1000"), ("upload-metadata", "title Y2FuYXJ5")];
        let upload = owner.send(Method::POST, "/api/uploads", &headers, b"").await;
        self.keep("upload", &json!(upload.headers["location"].to_str().unwrap().rsplit('/').next()));
        owner.upload(3, "the next page").await;
        let calls = owner.get("/api/calls?limit=1").await.json();
        self.keep("callsCursor", &calls["nextCursor"]);
        let members = owner.get("/api/tenant/members?limit=1").await.json();
        self.keep("membersCursor", &members["nextCursor"]);
    }

    /// A call with a transcript and everything that can be said of it.
    async fn call(&mut self, owner: &Person<'_>) {
        let metadata = json!({"title": self.canary("title"), "contactName": self.canary("contact"), "language": "en",
            "organization": self.canary("organization"), "phoneNumber": self.canary("phone")});
        let file = recording(1, 1000);
        let accepted = owner.form(&[("metadata", metadata.to_string().as_bytes()), ("file", &file)], &[]).await;
        assert_eq!(accepted.status, 202, "{}", String::from_utf8_lossy(&accepted.body));
        self.keep("call", &accepted.json()["callId"]);
        let path = format!("/api/calls/{}", self.ids["call"]);
        let patch = json!({"notes": self.canary("notes"), "summary": self.canary("summary")});
        assert_eq!(owner.json(Method::PATCH, &path, &patch).await.status, 200);
        let service = owner.service;
        let mut tx = service.app.database.write(&self.scope).await.unwrap();
        let transcript = serde_json::from_value(self.transcript()).unwrap();
        store::put(&mut tx, &service.app.vault, self.ids["call"].parse().unwrap(), &transcript).await.unwrap();
        let key =
            service.app.vault.record_key(&mut tx, RecordKind::Call, self.ids["call"].parse().unwrap()).await.unwrap();
        let place = (self.ids["call"].parse().unwrap(), Artifact::Analysis);
        let analysis = json!({"schemaVersion": 3, "suggestedTitle": self.canary("analysis"), "keyPoints": ["-"]});
        artifacts::put(&mut tx, place, (&key, None), analysis.to_string().as_bytes()).await.unwrap();
        tx.commit().await.unwrap();
        owner.sql(format!("UPDATE tenant.calls SET status = 4 WHERE id = '{}'", self.ids["call"])).await;
        let contact = json!({"name": self.canary("acquaintance"), "notes": self.canary("remark"), "phoneNumbers": ["+49 30 901820"]});
        let contact = owner.json(Method::POST, "/api/contacts", &contact).await.json();
        self.keep("contact", &contact["contactId"]);
        let item = json!({"title": self.canary("task")});
        let item = owner.json(Method::POST, &format!("{path}/action-items"), &item).await.json();
        self.keep("actionItem", &item["actionItemId"]);
        let name = json!({"displayName": self.canary("speaker")});
        assert_eq!(owner.json(Method::PATCH, &format!("{path}/speakers/spk_1"), &name).await.status, 200);
    }

    fn transcript(&self) -> Value {
        json!({"schemaVersion": 2, "language": "en", "durationSeconds": 5.0, "cleanText": self.canary("turn"),
            "speakers": [{"speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_1", "label": "Speaker 1", "displayName": null,
                "role": "UNKNOWN", "confidence": null, "labelSource": "DIARIZATION", "voiceMatchScore": null}],
            "segments": [{"id": "seg_0001", "speaker": "Speaker 1", "speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_1",
                "role": "UNKNOWN", "startSeconds": 0.5, "endSeconds": 2.5, "text": self.canary("text") + " " + &self.canary("word"), "alignmentConfidence": 1.0,
                "words": [{"text": self.canary("text"), "startSeconds": 0.5, "endSeconds": 1.5, "confidence": 0.5},
                    {"text": self.canary("word"), "startSeconds": 1.5, "endSeconds": 2.5, "confidence": 0.5}]}],
            "speakerResolution": {"strategyVersion": 0, "usedUserDisplayName": false, "usedContactName": false,
                "usedDirection": false, "usedPhoneFallback": false, "voiceEmbeddingEnabled": false, "voiceProfileUsed": false,
                "voiceMatchStatus": null, "totalSpeakerCount": 1, "resolvedSpeakerCount": 0, "warnings": []},
            "pipeline": {"transcriptionProvider": "local", "transcriptionModel": "base", "diarizationProvider": "channels",
                "diarizationModel": null, "alignmentVersion": 1, "normalizationVersion": 1, "status": "COMPLETED", "warnings": []}})
    }

    /// Everything is still there and as it was: the owner finds each canary.
    pub(crate) async fn is_untouched(&self, service: &Service) {
        let owner = Person { service, scope: self.scope, token: self.tokens["OWNER"].clone() };
        let call = format!("/api/calls/{}", self.ids["call"]);
        let paths = [
            "/api/users/me",
            "/api/contacts",
            "/api/tenant",
            "/api/tenant/members?limit=200",
            "/api/tenant/invitations",
            "/api/tenant/api-keys",
            "/api/tenant/webhooks",
        ];
        let mut found = BTreeSet::new();
        for path in paths
            .map(str::to_owned)
            .into_iter()
            .chain(["", "/transcript", "/analysis", "/action-items"].map(|of| format!("{call}{of}")))
        {
            let answer = owner.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            let text = String::from_utf8(answer.body).unwrap();
            found.extend(text.split("canary-").skip(1).map(|rest| rest.split('-').next().unwrap().to_owned()));
        }
        // The text of the turns is made anew from segments when a speaker gets a name.
        found.insert("turn".to_owned());
        assert_eq!(found, FIELDS.map(str::to_owned).into());
        let upload = format!("/api/uploads/{}", self.ids["upload"]);
        assert_eq!(owner.send(Method::HEAD, &upload, &[("tus-resumable", "1.0.0")], b"").await.status, 200);
        let sessions = owner.get("/api/auth/sessions").await.json();
        assert!(sessions.to_string().contains(&self.ids["sessionId"]), "{sessions}");
    }
}
