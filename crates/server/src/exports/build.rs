//! One attempt at an archive. Its one invariant: every transaction of it holds the lease, so that an export that is over, or somebody
//! else's, or whose user is gone, gets nothing more; and what does not become an archive leaves no bytes behind.

use std::{collections::BTreeMap, io};

use futures::stream;
use uuid::Uuid;
use zip::result::ZipError;

use super::{
    Kind, MAX_ATTEMPTS, RETRY,
    archive::Archive,
    calls::{self, Links},
    contacts, interval,
    key::Split,
    page,
    store::{self, Claim},
    user,
};
use crate::{
    app::App,
    calls::subject,
    db::{DbError, Role, Scope, TenantTx, Write},
    deletion::blobs::{Upload, UploadError, expect_upload},
    error::ApiError,
    telemetry::{
        fault::{Code, Fault},
        log,
    },
    vault::{
        blobs::BlobError,
        key::{Key, NotSealed},
        keys::VaultError,
        seal::RecordKind,
    },
};

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The export is over, gone, or another program's.
    #[error("the export is not this program's any more")]
    Lost,
    /// More calls than go into one archive.
    #[error("there are more than {} calls", super::MAX_CALLS)]
    TooMany,
    /// More bytes than an archive may have.
    #[error("the archive would be larger than {} GiB", super::MAX_BYTES >> 30)]
    TooLarge,
    /// A call that is in the archive was deleted, or its recording: nothing would open the archive, and nobody is to blame.
    #[error("what is in the archive was deleted meanwhile")]
    Changed,
    /// Who asked about a data subject does not own the tenant any more.
    #[error("who asked does not own the tenant any more")]
    NotOwner,
    /// The transaction failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A key or content cannot be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// What is stored has no form that can be shown.
    #[error("something stored cannot be shown: {0}")]
    Shown(&'static str),
    /// The archive cannot be written.
    #[error("the archive cannot be written: {0}")]
    Zip(#[from] ZipError),
    /// It cannot be compressed.
    #[error("the archive cannot be written: {0}")]
    Write(#[from] io::Error),
    /// Nobody takes its bytes.
    #[error("the store took no more of the archive")]
    Closed,
    /// No randomness.
    #[error(transparent)]
    NotSealed(#[from] NotSealed),
}

impl From<&Failure> for Fault {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Lost => "the export is not this program's any more".into(),
            Failure::TooMany => "there are more calls than go into one archive".into(),
            Failure::TooLarge => "the archive would be larger than an object may be".into(),
            Failure::Changed => "what is in the archive was deleted meanwhile".into(),
            Failure::NotOwner => "who asked does not own the tenant any more".into(),
            Failure::Database(error) => error.into(),
            Failure::Vault(error) => error.into(),
            Failure::Blob(error) => error.into(),
            Failure::Shown(what) => (*what).into(),
            Failure::Zip(_) => "the archive cannot be written".into(),
            Failure::Write(error) => Self::new("the archive cannot be compressed", Some(Code::Io(error.kind()))),
            Failure::Closed => "the store took no more of the archive".into(),
            Failure::NotSealed(error) => error.into(),
        }
    }
}

impl Failure {
    /// What the user is told when another attempt would come to the same.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::TooMany => Some("too_many_calls"),
            Self::TooLarge | Self::Blob(BlobError::TooLarge { .. }) => Some("too_large"),
            Self::NotOwner => Some("not_an_owner"),
            _ => None,
        }
    }

    /// Whether it counts as an attempt. A deletion does not: there is one call less each time, and the export's day to end it.
    fn counts(&self) -> bool {
        !matches!(self, Self::Changed)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Shown(error.message())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(_: serde_json::Error) -> Self {
        Self::Shown("it is no JSON")
    }
}

/// What an attempt works with.
pub(super) struct Building<'a> {
    pub(super) app: &'a App,
    pub(super) claim: &'a Claim,
    /// Whose rows are seen: the user's own, or all of the tenant for its owner.
    pub(super) scope: Scope,
    pub(super) split: Split,
    pub(super) archive: Archive,
    /// By what a data subject is looked for.
    pub(super) tokens: Option<Vec<Vec<u8>>>,
    /// Calls that are in the archive: some 20 bytes each.
    pub(super) links: BTreeMap<Uuid, Links>,
}

/// Builds an export, or says why not. What may go better another time is tried again a little later.
pub(super) async fn attempt(app: &App, claim: &Claim) {
    // The database said whose request it is. As a member, the user sees what is their own and nothing else.
    let role = match claim.kind {
        Kind::User => Role::Member,
        Kind::Subject => Role::Owner,
    };
    let scope = Scope::authenticated(claim.tenant, claim.owner, role);
    // One that ended the program each time is not begun for ever.
    let built = if claim.attempt > MAX_ATTEMPTS { Err(Failure::Closed) } else { build(app, claim, scope).await };
    let Err(failure) = built else { return };
    log::warning!(export = claim.id, attempt = claim.attempt, fault = Fault::from(&failure), "an export was not built");
    let end = match failure.code() {
        Some(code) => End::Failed(code),
        None if !failure.counts() => End::Again { counts: false },
        None if claim.attempt >= MAX_ATTEMPTS => End::Failed("build_failed"),
        None => End::Again { counts: true },
    };
    if let Err(error) = settle(app, claim, scope, end).await {
        log::warning!(export = claim.id, fault = &error, "an export is left to the end of its lease");
    }
}

/// What becomes of an export that was not built.
enum End {
    /// Nothing, and this is why.
    Failed(&'static str),
    /// Another attempt.
    Again {
        /// Whether this one was one of so many.
        counts: bool,
    },
}

/// Gives an export up, or puts it off, so that others have their turn.
async fn settle(app: &App, claim: &Claim, scope: Scope, end: End) -> Result<(), DbError> {
    let mut tx = app.database.write(&scope).await?;
    if claim.hold(&mut tx).await? {
        match end {
            End::Failed(code) => claim.fail(&mut tx, code).await?,
            End::Again { counts } => claim.put_off(&mut tx, interval(RETRY), counts).await?,
        }
    }
    tx.commit().await
}

async fn build(app: &App, claim: &Claim, scope: Scope) -> Result<(), Failure> {
    let mut tx = app.database.write(&scope).await?;
    hold(claim, &mut tx).await?;
    if claim.kind == Kind::Subject && !store::is_owner(&mut tx, &scope).await? {
        return Err(Failure::NotOwner);
    }
    let object = Uuid::now_v7();
    let tokens = claim.begin(&mut tx, object).await?;
    let upload = expect_upload(&mut tx, RecordKind::User, (claim.owner, object), claim.expires_at).await?;
    tx.commit().await?;
    if tokens.is_some() {
        index_rest(app, claim, &scope).await?;
    }
    let mut tx = app.database.read(&scope).await?;
    if store::recorded(&mut tx, tokens.as_deref()).await? > super::MAX_BYTES {
        return Err(Failure::TooLarge);
    }
    drop(tx);
    let (archive, mut blocks) = Archive::new();
    let building = Building { app, claim, scope, split: Split::new()?, archive, tokens, links: BTreeMap::new() };
    let key = Key::copy_of(building.split.key.expose());
    let blocks = stream::poll_fn(move |context| blocks.poll_recv(context).map(|block| block.map(Ok)));
    let (filled, written) = tokio::join!(fill(building), app.blobs.write(&key, upload.place(), blocks));
    let done = match (filled, written) {
        // It stopped taking bytes, which is why no more could be given.
        (_, Err(error)) => Err(error.into()),
        (Err(failure), Ok(_)) => Err(failure),
        (Ok((split, calls)), Ok(bytes)) => finish(app, claim, scope, upload, (&split, bytes, calls)).await,
    };
    if done.is_err() {
        // What cannot be removed now is removed at the export's end by the outbox.
        let _ = app.blobs.remove(upload.place()).await;
    }
    done
}

/// Indexes the calls that an older program left without tokens; an attempt that ends goes on where it was.
async fn index_rest(app: &App, claim: &Claim, scope: &Scope) -> Result<(), Failure> {
    let mut after = Uuid::nil();
    loop {
        let mut tx = app.database.write(scope).await?;
        let last = subject::index_more(&mut tx, &app.vault, after).await?;
        // The calls are locked before the export, as a deletion does.
        hold(claim, &mut tx).await?;
        tx.commit().await?;
        let Some(last) = last else { return Ok(()) };
        after = last;
    }
}

/// Everything that goes into the archive, in its order. Returns the key's rest and how many calls there are.
async fn fill(mut building: Building<'_>) -> Result<(Split, usize), Failure> {
    let mut index = page::Page::new(building.claim.kind);
    building.archive.entry("README.txt", page::readme().into()).await?;
    if building.claim.kind == Kind::User {
        user::fill(&mut building, &mut index).await?;
    }
    contacts::fill(&mut building, &mut index).await?;
    calls::fill(&mut building).await?;
    building.archive.begin("index.html").await?;
    building.archive.add(index.before_calls()).await?;
    calls::list(&mut building).await?;
    building.archive.add(page::END).await?;
    let Building { archive, split, links, .. } = building;
    archive.end().await?;
    Ok((split, links.len()))
}

async fn finish(
    app: &App,
    claim: &Claim,
    scope: Scope,
    upload: Upload,
    (split, bytes, calls): (&Split, u64, usize),
) -> Result<(), Failure> {
    let mut tx = app.database.write(&scope).await?;
    hold(claim, &mut tx).await?;
    upload.end(&mut tx).await.map_err(|error| match error {
        UploadError::TooLate => Failure::Lost,
        UploadError::Database(error) => error.into(),
    })?;
    if !claim.ready(&mut tx, &app.vault, split.rest(), (bytes, calls)).await? {
        return Err(Failure::Changed);
    }
    Ok(tx.commit().await?)
}

/// Who reads the audit log for the user: what of it is about the user is chosen by the statement.
pub(super) fn auditing(claim: &Claim) -> Scope {
    Scope::authenticated(claim.tenant, claim.owner, Role::Auditor)
}

/// That the export is still this program's.
pub(super) async fn hold(claim: &Claim, tx: &mut TenantTx<Write>) -> Result<(), Failure> {
    if claim.hold(tx).await? { Ok(()) } else { Err(Failure::Lost) }
}
