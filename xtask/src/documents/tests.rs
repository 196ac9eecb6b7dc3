//! A small repository in which everything is true, and faults planted in it one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::{CONTRACT, INVENTORY, RULES, Tree, check};

/// A file with two tests and something that is none.
const TESTS: &str = "fn no_test_at_all() {}\n\n#[test]\nfn it_holds() {}\n\n#[tokio::test(flavor = \"x\")]\n#[ignore = \"long\"]\nasync fn it_holds_too() {}\n";

const MIGRATION: &str = "CREATE TABLE tenant.calls (\n  id uuid\n);\nCREATE TABLE IF NOT EXISTS global.users (LIKE x);\n\
    CREATE TABLE tenant.old (id uuid);\nDROP TABLE tenant.old;\n";

const MANUAL: &str =
    "| `subrosa serve` | runs |\n| `subrosa keys list\\|rotate` | keys |\n| `subrosa keys rotate-tokens` | tokens |\n";

/// A document that is true.
const PAGE: &str = "# A page\nDeletion is real ([H13](contract.md#h13)), see [`it_holds`](../../tests/a.rs), \
    [`test_it`](../../tests/b.py) and [the tests](../../tests).\n\
    Run `subrosa keys rotate-tokens`, then ask `GET /api/calls?limit=1`; [elsewhere](https://example.org/H99), `keys.file`.\n\
    ```sh\nsudo subrosa serve --set a=b   # H99 is no rule in code\n```\n";

/// What would not be looked at, because it looks like text.
const CUT: &str = "docs/privacy/page.md:3: a piece of code does not end in its line\n\
    docs/privacy/page.md:4: a piece of code does not end in its line";

/// Every rule has a test, but for the last one.
fn contract() -> String {
    let rules = RULES.into_iter().flat_map(|(kind, last)| (1..=last).map(move |number| format!("{kind}{number}")));
    let sections = rules.map(|rule| match &*rule {
        "S7" => "### S7\nNot built yet: all of it.\n".to_owned(),
        _ => format!("### {rule}\nA rule. [`it_holds_too`](../../tests/a.rs)\n\n"),
    });
    format!("# The contract\n{}", sections.collect::<String>())
}

/// What is wrong after a change of one file.
fn wrong(path: &str, from: &str, to: &str) -> String {
    let mut texts: BTreeMap<_, _> = [
        ("tests/a.rs", TESTS.to_owned()),
        ("tests/b.py", "def test_it(client):\n    pass\n".to_owned()),
        ("crates/server/migrations/0001.sql", MIGRATION.to_owned()),
        ("docs/command-line.md", MANUAL.to_owned()),
        ("docs/openapi.json", r#"{"paths": {"/api/calls": {}}}"#.to_owned()),
        ("crates/server/config.default.toml", "# a.b = 1\n[keys]\nfile = \"\"\n[log]\nlevel = \"warn\"\n".to_owned()),
        ("docs/privacy/page.md", PAGE.to_owned()),
        ("docs/other.md", "H1 and [a page](privacy/page.md#a-page)\n".to_owned()),
        (CONTRACT, contract()),
        (INVENTORY, "`tenant.calls` and `global.users`\n".to_owned()),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .into();
    let text = texts.get_mut(path).unwrap();
    assert!(text.contains(from), "{path} has no {from}");
    *text = text.replacen(from, to, 1);
    let files: BTreeSet<_> = texts.keys().cloned().collect();
    let mut wrong = Vec::new();
    check(&Tree { files: &files, texts: &texts }, &mut wrong);
    wrong.join("\n")
}

#[test]
fn what_is_true_passes() {
    assert_eq!(wrong("docs/privacy/page.md", "A page", "A page"), "");
}

#[test]
fn every_planted_fault_is_found_and_nothing_else() {
    let page = "docs/privacy/page.md";
    for (path, from, to, found) in [
        (page, "../../tests)", "../../nothing)", "docs/privacy/page.md:2: ../../nothing is not there"),
        (page, "../../tests)", "../../../tests)", "docs/privacy/page.md:2: ../../../tests is not there"),
        ("docs/other.md", "#a-page", "#a-pag", "docs/other.md:1: docs/privacy/page.md has no heading #a-pag"),
        (page, "`it_holds`", "`it_hold`", "docs/privacy/page.md:2: tests/a.rs has no test it_hold"),
        (page, "`it_holds`", "`no_test_at_all`", "docs/privacy/page.md:2: tests/a.rs has no test no_test_at_all"),
        (page, "`test_it`", "`test_i`", "docs/privacy/page.md:2: tests/b.py has no test test_i"),
        (page, "real (", "real (H2, ", "docs/privacy/page.md:2: H2 is no link to its rule"),
        (page, "#h13", "#h1", "docs/privacy/page.md:2: H13 leads to another place than its rule"),
        (
            page,
            "[H13](contract.md#h13)",
            "[H21](contract.md#h21)",
            "docs/privacy/page.md:2: docs/privacy/contract.md has no heading #h21\ndocs/privacy/page.md:2: H21 is no rule of docs/privacy/contract.md",
        ),
        (
            page,
            "keys rotate-tokens",
            "keys burn",
            "docs/privacy/page.md:3: docs/command-line.md has no subrosa keys burn",
        ),
        (
            page,
            "subrosa serve",
            "subrosa verify",
            "docs/privacy/page.md:5: docs/command-line.md has no subrosa verify --set",
        ),
        (page, "`GET /api/calls", "`GET\n/api/calls", CUT),
        (
            page,
            "keys.file",
            "keys.level",
            "docs/privacy/page.md:3: crates/server/config.default.toml has no keys.level",
        ),
        (page, "/api/calls", "/api/call", "docs/privacy/page.md:3: docs/openapi.json has no /api/call"),
        (
            CONTRACT,
            "### H1\nA rule. [`it_holds_too`](../../tests/a.rs)",
            "### H1\nA rule.",
            "docs/privacy/contract.md: H1 names no test, and is not \"Not built yet\" as a whole",
        ),
        (
            CONTRACT,
            "### H1\nA rule. [`it_holds_too`](../../tests/a.rs)",
            "### H1\nA rule, in [a.rs](../../tests/a.rs).\n\n- Not built yet: the rest.",
            "docs/privacy/contract.md: H1 names no test, and is not \"Not built yet\" as a whole",
        ),
        (CONTRACT, "### S6\n", "### Six\n", "docs/privacy/contract.md: no section S6"),
        (
            INVENTORY,
            "`tenant.calls`",
            "calls",
            "docs/privacy/data-inventory.md: does not tell of the table tenant.calls",
        ),
        (
            INVENTORY,
            "`tenant.calls`",
            "`tenant.calls`, `tenant.old`",
            "docs/privacy/data-inventory.md: there is no table tenant.old",
        ),
        (
            "crates/server/migrations/0001.sql",
            "DROP TABLE tenant.old;",
            "",
            "docs/privacy/data-inventory.md: does not tell of the table tenant.old",
        ),
    ] {
        assert_eq!(wrong(path, from, to), found, "{path}: {to}");
    }
}
