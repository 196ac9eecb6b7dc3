//! Tenants and people, as the program makes them.

use server::auth::{
    accounts::{self, AccountError, NewPerson},
    passwords::PasswordError,
    person::{EmailAddress, Person},
    tenant,
};
use server::db::{Role, Scope};

use crate::client::Service;

pub(crate) const PASSWORD: &str = "seven quiet herons wade";

pub(crate) fn person(email: &str, password: &str) -> NewPerson {
    let email = EmailAddress::parse(email).unwrap();
    NewPerson { email, display_name: Some("Ann Lee".to_owned()), password: password.into() }
}

#[tokio::test]
async fn a_new_tenant_has_a_name_and_an_owner_who_can_prove_the_password() {
    let service = Service::new().await;
    let (id, user) =
        accounts::create_tenant(&service.app, "Heron Ltd", &person("Ann@Example.org", PASSWORD)).await.unwrap();
    let address = EmailAddress::parse("ann@example.org").unwrap();
    let proved = accounts::authenticate(&service.app, &address, &PASSWORD.into()).await.unwrap();
    assert_eq!(proved.map(|proved| proved.user), Some(user));
    assert!(accounts::authenticate(&service.app, &address, &"another one".into()).await.unwrap().is_none());

    let scope = Scope::authenticated(id, user, Role::Owner);
    let mut tx = service.app.database.read(&scope).await.unwrap();
    assert_eq!(tenant::name(&mut tx, &service.app.vault).await.unwrap().as_deref(), Some("Heron Ltd"));
    let own = Person::own(&mut tx, &service.app.vault).await.unwrap();
    assert_eq!((own.email.as_str(), own.display_name.as_deref()), ("ann@example.org", Some("Ann Lee")));
}

#[tokio::test]
async fn two_passwords_that_share_their_first_72_bytes_are_two_passwords() {
    let service = Service::new().await;
    let long = format!("{}{}", "quiet herons wade through the reeds at dawn, ".repeat(2), "one");
    let other = format!("{}two", &long[..long.len() - 3]);
    assert_eq!(long.as_bytes()[..72], other.as_bytes()[..72]);
    accounts::create_tenant(&service.app, "Heron Ltd", &person("ann@example.org", &long)).await.unwrap();
    let address = EmailAddress::parse("ann@example.org").unwrap();
    assert!(accounts::authenticate(&service.app, &address, &long.as_str().into()).await.unwrap().is_some());
    assert!(accounts::authenticate(&service.app, &address, &other.as_str().into()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_address_is_taken_once_and_a_bad_password_never() {
    let service = Service::new().await;
    let make = async |email: &str, password: &str| {
        accounts::create_tenant(&service.app, "Heron Ltd", &person(email, password)).await.unwrap_err()
    };
    accounts::create_tenant(&service.app, "Heron Ltd", &person("ann@example.org", PASSWORD)).await.unwrap();
    assert!(matches!(make("ANN@example.org", PASSWORD).await, AccountError::AddressTaken));
    let long = "quiet herons ".repeat(10);
    for (password, wrong) in [
        ("short", PasswordError::Length),
        (long.as_str(), PasswordError::Length),
        ("password", PasswordError::Guessable),
        ("trustno1", PasswordError::Guessable),
        ("bob@example.org", PasswordError::Guessable),
        ("abcdefgh12345", PasswordError::Guessable),
    ] {
        let refused = make("bob@example.org", password).await;
        assert!(matches!(refused, AccountError::Password(error) if error == wrong), "{password}: {refused}");
    }
}
