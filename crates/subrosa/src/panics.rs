//! Panics are defects, and end like every failure as one line. Its one invariant: the line tells where the defect is and
//! never the panic's message, which may quote text.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook},
};

thread_local! {
    /// Where this thread panicked last.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Lets no panic print anything by itself: who catches it reports it.
pub(crate) fn silence() {
    set_hook(Box::new(note));
}

fn note(panic: &PanicHookInfo<'_>) {
    PLACE.set(panic.location().map(ToString::to_string));
}

/// Does `act`; a panic in it ends here, as the place in the source where it happened.
pub(crate) fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    // Unwind safety: what `act` left half-changed belongs to the one recording, which ends with it.
    catch_unwind(AssertUnwindSafe(act))
        .map_err(|_message| PLACE.take().unwrap_or_else(|| "an unknown place".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::panic::{set_hook, take_hook};

    use super::{caught, note};

    #[test]
    fn a_panic_becomes_its_place_without_its_message() {
        // Other tests may fail meanwhile, and have to say so.
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            note(panic);
            before(panic);
        }));
        let place = caught(|| panic!("what was said")).unwrap_err();
        assert!(place.contains("panics.rs:") && !place.contains("said"), "{place}");
        assert_eq!(caught(|| 7), Ok(7));
    }
}
