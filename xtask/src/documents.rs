//! Documents that are true: what they say leads to something that exists. Its one invariant: a file, heading, rule, test, table, command,
//! operation or setting that a document of privacy names is there, and every rule of the contract names a test or says that it is not built.

use std::collections::{BTreeMap, BTreeSet};

use crate::markdown::{self, Link};

#[cfg(test)]
mod tests;

/// Documents that speak of rules, tests, commands and operations. The other documents are held to their links alone.
const PRIVACY: [&str; 2] = ["docs/privacy/", "SECURITY.md"];

/// The rules, a section each under a heading that is the rule's name.
const CONTRACT: &str = "docs/privacy/contract.md";

/// Its kinds of rules and how many there are: hard ones, and settings.
const RULES: [(char, u8); 2] = [('H', 20), ('S', 7)];

/// What a rule says that has no test because there is nothing to be tested.
const NOT_BUILT: &str = "Not built yet";

/// Everything that is stored.
const INVENTORY: &str = "docs/privacy/data-inventory.md";

/// What makes the tables, by the file.
const MIGRATIONS: &str = "crates/server/migrations/";

/// The schemas of the tables that hold data.
const SCHEMAS: [&str; 2] = ["tenant.", "global."];

/// Every subcommand, in a table.
const COMMANDS: &str = "docs/command-line.md";

/// Every operation of the API.
const OPERATIONS: &str = "docs/openapi.json";

/// Every setting, with its default.
const SETTINGS: &str = "crates/server/config.default.toml";

/// The working tree.
pub(crate) struct Tree<'a> {
    /// Every file.
    pub(crate) files: &'a BTreeSet<String>,
    /// What those hold that are text.
    pub(crate) texts: &'a BTreeMap<String, String>,
}

/// Names everything that a document says and that is not so.
pub(crate) fn check(tree: &Tree<'_>, wrong: &mut Vec<String>) {
    let rules = tree.rules(wrong);
    for (path, text) in tree.texts.iter().filter(|(path, _)| path.ends_with(".md")) {
        let prose = markdown::prose(text);
        for link in markdown::links(&prose).into_iter().filter(|link| !link.is_external()) {
            if let Err(fault) = tree.follow(path, &link) {
                wrong.push(format!("{path}:{}: {fault}", link.line));
            }
        }
        if PRIVACY.iter().any(|start| path.starts_with(start)) {
            check_rules(path, &prose, &rules, wrong);
            tree.check_code(path, text, wrong);
        }
    }
    tree.check_inventory(wrong);
}

impl Tree<'_> {
    fn text(&self, path: &str) -> &str {
        self.texts.get(path).map_or("", String::as_str)
    }

    /// The rules of the contract; each has a test.
    fn rules(&self, wrong: &mut Vec<String>) -> BTreeSet<String> {
        let prose = markdown::prose(self.text(CONTRACT));
        let sections = prose.split("\n#").map(|section| section.trim_start_matches('#').trim_start());
        let sections: BTreeMap<_, _> = sections
            .filter_map(|section| Some((section.lines().next()?.trim(), section)))
            .filter(|(heading, _)| is_rule(heading))
            .collect();
        for rule in RULES.into_iter().flat_map(|(kind, last)| (1..=last).map(move |number| format!("{kind}{number}"))) {
            match sections.get(&*rule) {
                None => wrong.push(format!("{CONTRACT}: no section {rule}")),
                Some(section) if markdown::links(section).iter().any(|link| link.name().is_some()) => {}
                Some(section) if section.contains(NOT_BUILT) && !links_to_code(section) => {}
                Some(_) => {
                    wrong.push(format!("{CONTRACT}: {rule} names no test, and is not \"{NOT_BUILT}\" as a whole"));
                }
            }
        }
        sections.into_keys().map(str::to_owned).collect()
    }

    /// Finds the file of a link, the heading in it, and the test that its label names.
    fn follow(&self, from: &str, link: &Link<'_>) -> Result<(), String> {
        let (target, heading) = link.target.split_once('#').unwrap_or((link.target, ""));
        let path = if target.is_empty() { Some(from.to_owned()) } else { resolve(from, target) };
        let there = |path: &String| self.files.contains(path) || self.files.iter().any(|file| is_below(file, path));
        let Some(path) = path.filter(there) else { return Err(format!("{} is not there", link.target)) };
        if !heading.is_empty() && !markdown::anchors(self.text(&path)).contains(heading) {
            return Err(format!("{path} has no heading #{heading}"));
        }
        match link.name() {
            Some(test) if is_code(&path) && !has_test(self.text(&path), test) => {
                Err(format!("{path} has no test {test}"))
            }
            _ => Ok(()),
        }
    }

    /// Commands, operations and settings that are shown as code exist.
    fn check_code(&self, path: &str, text: &str, wrong: &mut Vec<String>) {
        for (number, _) in
            markdown::prose(text).lines().enumerate().filter(|(_, line)| line.matches('`').count() % 2 == 1)
        {
            wrong.push(format!("{path}:{}: a piece of code does not end in its line", number + 1));
        }
        let (commands, settings) = (self.commands(), self.settings());
        let sections: BTreeSet<_> =
            settings.iter().filter_map(|(section, name)| name.is_empty().then_some(section)).collect();
        for (line, code) in markdown::code(text) {
            for (command, sub) in commands_in(code) {
                if !commands.get(command).is_some_and(|subs| subs.is_empty() || subs.contains(sub)) {
                    wrong.push(format!("{path}:{line}: {COMMANDS} has no subrosa {command} {sub}"));
                }
            }
            for word in code.split([' ', '"', '\'', '$', '?', ','].as_slice()) {
                let is_operation = ["/api/", "/v1/"].iter().any(|start| word.starts_with(start));
                if is_operation && !self.text(OPERATIONS).contains(&format!("\"{word}\"")) {
                    wrong.push(format!("{path}:{line}: {OPERATIONS} has no {word}"));
                }
                let setting = word.split_once('.').filter(|(section, _)| sections.contains(section));
                if setting.is_some_and(|setting| !settings.contains(&setting)) {
                    wrong.push(format!("{path}:{line}: {SETTINGS} has no {word}"));
                }
            }
        }
    }

    /// Every setting as its section and its name, and every section with no name.
    fn settings(&self) -> BTreeSet<(&str, &str)> {
        let mut section = "";
        let lines = self.text(SETTINGS).lines().filter(|line| !line.starts_with('#'));
        let settings = lines.filter_map(|line| {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
                return Some((section, ""));
            }
            line.split_once(" = ").map(|(name, _)| (section, name))
        });
        settings.collect()
    }

    /// The subcommands of each command, by the table of the manual; none where anything may follow.
    fn commands(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut commands = BTreeMap::<_, BTreeSet<_>>::new();
        let rows = self.text(COMMANDS).lines().filter(|line| line.starts_with("| `subrosa "));
        for (command, subs) in rows.flat_map(|row| row.split('`')).flat_map(commands_in) {
            let subs = subs.split("\\|").filter(|sub| is_command(sub));
            commands.entry(command).or_default().extend(subs);
        }
        commands
    }

    /// The inventory names every table, and none that is not there.
    fn check_inventory(&self, wrong: &mut Vec<String>) {
        let tables = self.tables();
        let code = markdown::code(self.text(INVENTORY));
        let named: BTreeSet<_> = code.iter().map(|(_, code)| *code).filter(|code| is_table(code)).collect();
        let tables: BTreeSet<_> = tables.iter().map(String::as_str).collect();
        wrong.extend(tables.difference(&named).map(|table| format!("{INVENTORY}: does not tell of the table {table}")));
        wrong.extend(named.difference(&tables).map(|table| format!("{INVENTORY}: there is no table {table}")));
    }

    /// What the migrations leave there, one after the other.
    fn tables(&self) -> BTreeSet<String> {
        let mut tables = BTreeSet::new();
        let migrations = self.texts.iter().filter(|(path, _)| path.starts_with(MIGRATIONS));
        for line in migrations.flat_map(|(_, text)| text.lines()) {
            let name = |rest: &str| rest.split([' ', '(', ';']).find(|word| is_table(word)).map(str::to_owned);
            if let Some(table) = line.strip_prefix("CREATE TABLE ").and_then(name) {
                tables.insert(table);
            } else if let Some(table) = line.strip_prefix("DROP TABLE ").and_then(name) {
                tables.remove(&table);
            }
        }
        tables
    }
}

/// Rules that are named exist and are links to what they say; a heading names the rule that it is.
fn check_rules(path: &str, prose: &str, rules: &BTreeSet<String>, wrong: &mut Vec<String>) {
    let mut fault = |line: usize, rule: &str, what: &str| {
        let known = rules.contains(rule);
        let what = if known { what.to_owned() } else { format!("is no rule of {CONTRACT}") };
        wrong.push(format!("{path}:{line}: {rule} {what}"));
    };
    for (number, line) in markdown::without_links(prose).lines().enumerate().filter(|(_, line)| !line.starts_with('#'))
    {
        named(line).for_each(|rule| fault(number + 1, rule, "is no link to its rule"));
    }
    for link in markdown::links(prose) {
        let heading = link.target.split_once('#').map(|(_, heading)| heading);
        for rule in named(link.label).filter(|rule| heading != Some(&*rule.to_lowercase()) || !rules.contains(*rule)) {
            fault(link.line, rule, "leads to another place than its rule");
        }
    }
}

/// The rules that a text names.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| is_rule(word))
}

/// H1, S7: a kind and a number.
fn is_rule(word: &str) -> bool {
    let number = RULES.iter().find_map(|(kind, _)| word.strip_prefix(*kind));
    number.is_some_and(|number| (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_table(word: &str) -> bool {
    let name = SCHEMAS.iter().find_map(|schema| word.strip_prefix(schema));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')))
}

/// Whether a section names code, so that some of what it says is built.
fn links_to_code(section: &str) -> bool {
    markdown::links(section).iter().any(|link| is_code(link.target.split('#').next().unwrap_or_default()))
}

fn is_code(path: &str) -> bool {
    path.ends_with(".rs") || path.ends_with(".py")
}

/// Whether a file lies in a directory.
fn is_below(file: &str, directory: &str) -> bool {
    file.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// The path in the repository that a relative one means; `None` when it leaves the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a file of Rust or Python has a test of this name.
fn has_test(text: &str, name: &str) -> bool {
    let mut is_marked = false;
    text.lines().map(str::trim_start).any(|line| {
        is_marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let rust = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        let is_test = rust.is_some() && std::mem::take(&mut is_marked);
        let python = line.strip_prefix("def ").filter(|function| function.starts_with("test_"));
        let function = rust.filter(|_| is_test).or(python);
        function.and_then(|function| function.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    })
}

/// `subrosa COMMAND WORD`, wherever the program is called.
fn commands_in(code: &str) -> Vec<(&str, &str)> {
    let called = code
        .match_indices("subrosa ")
        .filter(|(at, _)| code[..*at].chars().next_back().is_none_or(|c| " (/".contains(c)));
    let called = called.filter_map(|(at, name)| {
        let mut words = code[at + name.len()..].split([' ', ';', ')']).filter(|word| !word.is_empty());
        Some((words.next().filter(|word| is_command(word))?, words.next().unwrap_or_default()))
    });
    called.collect()
}

fn is_command(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'-'))
}
