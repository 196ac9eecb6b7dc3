//! Members and invitations, as who manages a tenant and as who does not.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use server::{
    auth::accounts,
    db::{Role, Scope},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    accounts::{PASSWORD, person},
    client::{Answer, Service},
    sign_in::{Owner, login, owner, tokens},
};

/// Somebody who has an account.
const ANN: &str = "ann@example.org";

/// How long something that nobody waits for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A member who signed in.
async fn member(service: &Service, owner: &Owner, email: &str, role: Role) -> (Uuid, String) {
    let by = Scope::authenticated(owner.tenant, owner.user, Role::Owner);
    let user = accounts::create_user(&service.app, &by, role, &person(email, PASSWORD)).await.unwrap();
    (user, tokens(&login(service, email, PASSWORD).await).0)
}

async fn invite(service: &Service, token: &str, email: &str, role: &str) -> Answer {
    let body = json!({"email": email, "role": role});
    service.send_json(Method::POST, "/api/tenant/invitations", Some(token), &body).await
}

async fn accept(service: &Service, invitation: &Value, password: &str) -> Answer {
    let body = json!({"token": invitation["token"], "password": password, "displayName": "Bob"});
    service.send_json(Method::POST, "/api/auth/invitations/accept", None, &body).await
}

async fn set_role(service: &Service, token: &str, user: Uuid, role: &str) -> StatusCode {
    let path = format!("/api/tenant/members/{user}");
    service.send_json(Method::PATCH, &path, Some(token), &json!({"role": role})).await.status
}

async fn remove(service: &Service, token: &str, user: Uuid) -> Answer {
    service.call(Method::DELETE, &format!("/api/tenant/members/{user}"), Some(token)).await
}

#[tokio::test]
async fn an_invitation_is_used_once_and_makes_a_member_who_is_signed_in() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let invitation = invite(&service, &owner.access, "Bob@example.org", "MEMBER").await;
    assert_eq!(invitation.status, StatusCode::CREATED);
    let invitation = invitation.json();
    let open = service.call(Method::GET, "/api/tenant/invitations", Some(&owner.access)).await.json();
    assert_eq!(open["items"][0]["email"], "bob@example.org");
    assert!(open["items"][0].get("token").is_none());

    assert_eq!(accept(&service, &invitation, "password").await.status, StatusCode::BAD_REQUEST);
    let accepted = accept(&service, &invitation, PASSWORD).await;
    assert_eq!(accepted.json()["tenants"][0]["role"], "MEMBER");
    assert_eq!(accepted.json()["user"]["displayName"], "Bob");
    tokens(&accepted);
    assert_eq!(accept(&service, &invitation, PASSWORD).await.status, StatusCode::NOT_FOUND);
    let members = service.call(Method::GET, "/api/tenant/members", Some(&owner.access)).await.json();
    let emails: Vec<_> = members["items"].as_array().unwrap().iter().map(|member| member["email"].clone()).collect();
    assert_eq!(emails, ["ann@example.org", "bob@example.org"]);
    let first = service.call(Method::GET, "/api/tenant/members?limit=1", Some(&owner.access)).await.json();
    let next = format!("/api/tenant/members?limit=1&cursor={}", first["nextCursor"].as_str().unwrap());
    let second = service.call(Method::GET, &next, Some(&owner.access)).await.json();
    assert_eq!(second["items"][0]["email"], "bob@example.org");
    assert!(second.get("nextCursor").is_none());
}

#[tokio::test]
async fn who_has_an_account_comes_with_its_password_and_belongs_to_both() {
    let service = Service::new().await;
    let (ann, bob) = (owner(&service, "ann@example.org").await, owner(&service, "bob@example.org").await);
    let invitation = invite(&service, &ann.access, "bob@example.org", "ADMIN").await.json();
    assert_eq!(accept(&service, &invitation, "not his password").await.status, StatusCode::UNAUTHORIZED);
    let accepted = accept(&service, &invitation, PASSWORD).await.json();
    assert_eq!(accepted["tenantId"], ann.tenant.to_string());
    assert_eq!(accepted["user"]["userId"], bob.user.to_string());
    assert_eq!(accepted["tenants"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_invitation_that_was_replaced_withdrawn_or_is_too_old_is_not_there() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let first = invite(&service, &owner.access, "bob@example.org", "MEMBER").await.json();
    let second = invite(&service, &owner.access, "bob@example.org", "MEMBER").await.json();
    assert_eq!(accept(&service, &first, PASSWORD).await.status, StatusCode::NOT_FOUND);
    let path = format!("/api/tenant/invitations/{}", second["invitationId"].as_str().unwrap());
    assert_eq!(service.call(Method::DELETE, &path, Some(&owner.access)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(accept(&service, &second, PASSWORD).await.status, StatusCode::NOT_FOUND);
    let third = invite(&service, &owner.access, "bob@example.org", "MEMBER").await.json();
    let mut superuser = service.installation.postgres.superuser().await;
    sqlx::query("UPDATE tenant.invitations SET expires_at = now()").execute(&mut superuser).await.unwrap();
    assert_eq!(accept(&service, &third, PASSWORD).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_member_and_an_auditor_manage_nothing_and_an_admin_no_owner() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let (user, admin) = member(&service, &owner, "admin@example.org", Role::Admin).await;
    for (email, role) in [("bob@example.org", Role::Member), ("eve@example.org", Role::Auditor)] {
        let (_, token) = member(&service, &owner, email, role).await;
        for path in ["/api/tenant/members", "/api/tenant/invitations", "/api/tenant/api-keys"] {
            let answer = service.call(Method::GET, path, Some(&token)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        }
        let patch = json!({"retentionDays": 1});
        let answer = service.send_json(Method::PATCH, "/api/tenant", Some(&token), &patch).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(invite(&service, &token, "x@example.org", "MEMBER").await.status, StatusCode::FORBIDDEN);
        assert_eq!(set_role(&service, &token, user, "MEMBER").await, StatusCode::FORBIDDEN);
        assert_eq!(remove(&service, &token, owner.user).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(set_role(&service, &admin, user, "OWNER").await, StatusCode::FORBIDDEN);
    assert_eq!(set_role(&service, &admin, owner.user, "MEMBER").await, StatusCode::FORBIDDEN);
    assert_eq!(remove(&service, &admin, owner.user).await.status, StatusCode::FORBIDDEN);
    assert_eq!(invite(&service, &admin, "x@example.org", "OWNER").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_last_owner_stays_and_one_of_two_may_go() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    assert_eq!(set_role(&service, &owner.access, owner.user, "ADMIN").await, StatusCode::CONFLICT);
    assert_eq!(remove(&service, &owner.access, owner.user).await.status, StatusCode::CONFLICT);
    let gone = service.call(Method::DELETE, "/api/users/me", Some(&owner.access)).await;
    assert_eq!(gone.status, StatusCode::CONFLICT);
    let (bob, token) = member(&service, &owner, "bob@example.org", Role::Member).await;
    assert_eq!(set_role(&service, &owner.access, bob, "OWNER").await, StatusCode::NO_CONTENT);
    // Both at once: one of them stays.
    let (one, other) = tokio::join!(
        set_role(&service, &owner.access, bob, "MEMBER"),
        set_role(&service, &token, owner.user, "MEMBER")
    );
    let mut answers = [one.as_u16(), other.as_u16()];
    answers.sort_unstable();
    assert!(matches!(answers, [204, 403 | 404 | 409]), "{answers:?}");
}

#[tokio::test]
async fn of_two_owners_who_delete_themselves_at_once_one_stays() {
    let service = Service::new().await;
    for address in ["ann@example.org", "bob@example.org", "cat@example.org"] {
        let owner = owner(&service, address).await;
        let (other, token) = member(&service, &owner, &format!("other-{address}"), Role::Member).await;
        assert_eq!(set_role(&service, &owner.access, other, "OWNER").await, StatusCode::NO_CONTENT);
        let (one, two) = tokio::join!(
            service.call(Method::DELETE, "/api/users/me", Some(&owner.access)),
            service.call(Method::DELETE, "/api/users/me", Some(&token))
        );
        let mut answers = [one.status.as_u16(), two.status.as_u16()];
        answers.sort_unstable();
        assert_eq!(answers, [204, 409]);
    }
}

#[tokio::test]
async fn a_removed_member_and_a_changed_role_count_from_the_next_request() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let (bob, token) = member(&service, &owner, "bob@example.org", Role::Admin).await;
    let members = async || service.call(Method::GET, "/api/tenant/members", Some(&token)).await.status;
    assert_eq!(members().await, StatusCode::OK);
    assert_eq!(set_role(&service, &owner.access, bob, "MEMBER").await, StatusCode::NO_CONTENT);
    assert_eq!(members().await, StatusCode::FORBIDDEN);
    let removed = remove(&service, &owner.access, bob).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert!(removed.headers.contains_key("deletion-receipt"));
    assert_eq!(members().await, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&service, "bob@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_another_tenants_is_not_there() {
    let service = Service::new().await;
    let (ann, bob) = (owner(&service, "ann@example.org").await, owner(&service, "bob@example.org").await);
    let invitation = invite(&service, &bob.access, "x@example.org", "MEMBER").await.json();
    let key = json!({"name": "import", "scopes": ["calls:read"]});
    let key = service.send_json(Method::POST, "/api/tenant/api-keys", Some(&bob.access), &key).await.json();
    let random = Uuid::now_v7();
    for (foreign, path) in [
        (bob.user.to_string(), "/api/tenant/members"),
        (invitation["invitationId"].as_str().unwrap().to_owned(), "/api/tenant/invitations"),
        (key["apiKeyId"].as_str().unwrap().to_owned(), "/api/tenant/api-keys"),
    ] {
        let answer = async |id: &str| {
            let answer = service.call(Method::DELETE, &format!("{path}/{id}"), Some(&ann.access)).await;
            let mut body = answer.json();
            body["error"]["requestId"] = Value::Null;
            (answer.status, body)
        };
        assert_eq!(answer(&foreign).await, answer(&random.to_string()).await, "{path}");
        assert_eq!(answer(&foreign).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(set_role(&service, &ann.access, bob.user, "MEMBER").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_privileged_act_is_in_the_audit_log() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let (bob, _) = member(&service, &owner, "bob@example.org", Role::Member).await;
    set_role(&service, &owner.access, bob, "AUDITOR").await;
    let invitation = invite(&service, &owner.access, "x@example.org", "MEMBER").await.json();
    let path = format!("/api/tenant/invitations/{}", invitation["invitationId"].as_str().unwrap());
    service.call(Method::DELETE, &path, Some(&owner.access)).await;
    let key = json!({"name": "import", "scopes": ["calls:read"]});
    let key = service.send_json(Method::POST, "/api/tenant/api-keys", Some(&owner.access), &key).await.json();
    let path = format!("/api/tenant/api-keys/{}", key["apiKeyId"].as_str().unwrap());
    service.call(Method::DELETE, &path, Some(&owner.access)).await;
    service.send_json(Method::PATCH, "/api/tenant", Some(&owner.access), &json!({"name": "Egret Ltd"})).await;
    service.call(Method::POST, "/api/auth/logout-all", Some(&owner.access)).await;
    let mut superuser = service.installation.postgres.superuser().await;
    let actions: Vec<i16> = sqlx::query_scalar("SELECT action FROM tenant.audit_events ORDER BY sequence")
        .fetch_all(&mut superuser)
        .await
        .unwrap();
    assert_eq!(actions, [20, 21, 22, 23, 24, 25, 26, 27, 29]);
}

#[tokio::test]
async fn new_invitations_bring_no_new_guesses_of_a_password() {
    let service = Service::new().await;
    owner(&service, ANN).await;
    let eve = owner(&service, "eve@example.org").await;
    for guess in 0..6 {
        let invitation = invite(&service, &eve.access, ANN, "MEMBER").await.json();
        let refused = accept(&service, &invitation, &format!("wrong password {guess}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "auth_invalid"));
    }
    let invitation = invite(&service, &eve.access, ANN, "MEMBER").await.json();
    assert_eq!(accept(&service, &invitation, PASSWORD).await.status, StatusCode::UNAUTHORIZED, "has to wait");
    assert_eq!(login(&service, ANN, PASSWORD).await.status, StatusCode::UNAUTHORIZED, "so does who signs in");
    service.app.clock.advance(chrono::TimeDelta::seconds(5));
    assert_eq!(accept(&service, &invitation, PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_password_that_is_too_simple_is_not_taken_for_a_guess() {
    let service = Service::set(&[("rates.sign_in", "1000/1m")]).await;
    let owner = owner(&service, ANN).await;
    let invitation = invite(&service, &owner.access, "bob@example.org", "MEMBER").await.json();
    for _ in 0..30 {
        assert_eq!(accept(&service, &invitation, "password").await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(accept(&service, &invitation, PASSWORD).await.status, StatusCode::OK);
    assert_eq!(login(&service, ANN, PASSWORD).await.status, StatusCode::OK, "from the same address");
}

#[tokio::test]
async fn a_member_with_much_data_is_removed_although_nobody_waits_for_it_any_more() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let (bob, _) = member(&service, &owner, "bob@example.org", Role::Member).await;
    let mut superuser = service.installation.postgres.superuser().await;
    let tenant = owner.tenant;
    // A deletion of everything of a user may take as long as it takes: no statement of it has a limit.
    let statements = format!(
        "INSERT INTO tenant.calls (tenant_id, id, owner_id) VALUES ('{tenant}', gen_random_uuid(), '{bob}');
         CREATE FUNCTION public.needs_time() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN ASSERT current_setting('statement_timeout') = '0'; RETURN OLD; END$$;
         CREATE TRIGGER needs_time BEFORE DELETE ON tenant.calls FOR EACH ROW EXECUTE FUNCTION public.needs_time();"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut superuser).await.unwrap();
    // Something holds it up.
    sqlx::raw_sql("BEGIN; SELECT FROM tenant.calls FOR UPDATE").execute(&mut superuser).await.unwrap();
    let mut observer = service.installation.postgres.superuser().await;
    {
        let mut removal = std::pin::pin!(remove(&service, &owner.access, bob));
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        loop {
            tokio::select! {
                answer = &mut removal => panic!("{answer:?}"),
                waiting = sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut observer) => if waiting.unwrap() == 1 { break },
            }
        }
        let again = remove(&service, &owner.access, bob).await;
        assert_eq!((again.status, again.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    }
    // The request was given up; what it asked for was not.
    sqlx::raw_sql("COMMIT").execute(&mut superuser).await.unwrap();
    let receipts = "SELECT id FROM tenant.deletion_receipts WHERE class = 4";
    let written = async {
        loop {
            if let Some(receipt) = sqlx::query_scalar(receipts).fetch_optional(&mut observer).await.unwrap() {
                break receipt;
            }
        }
    };
    let receipt: Uuid = timeout(PATIENCE, written).await.expect("a receipt of the removal");
    let path = format!("/api/deletions/{receipt}");
    assert_eq!(service.call(Method::GET, &path, Some(&owner.access)).await.json()["subjectId"], bob.to_string());
    assert_eq!(remove(&service, &owner.access, bob).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_removes_a_member_while_the_service_stops_is_not_told_what_nobody_knows() {
    let service = Service::set(&[("limits.shutdown_time", "50ms")]).await;
    let owner = owner(&service, ANN).await;
    let (bob, _) = member(&service, &owner, "bob@example.org", Role::Member).await;
    // The removal is on its way to its end when the service stops.
    let mut holder = service.installation.postgres.superuser().await;
    let statements = "CREATE FUNCTION public.held_up() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER held_up AFTER DELETE ON tenant.memberships DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION public.held_up();
         SELECT pg_advisory_lock(1)";
    sqlx::raw_sql(statements).execute(&mut holder).await.unwrap();
    let mut observer = service.installation.postgres.superuser().await;
    let stop = async {
        let commits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory' AND query LIKE '%COMMIT'";
        while sqlx::query(commits).fetch_optional(&mut observer).await.unwrap().is_none() {}
        service.app.operation.stop();
    };
    let (answer, ()) = tokio::join!(remove(&service, &owner.access, bob), stop);
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let said = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(said.contains("may not have been removed"), "{said}");
    sqlx::raw_sql("SELECT pg_advisory_unlock(1)").execute(&mut holder).await.unwrap();
    let receipts = "SELECT 1 FROM tenant.deletion_receipts WHERE class = 4";
    let removed = async { while sqlx::query(receipts).fetch_optional(&mut observer).await.unwrap().is_none() {} };
    timeout(PATIENCE, removed).await.expect("he was removed");
}
