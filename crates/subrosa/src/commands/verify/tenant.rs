//! Tenants that exist for a verification. Its one invariant: they go as every tenant does, with a receipt.

use server::{
    app::App,
    artifacts::{self, Artifact},
    auth::accounts::{self, AccountError, NewPerson},
    auth::person::EmailAddress,
    deletion::{
        self, DeletionError,
        blobs::{self, SweepError},
        mirror,
    },
    transcripts::store,
    vault::seal::RecordKind,
    verify::{database, needles::word},
    worker::sweep,
};
use uuid::Uuid;

use super::{VerifyError, canaries::Canaries};

/// A domain that nobody has (RFC 2606).
const DOMAIN: &str = "verify.invalid";

/// A tenant with one owner.
pub(super) struct Tenant {
    pub(super) id: Uuid,
    email: String,
    password: String,
}

impl Tenant {
    /// The one that keeps canaries.
    pub(super) async fn new(app: &App, canaries: &Canaries) -> Result<Self, VerifyError> {
        let (email, password) = (canaries.word("e-mail address"), canaries.word("password"));
        Self::make(app, canaries.word("tenant's name"), (email, canaries.word("person's name"), password)).await
    }

    /// Another one, which must not see them.
    pub(super) async fn stranger(app: &App) -> Result<Self, VerifyError> {
        Self::make(app, "a stranger of subrosa verify", (&word(), "a stranger", &word())).await
    }

    async fn make(app: &App, name: &str, (local, person, password): (&str, &str, &str)) -> Result<Self, VerifyError> {
        let email = format!("{local}@{DOMAIN}");
        let address = EmailAddress::parse(&email).ok_or(AccountError::AddressTaken)?;
        let owner = NewPerson { email: address, display_name: Some(person.to_owned()), password: password.into() };
        let (id, _) = accounts::create_tenant(app, name, &owner).await?;
        Ok(Self { id, email, password: password.to_owned() })
    }

    /// How its owner signs in.
    pub(super) fn login(&self) -> String {
        serde_json::json!({"email": self.email, "password": self.password}).to_string()
    }

    /// Gives a call a transcript and its analysis, as the last stages of the pipeline do.
    pub(super) async fn tell(&self, app: &App, call: Uuid, canaries: &Canaries) -> Result<(), VerifyError> {
        let transcript = serde_json::from_value(canaries.transcript());
        let transcript = transcript.map_err(|error| VerifyError::Search(error.to_string()))?;
        let mut tx = app.database.write(&sweep::scope(self.id)).await?;
        store::put(&mut tx, &app.vault, call, &transcript).await?;
        let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await?;
        let analysis = canaries.analysis().to_string();
        artifacts::put(&mut tx, (call, Artifact::Analysis), (&key, None), analysis.as_bytes()).await?;
        Ok(tx.commit().await?)
    }

    /// Deletes it, unless the run has come to that by itself; that of a run which was interrupted may have a call under legal hold.
    pub(super) async fn remove(&self, app: &App) -> Result<(), VerifyError> {
        let mut tx = app.database.write_long(&sweep::scope(self.id)).await?;
        database::lift_holds(&mut tx, &app.vault).await?;
        match deletion::delete(&mut tx, app.vault.signer(), RecordKind::Tenant, self.id).await {
            Err(DeletionError::NotFound) => Ok(()),
            deleted => {
                deleted?;
                Ok(tx.commit().await?)
            }
        }
    }
}

/// Copies receipts, and removes bytes of what was deleted, as the upkeep of a service does: only for the store of its service.
pub(super) async fn clean_up(app: &App) -> Result<(), SweepError> {
    mirror::catch_up(&app.database, &app.blobs, &app.vault).await?;
    blobs::sweep(&app.database, &app.blobs).await.map(drop)
}
