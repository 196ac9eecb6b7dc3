//! What the database's catalogue must say. `src/verify/catalogue_rules.sql` lists violations; `catalogue.txt` is everything that is granted,
//! restricted and referenced, so that nothing is added unseen.

use server::verify::database::CATALOGUE_RULES;
use sqlx::{Executor, PgConnection};

use crate::support::TestDatabase;

/// Violations of the rules, then lines that `catalogue.txt` has too many (-) or lacks (+).
pub(crate) async fn deviations(superuser: &mut PgConnection) -> Vec<String> {
    let rules: Vec<(String, String)> =
        sqlx::query_as(CATALOGUE_RULES).persistent(false).fetch_all(&mut *superuser).await.unwrap();
    let mut deviations: Vec<String> =
        rules.into_iter().map(|(problem, object)| format!("{problem}: {object}")).collect();
    let there: Vec<String> =
        sqlx::query_scalar(include_str!("catalogue_list.sql")).persistent(false).fetch_all(superuser).await.unwrap();
    let wanted: Vec<&str> = include_str!("catalogue.txt").lines().collect();
    deviations
        .extend(wanted.iter().filter(|line| !there.iter().any(|other| other == *line)).map(|line| format!("- {line}")));
    deviations.extend(there.iter().filter(|line| !wanted.contains(&line.as_str())).map(|line| format!("+ {line}")));
    deviations
}

#[tokio::test]
async fn the_catalogue_keeps_every_rule_and_holds_nothing_that_is_not_on_the_list() {
    let test = TestDatabase::new().await;
    let deviations = deviations(&mut test.superuser().await).await;
    assert!(deviations.is_empty(), "{}", deviations.join("\n"));
}

/// OpenPGP messages by what makes them, and whether a content column takes them.
#[tokio::test]
async fn a_content_column_takes_nothing_but_aes_256_with_integrity() {
    let test = TestDatabase::new().await;
    let mut superuser = test.superuser().await;
    let ours = "cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0";
    let encrypt =
        |options: &str| format!("crypto.pgp_sym_encrypt_bytea('a canary that is long enough', 'key', '{options}')");
    for (value, taken) in [
        (encrypt(ours), true),
        (format!("crypto.pgp_sym_encrypt_bytea('', 'key', '{ours}')"), true),
        (format!("crypto.pgp_sym_encrypt_bytea(decode(repeat('00', 1000000), 'hex'), 'key', '{ours}')"), true),
        (encrypt(""), false),
        (encrypt(&ours.replace("aes256", "aes128")), false),
        (encrypt(&ours.replace("aes256", "bf")), false),
        (encrypt(&ours.replace("s2k-mode=1", "s2k-mode=0")), false),
        (encrypt(&ours.replace("s2k-mode=1", "s2k-mode=3")), false),
        (encrypt(&ours.replace("sha256", "sha1")), false),
        (encrypt(&format!("{ours}, disable-mdc=1")), false),
        (encrypt(&format!("{ours}, sess-key=1")), false),
        (
            "convert_to('plaintext that is long enough for every check of a length, is it not?', 'UTF8')".to_owned(),
            false,
        ),
        ("''::bytea".to_owned(), false),
        ("'\\xc30c04090108'::bytea".to_owned(), false),
    ] {
        let statement = sqlx::AssertSqlSafe(format!("SELECT ({value})::app.enc"));
        assert_eq!(superuser.execute(statement).await.is_ok(), taken, "{value}");
    }
}
