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
const SETTINGS: [Setting; 9] = [
    ("log_parameter_max_length", &["0"]),
    ("log_parameter_max_length_on_error", &["0"]),
    ("log_statement", &["none", "ddl"]),
    ("log_error_verbosity", &["terse"]),
    ("debug_print_parse", &["off"]),
    ("debug_print_rewritten", &["off"]),
    ("debug_print_plan", &["off"]),
    // Settings of extensions; none is as good as off.
    ("auto_explain.log_min_duration", &["-1"]),
    ("pgaudit.log_parameter", &["off"]),
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

/// Refuses a session of `role` whose parameters would be logged.
pub(super) async fn logging(session: impl PgExecutor<'_>, role: &str) -> Result<(), StartError> {
    let names: Vec<String> = SETTINGS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let values = sqlx::query_scalar!(
        r#"SELECT coalesce(current_setting(s.name, true), '') AS "value!" FROM unnest($1::text[]) WITH ORDINALITY
           AS s (name, position) ORDER BY s.position"#,
        &names,
    )
    .fetch_all(session)
    .await?;
    for ((name, safe), value) in SETTINGS.iter().zip(values) {
        if !value.is_empty() && !safe.contains(&value.as_str()) {
            return Err(StartError::Logs { name: (*name).to_owned(), value, remedy: remedy(role, name, safe[0]) });
        }
    }
    Ok(())
}

/// Refuses a session whose parameters would be logged, and a login that row-level security does not hold.
pub(super) async fn login(open: &mut Open) -> Result<(), StartError> {
    logging(open.session(), "subrosa_app").await?;
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

fn remedy(role: &str, name: &str, safe: &str) -> String {
    match name {
        "auto_explain.log_min_duration" => {
            format!(
                "remove auto_explain from shared_preload_libraries and session_preload_libraries, or ALTER ROLE {role} SET \
                 auto_explain.log_min_duration = -1"
            )
        }
        _ => format!(
            "run ALTER ROLE {role} SET {name} = '{safe}' as a superuser, or set it in the server's configuration"
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
