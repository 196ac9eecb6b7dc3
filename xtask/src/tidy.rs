//! What no compiler checks: sizes, the direction of dependencies, what documents say, and what must never be committed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::{
    Result,
    documents::{self, Tree},
};

/// Lines of a source file past which it is split.
const SOURCE_LINES: usize = 600;

/// Lines of `ARCHITECTURE.md`: it is read in one sitting or not at all.
const ARCHITECTURE_LINES: usize = 150;

/// Bytes of a binary file past which it belongs elsewhere than in the repository.
const BINARY_BYTES: usize = 64 * 1024;

/// Which crates of the workspace a crate may use; everything else points the wrong way.
const DIRECTION: [(&str, &[&str]); 6] = [
    ("crates/speech", &[]),
    ("crates/insight", &["speech"]),
    ("crates/api", &[]),
    ("crates/server", &["api", "insight", "speech"]),
    ("crates/subrosa", &["api", "insight", "server", "speech"]),
    ("xtask", &[]),
];

/// What only some places of the program may say, so that the gate to the database stays the only way, and what is told of a type that may
/// be told: words, and where they may stand.
const GATE: [(&[&str], &[&str]); 3] = [
    (
        &[
            "tracing::trace",
            "tracing::debug",
            "tracing::info",
            "tracing::warn",
            "tracing::error",
            "tracing::event",
            "tracing::span",
            "tracing::instrument",
            "use tracing::{",
        ],
        &["crates/server/src/telemetry/", "crates/server/tests/", "crates/subrosa/tests/"],
    ),
    (
        &["PgPool", "PgConnectOptions", "PgConnection", "connect_with"],
        &["crates/server/src/db/", "crates/server/src/postgres/", "crates/server/tests/", "crates/server/benches/"],
    ),
    (
        &["Scope::authenticated"],
        &[
            "crates/server/src/auth/",
            "crates/server/src/worker/",
            "crates/server/src/exports/build.rs", // whoever asked, by the database's word
            "crates/server/src/deletion/restore.rs", // a signed receipt is the authority
            "crates/server/tests/",
            "crates/server/benches/",
        ],
    ),
];

/// Fields of text that hold what people said or typed: a struct with one has no derived `Debug`, which prints it (H8).
const CONTENT: [&str; 29] = [
    "title",
    "contact_name",
    "phone_number",
    "organization",
    "summary",
    "notes",
    "text",
    "clean_text",
    "display_name",
    "reason",
    "email",
    "name",
    "q",
    "label",
    "suggested_title",
    "one_line_summary",
    "executive_summary",
    "short_summary",
    "detailed_summary",
    "key_points",
    "header",
    "paragraphs",
    "note",
    "description",
    "hotwords",
    "initial_prompt",
    "prompt",
    "context",
    "first_owner",
];

/// Places on one person's machine; in two pieces, so that this file passes.
const PRIVATE_PLACES: [&str; 3] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

/// Checks the working tree and names everything that is wrong.
pub(crate) fn run() -> Result<()> {
    let mut wrong = Vec::new();
    let listed = Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]).output()?;
    let (files, mut texts) = (files(&listed)?, BTreeMap::new());
    for path in &files {
        match String::from_utf8(fs::read(path)?) {
            Ok(text) => _ = texts.insert(path.clone(), text),
            Err(error) if error.as_bytes().len() > BINARY_BYTES => {
                wrong.push(format!("{path}: a binary of {} bytes", error.as_bytes().len()));
            }
            Err(_) => {}
        }
    }
    texts.iter().for_each(|(path, text)| check_text(path, text, &mut wrong));
    documents::check(&Tree { files: &files, texts: &texts }, &mut wrong);
    for (package, allowed) in DIRECTION {
        check_direction(package, allowed, &fs::read_to_string(format!("{package}/Cargo.toml"))?, &mut wrong);
    }
    let index = fs::read_to_string("docs/adr/README.md")?;
    for adr in files.iter().filter_map(|path| path.strip_prefix("docs/adr/")).filter(|&name| name != "README.md") {
        if !index.contains(&format!("({adr})")) {
            wrong.push(format!("docs/adr/{adr}: docs/adr/README.md does not link it"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("not tidy\n{}", wrong.join("\n")).into()) }
}

/// The files that git listed. It fails in a clone that belongs to somebody else, and then nothing would be checked.
fn files(listed: &Output) -> Result<BTreeSet<String>> {
    if !listed.status.success() {
        return Err(format!("git cannot list the files: {}", String::from_utf8_lossy(&listed.stderr).trim()).into());
    }
    let files = String::from_utf8(listed.stdout.clone())?;
    let files: BTreeSet<_> = files.lines().filter(|path| Path::new(path).exists()).map(str::to_owned).collect();
    if files.is_empty() { Err("git lists no files".into()) } else { Ok(files) }
}

fn check_text(path: &str, text: &str, wrong: &mut Vec<String>) {
    let lines = text.lines().count();
    let is_source = [".rs", ".py", ".sh", ".sql"].iter().any(|extension| path.ends_with(extension));
    if is_source && lines > SOURCE_LINES {
        wrong.push(format!("{path}: {lines} lines; split it at {SOURCE_LINES}"));
    }
    if path == "ARCHITECTURE.md" && lines > ARCHITECTURE_LINES {
        wrong.push(format!("{path}: {lines} lines; at most {ARCHITECTURE_LINES}"));
    }
    if ["crates/server/", "crates/subrosa/"].iter().any(|crate_| path.starts_with(crate_)) && path.ends_with(".rs") {
        for (words, places) in GATE {
            let word = words.iter().find(|word| text.contains(**word));
            if let Some(word) = word.filter(|_| !places.iter().any(|place| path.starts_with(place))) {
                wrong.push(format!("{path}: {word} goes around the gate to the database"));
            }
        }
    }
    if path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs") {
        check_printable(path, text, wrong);
    }
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if PRIVATE_PLACES.iter().any(|place| line.contains(place)) {
            wrong.push(format!("{path}:{number}: a path of somebody's machine"));
        }
        if is_source && line.contains(concat!("todo", "!(")) {
            wrong.push(format!("{path}:{number}: unfinished"));
        }
    }
}

/// Structs as rustfmt writes them: attributes, a line with the name, a line for each field.
fn check_printable(path: &str, text: &str, wrong: &mut Vec<String>) {
    let (mut is_printable, mut is_inside) = (false, false);
    for (number, line) in text.lines().enumerate() {
        let declared = line.trim_start().trim_start_matches("pub(super) ").trim_start_matches("pub(crate) ");
        let declared = declared.trim_start_matches("pub ");
        if line.starts_with("#[derive(") {
            is_printable = line.contains("Debug");
        } else if declared.starts_with("struct ") {
            is_inside = is_printable && line.ends_with('{');
            is_printable = false;
        } else if line.starts_with('}') {
            is_inside = false;
        } else if !is_inside {
            is_printable &= line.starts_with(['#', '/', ' ', ')']);
        } else if let Some((field, kind)) = declared.split_once(": ")
            && CONTENT.contains(&field)
            && (kind.contains("String") || kind.contains("str") && !kind.contains("'static"))
            && !kind.contains("SecretString")
        {
            wrong.push(format!(
                "{path}:{}: {field} is content, and its struct derives Debug, which prints it",
                number + 1
            ));
        }
    }
}

fn check_direction(package: &str, allowed: &[&str], manifest: &str, wrong: &mut Vec<String>) {
    for (other, _) in DIRECTION {
        let name = other.rsplit('/').next().unwrap_or(other);
        let uses = manifest.lines().any(|line| line.split(['.', ' ', '=']).next() == Some(name));
        if uses && !allowed.contains(&name) {
            wrong.push(format!("{package}: must not depend on {name}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

    use super::*;

    fn git(code: i32, stdout: &str) -> Output {
        // As wait(2) has it: the exit code is the second byte.
        let status = ExitStatus::from_raw(code << 8);
        Output { status, stdout: stdout.into(), stderr: b"fatal: dubious ownership\n".to_vec() }
    }

    fn wrong(check: impl FnOnce(&mut Vec<String>)) -> String {
        let mut wrong = Vec::new();
        check(&mut wrong);
        wrong.join("\n")
    }

    #[test]
    fn a_git_that_fails_or_lists_nothing_is_not_tidy() {
        assert_eq!(files(&git(0, "Cargo.toml\ngone.rs\n")).unwrap(), BTreeSet::from(["Cargo.toml".to_owned()]));
        assert!(files(&git(0, "")).is_err());
        assert!(files(&git(128, "Cargo.toml\n")).unwrap_err().to_string().contains("dubious ownership"));
    }

    #[test]
    fn sources_have_an_end_and_nothing_unfinished_or_private() {
        assert_eq!(wrong(|w| check_text("a.rs", &"x\n".repeat(SOURCE_LINES), w)), "");
        assert!(wrong(|w| check_text("a.rs", &"x\n".repeat(SOURCE_LINES + 1), w)).contains("split it"));
        assert_eq!(wrong(|w| check_text("a.txt", &"x\n".repeat(SOURCE_LINES + 1), w)), "");
        assert!(wrong(|w| check_text("ARCHITECTURE.md", &"x\n".repeat(ARCHITECTURE_LINES + 1), w)).contains("at most"));
        assert_eq!(wrong(|w| check_text("a.rs", concat!("\nto", "do!()"), w)), "a.rs:2: unfinished");
        let private = wrong(|w| check_text("a.md", concat!("in /ho", "me/ann"), w));
        assert_eq!(private, "a.md:1: a path of somebody's machine");
    }

    #[test]
    fn only_the_gate_makes_scopes_and_connections() {
        let text = concat!("Scope::auth", "enticated(tenant, user, role)");
        for (path, allowed) in [
            ("crates/server/src/auth/mod.rs", true),
            ("crates/server/src/calls.rs", false),
            ("crates/subrosa/src/commands/serve.rs", false),
        ] {
            assert_eq!(wrong(|w| check_text(path, text, w)).is_empty(), allowed, "{path}");
        }
    }

    #[test]
    fn what_holds_content_derives_no_debug() {
        let check = |text: &str| wrong(|w| check_text("crates/api/src/a.rs", text, w));
        assert_eq!(check("#[derive(Clone)]\npub struct A {\n    pub title: Option<String>,\n}\n"), "");
        assert_eq!(check("#[derive(Debug)]\npub struct A {\n    pub titles: u32,\n}\nfn f(title: String) {}\n"), "");
        let printed = check("#[derive(Clone, Debug)]\n/// A.\npub struct A {\n    pub title: Option<String>,\n}\n");
        assert!(printed.starts_with("crates/api/src/a.rs:4: title is content"), "{printed}");
        for field in
            ["title: &'a str", "hotwords: Option<String>", "initial_prompt: Option<Arc<str>>", "context: Vec<String>"]
        {
            let printed =
                check(&format!("#[derive(Debug)]\npub(super) struct A<'a> {{\n    pub(super) {field},\n}}\n"));
            assert!(printed.contains("is content"), "{field}: {printed}");
        }
    }

    #[test]
    fn dependencies_point_one_way() {
        let check = |package, allowed, manifest| wrong(|w| check_direction(package, allowed, manifest, w));
        assert_eq!(check("crates/insight", &["speech"], "speech.workspace = true\n"), "");
        assert!(
            check("crates/speech", &[], "insight = { path = \"../insight\" }\n").contains("must not depend on insight")
        );
    }
}
