//! Sign-in: passwords, sessions, invitations. Passwords and tokens that are sent have no printable form.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{tenants::Role, users::User};

/// How a session is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Keeping {
    /// The tokens are in the answer, for whoever keeps secrets by themselves: programs, telephones, the command line.
    #[default]
    Bearer,
    /// The tokens are in cookies that no script reads, for browsers; only pages of this service can use them.
    Cookie,
}

/// E-mail and password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginRequest {
    /// The address.
    #[schema(value_type = String, format = "email")]
    pub email: SecretString,
    /// The password.
    #[schema(value_type = String, format = "password")]
    pub password: SecretString,
    /// Where to sign in; absent: the first tenant.
    pub tenant_id: Option<Uuid>,
    /// How to keep the session.
    #[serde(default)]
    pub keeping: Keeping,
}

/// Tokens of a session. With cookies the two tokens are there and not here.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// For `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
    /// For `/api/auth/refresh`, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The session, as in the list of sessions.
    pub session_id: Uuid,
}

/// Signed in.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginResponse {
    /// The session.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Who signed in.
    pub user: User,
    /// Where.
    pub tenant_id: Uuid,
    /// Where else they could.
    pub tenants: Vec<Membership>,
}

/// A tenant of a user.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// The tenant.
    pub tenant_id: Uuid,
    /// What it is called; only of the tenant that was signed in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the user is there.
    pub role: Role,
}

/// A refresh token; absent: it is in the cookie.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshRequest {
    /// The token.
    #[schema(value_type = Option<String>)]
    pub refresh_token: Option<SecretString>,
}

/// A place where the user is signed in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub session_id: Uuid,
    /// In which tenant.
    pub tenant_id: Uuid,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When its tokens were last renewed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends if it is not used.
    pub expires_at: DateTime<Utc>,
    /// Whether this request belongs to it.
    pub is_current: bool,
}

/// All of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// Latest first.
    pub items: Vec<Session>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordRequest {
    /// The one until now.
    #[schema(value_type = String, format = "password")]
    pub current_password: SecretString,
    /// 8 to 128 characters that nobody guesses.
    #[schema(value_type = String, format = "password")]
    pub new_password: SecretString,
}

/// Who was invited comes. A person who has an account already gives its password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptRequest {
    /// Of the invitation.
    #[schema(value_type = String)]
    pub token: SecretString,
    /// A new password, or that of the account.
    #[schema(value_type = String, format = "password")]
    pub password: SecretString,
    /// What to call a new person, 1 to 200 characters in one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub display_name: Option<String>,
    /// How to keep the session.
    #[serde(default)]
    pub keeping: Keeping,
}

unprinted!(Membership);
