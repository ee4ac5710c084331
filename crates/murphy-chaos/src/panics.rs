//! Panics of a run are noted, not printed: an exploration sees thousands of them.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// The most panics of one run that are kept.
const MOST: usize = 16;

thread_local! {
    static NOTES: RefCell<Option<Vec<Note>>> = const { RefCell::new(None) };
}

/// A panic on this thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) message: String,
    /// The file, without the line: that moves with every edit.
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// While it is held, panics of this thread are noted. Not nested.
#[derive(Debug)]
pub(crate) struct Noting(());

impl Noting {
    pub(crate) fn begin() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !noted(info) {
                    before(info);
                }
            }));
        });
        NOTES.set(Some(Vec::new()));
        Self(())
    }

    /// What was noted so far.
    pub(crate) fn take(&self) -> Vec<Note> {
        NOTES.with_borrow_mut(|notes| notes.as_mut().map(std::mem::take).unwrap_or_default())
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        NOTES.set(None);
    }
}

/// Lets go of something of the test's. If that panics, it is nobody's: neither noted, nor the end of the exploration.
pub(crate) fn quietly(let_go: impl FnOnce()) {
    let noted = NOTES.with_borrow(|notes| notes.as_ref().map_or(0, Vec::len));
    let _ = panic::catch_unwind(AssertUnwindSafe(let_go));
    NOTES.with_borrow_mut(|notes| {
        if let Some(notes) = notes {
            notes.truncate(noted);
        }
    });
}

/// What a panic says.
pub(crate) fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

/// Whether this thread notes its panics; then this one is.
fn noted(info: &PanicHookInfo<'_>) -> bool {
    let message = words(info.payload());
    let (file, line) = info
        .location()
        .map_or((String::new(), 0), |at| (at.file().to_owned(), at.line()));
    // A thread that is ending has no notes any more.
    let note = |notes: &RefCell<Option<Vec<Note>>>| match &mut *notes.borrow_mut() {
        Some(notes) => {
            if notes.len() < MOST {
                notes.push(Note {
                    message,
                    file,
                    line,
                });
            }
            true
        }
        None => false,
    };
    NOTES.try_with(note).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_noted_while_somebody_notes() {
        let noting = Noting::begin();
        for n in 0..MOST + 3 {
            let caught = panic::catch_unwind(|| panic!("number {n}"));
            assert!(caught.is_err());
        }
        let notes = noting.take();
        assert_eq!(notes.len(), MOST);
        assert_eq!(notes[1].message, "number 1");
        assert!(notes[1].file.ends_with("panics.rs"), "{:?}", notes[1]);
        assert!(noting.take().is_empty());
        drop(noting);
        assert!(NOTES.with_borrow(Option::is_none));
    }
}
