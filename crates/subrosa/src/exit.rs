//! Exit codes (documented in docs/command-line.md) and the one line of an error.

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::error::ErrorKind;

use server::{config::Faults, vault::keyring::KeyringError};

use crate::models::ModelError;

/// Everything was done.
pub(crate) const SUCCESS: u8 = 0;
/// A recording could not be read or transcribed, or several failed for different causes.
pub(crate) const FAILED: u8 = 1;
/// The command line makes no sense; the code that clap uses as well.
pub(crate) const USAGE: u8 = 2;
/// A model is missing or damaged.
pub(crate) const MODEL: u8 = 3;
/// The device cannot be used.
pub(crate) const DEVICE: u8 = 4;
/// An output cannot be written.
pub(crate) const OUTPUT: u8 = 5;
/// Receipts or the audit log were tampered with, or do not fit the database.
pub(crate) const TAMPERED: u8 = 6;
/// The database cannot be used.
pub(crate) const DATABASE: u8 = 7;
/// The object store cannot be used.
pub(crate) const OBJECTS: u8 = 8;
/// A key cannot be retired.
pub(crate) const RETIRE: u8 = 9;
/// The configuration is wrong.
pub(crate) const CONFIGURATION: u8 = 28;
/// An address cannot be listened on.
pub(crate) const LISTEN: u8 = 29;
/// A rule of the privacy contract is broken.
pub(crate) const BROKEN: u8 = 30;
/// Something about a rule could not be looked at.
pub(crate) const UNPROVEN: u8 = 31;
/// A language model gave no analysis; rules did.
pub(crate) const ANALYST: u8 = 32;
/// Interrupted by SIGINT or SIGTERM: 128 + SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// The code of a failure around models.
pub(crate) fn model(error: &ModelError) -> u8 {
    if matches!(error, ModelError::Unknown { .. }) { USAGE } else { MODEL }
}

/// The code of a fault of the keyring: one each, so that whoever starts the program can tell them apart.
pub(crate) fn keyring(error: &KeyringError) -> u8 {
    match error {
        KeyringError::Missing => 10,
        KeyringError::Ambiguous { .. } => 11,
        KeyringError::Empty => 12,
        KeyringError::NoId { .. } | KeyringError::BadId { .. } => 13,
        KeyringError::EmptyKey { .. } => 14,
        KeyringError::NotBase64 { .. } => 15,
        KeyringError::Length { .. } => 16,
        KeyringError::Degenerate { .. } => 17,
        KeyringError::DuplicateId { .. } => 18,
        KeyringError::DuplicateKey { .. } => 19,
        KeyringError::TooMany | KeyringError::TooLong | KeyringError::NotText => 20,
        KeyringError::File { .. } | KeyringError::NotAFile { .. } => 21,
        KeyringError::Mode { .. } => 22,
        KeyringError::Owner { .. } => 23,
        KeyringError::Command(_) => 24,
        KeyringError::WrongKey { .. } => 25,
        KeyringError::KeyLacking { .. } => 26,
        KeyringError::Retired { .. } => 27,
        KeyringError::InUse { .. } | KeyringError::Newest { .. } | KeyringError::Unknown { .. } => RETIRE,
        KeyringError::NotSealed(_) => FAILED,
    }
}

/// Prints the one line of an error and gives back its exit code.
pub(crate) fn report(error: impl Display, code: u8) -> ExitCode {
    line(error);
    ExitCode::from(code)
}

/// Prints what the command line asked for where that is help or the version, else the one line of what is wrong with it.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    if matches!(error.kind(), DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand) {
        // Nothing sensible is left to do when nobody reads it.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
    }
    report(format_args!("{}; --help shows what there is", one_line(&error.render().to_string())), USAGE)
}

/// A message of clap, which spreads over paragraphs and ends with the usage, as one line.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let said = |line: &&str| !line.starts_with("Usage: ") && !line.starts_with("For more information");
    let lines = message.lines().map(str::trim).take_while(said).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// Prints every fault of a configuration on a line of its own and gives back its exit code.
pub(crate) fn faults(faults: &Faults) -> ExitCode {
    for fault in &faults.0 {
        line(fault);
    }
    ExitCode::from(CONFIGURATION)
}

/// Prints a line on standard error.
pub(crate) fn line(message: impl Display) {
    // Nothing sensible is left to do when standard error is closed.
    let _ = writeln!(io::stderr(), "subrosa: {}", plain(&message.to_string()));
}

/// Text without what a terminal would act upon instead of showing it: control characters, line ends among them, and the
/// marks that turn the direction of what follows (Unicode Standard Annex 9, 2.1 to 2.4), which can disguise a name.
pub(crate) fn plain(text: &str) -> String {
    let acts = |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.replace(acts, "\u{FFFD}")
}

/// What to do about an error of the operating system.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; check the name",
        io::ErrorKind::PermissionDenied => "; check its permissions",
        _ if is_full(error) => "; make room and run it again",
        _ => "",
    }
}

/// Whether there is no more room to write to.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::{one_line, plain};

    #[test]
    fn a_message_of_several_paragraphs_becomes_one_line_without_the_usage() {
        let message = "error: invalid value 'tpu' for '--device <DEVICE>'\n  [possible values: cpu, cuda]\n\n\
                       Usage: subrosa\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(message), "invalid value 'tpu' for '--device <DEVICE>' [possible values: cpu, cuda]");
    }

    #[test]
    fn nothing_that_a_terminal_acts_upon_is_left_of_a_name() {
        assert_eq!(
            plain("\u{1b}[2J\u{9b}2J\na\u{202e}vaw.b\u{2066}"),
            "\u{fffd}[2J\u{fffd}2J\u{fffd}a\u{fffd}vaw.b\u{fffd}"
        );
        assert_eq!(plain("Übung שלום.wav"), "Übung שלום.wav");
    }
}
