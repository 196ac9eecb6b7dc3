//! What a server and a login must be before a passphrase is sent to them.
//!
//! Invariant: a server that would log a bind parameter, or whose pgcrypto has the known hole, never sees one.

use sqlx::PgExecutor;

use super::{StartError, session::Open};

/// The first version with `security_invoker` views, `SET NULL (column)` and a schema `public` that not everyone may write to.
const OLDEST: u32 = 15;

/// CVE-2026-2005, a heap overflow in pgcrypto's parser of OpenPGP messages: major version and the first minor one without it.
const FIXED: [(u32, u32); 4] = [(15, 16), (16, 12), (17, 8), (18, 2)];

/// Settings that make a server log bind parameters, plans with their constants, or rows: with the values that are safe.
const SETTINGS: [Setting; 8] = [
    ("log_parameter_max_length", &["0"]),
    ("log_parameter_max_length_on_error", &["0"]),
    ("log_statement", &["none", "ddl"]),
    ("log_error_verbosity", &["terse"]),
    ("debug_print_parse", &["off"]),
    ("debug_print_rewritten", &["off"]),
    ("debug_print_plan", &["off"]),
    // An extension's setting; none is as good as off.
    ("auto_explain.log_min_duration", &["-1"]),
];

/// A setting's name, and the values with which nothing secret is logged.
type Setting = (&'static str, &'static [&'static str]);

/// Refuses versions that are too old or have the hole in pgcrypto.
pub(super) async fn server(connection: impl PgExecutor<'_>) -> Result<(), StartError> {
    let number = sqlx::query_scalar!(r#"SELECT current_setting('server_version_num')::integer AS "number!""#)
        .fetch_one(connection)
        .await?;
    version(number.unsigned_abs())
}

/// `server_version_num` is the major version times 10,000 and the minor one.
fn version(number: u32) -> Result<(), StartError> {
    let (major, minor) = (number / 10_000, number % 10_000);
    if major < OLDEST {
        return Err(StartError::TooOld(major));
    }
    match FIXED.iter().find(|(of, _)| *of == major) {
        Some(&(_, fixed)) if minor < fixed => Err(StartError::Hole { major, minor, fixed }),
        _ => Ok(()),
    }
}

/// Refuses a session of the schema's owner whose parameters would be logged: the key that signs contexts is one.
pub(super) async fn owner(connection: impl PgExecutor<'_>) -> Result<(), StartError> {
    logs(connection, "subrosa_owner", &SETTINGS[..2]).await
}

/// Refuses a session whose parameters would be logged, and a login that row-level security does not hold.
pub(super) async fn login(open: &mut Open) -> Result<(), StartError> {
    logs(open.session(), "subrosa_app", &SETTINGS).await?;
    let role = sqlx::query!(
        r#"SELECT rolname AS "name!", rolsuper AS "superuser!", rolbypassrls AS "bypass!", rolcreaterole AS "createrole!",
             EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) AS "member!",
             EXISTS (SELECT FROM pg_class WHERE relowner = r.oid) AS "owner!"
           FROM pg_roles r WHERE rolname = session_user"#
    )
    .fetch_one(open.session())
    .await?;
    let fault = match role {
        _ if role.superuser => "is a superuser",
        _ if role.bypass => "bypasses row-level security",
        _ if role.createrole => "may create roles",
        _ if role.member => "is a member of another role",
        _ if role.owner => "owns tables",
        _ => return Ok(()),
    };
    Err(StartError::Login { login: role.name, fault })
}

async fn logs(session: impl PgExecutor<'_>, login: &str, settings: &[Setting]) -> Result<(), StartError> {
    let names: Vec<_> = settings.iter().map(|(name, _)| (*name).to_owned()).collect();
    let values = sqlx::query_scalar!(
        "SELECT current_setting(name, true) FROM unnest($1::text[]) WITH ORDINALITY AS s (name, place) ORDER BY place",
        &names,
    );
    let values = values.fetch_all(session).await?;
    for ((name, safe), value) in settings.iter().zip(values) {
        if let Some(value) = value.filter(|value| !value.is_empty() && !safe.contains(&value.as_str())) {
            return Err(StartError::Logs { name: (*name).to_owned(), value, remedy: remedy(login, name, safe[0]) });
        }
    }
    Ok(())
}

fn remedy(login: &str, name: &str, safe: &str) -> String {
    match name {
        "auto_explain.log_min_duration" => format!(
            "remove auto_explain from shared_preload_libraries and session_preload_libraries, or ALTER ROLE {login} SET \
             auto_explain.log_min_duration = -1"
        ),
        _ => format!(
            "run ALTER ROLE {login} SET {name} = '{safe}' as a superuser, or set it in the server's configuration"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_with_the_hole_in_pgcrypto_is_refused_by_name() {
        for (number, fixed) in [(150_015, 16), (160_011, 12), (170_007, 8), (180_001, 2)] {
            let error = version(number).unwrap_err();
            assert!(matches!(error, StartError::Hole { fixed: f, .. } if f == fixed), "{error}");
        }
        for number in [150_016, 150_018, 160_012, 170_008, 180_002, 190_000] {
            assert!(version(number).is_ok(), "{number}");
        }
    }

    #[test]
    fn a_version_before_15_is_refused() {
        assert!(matches!(version(140_020), Err(StartError::TooOld(14))));
    }
}
