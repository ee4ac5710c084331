//! [`Event`]: one line of a history, in whichever format.

use super::edn::{Edn, Forms};
use super::error::{BadHistory, Problem, short};
use super::{MOST_BYTES, MOST_EVENTS, log};

/// An invocation, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it is, from 1.
    pub line: usize,
    /// Whose it is.
    pub process: u64,
    /// Whether it begins or ends, and how.
    pub kind: Kind,
    /// What is asked: `read`, `write`, …
    pub f: String,
    /// Of which thing, where there are several.
    pub key: Option<Edn>,
    /// What is written or was read.
    pub value: Edn,
    /// Whether a failed comparison says something of the value: in logs it does.
    pub observes: bool,
}

/// Whether an event begins or ends an operation, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It begins.
    Invoke,
    /// It was answered.
    Ok,
    /// It did not happen.
    Fail,
    /// Nobody knows.
    Info,
}

/// The events of a text, whose format is told by how it begins.
///
/// # Errors
///
/// [`BadHistory`], with the line: what is no EDN, no event, or too much.
pub fn events(text: &str) -> Result<Vec<Event>, BadHistory> {
    if text.len() > MOST_BYTES {
        let (what, most) = ("bytes", MOST_BYTES);
        return Err(Problem::TooMuch { what, most }.at(1));
    }
    if log::is_log(text) {
        return log::events(text);
    }
    let mut forms = Forms::new(text, 1);
    let close = forms.enter()?;
    let opened = forms.line();
    let mut events = Vec::new();
    loop {
        if close.is_some() && forms.rest().trim_start().is_empty() {
            let found = if close == Some(']') { "[" } else { "(" };
            return Err(Problem::syntax(found, "is not closed").at(opened));
        }
        let Some(form) = forms.next(close)? else {
            break;
        };
        events.extend(event(&form, forms.line())?);
        bounded(&events, forms.line())?;
    }
    match forms.next(None)? {
        Some(more) => {
            let found = short(&more.to_string());
            Err(Problem::Trailing { found }.at(forms.line()))
        }
        None => Ok(events),
    }
}

pub(crate) fn bounded(events: &[Event], line: usize) -> Result<(), BadHistory> {
    if events.len() > MOST_EVENTS {
        let (what, most) = ("events", MOST_EVENTS);
        return Err(Problem::TooMuch { what, most }.at(line));
    }
    Ok(())
}

/// The event that a map is; none if it is no client's.
fn event(form: &Edn, line: usize) -> Result<Option<Event>, BadHistory> {
    let Edn::Map(_) = form else {
        let wanted = "a map with :process, :type, :f and :value";
        let found = short(&form.to_string());
        return Err(Problem::NotAnEvent { found, wanted }.at(line));
    };
    let bad = |field: &'static str, wanted: &'static str| {
        let value = form.under(&field[1..]).unwrap_or(&Edn::Nil);
        let found = short(&value.to_string());
        let problem = Problem::Field {
            field,
            found,
            wanted,
        };
        problem.at(line)
    };
    let process = match form.under("process") {
        Some(Edn::Keyword(_)) => return Ok(None),
        Some(Edn::Int(n)) => u64::try_from(*n).ok(),
        _ => None,
    };
    let process = process.ok_or_else(|| bad(":process", "a number, 0 or above, or a keyword"))?;
    let kind = form.under("type").and_then(Kind::from_edn);
    let kind = kind.ok_or_else(|| bad(":type", ":invoke, :ok, :fail or :info"))?;
    let Some(Edn::Keyword(f)) = form.under("f") else {
        return Err(bad(":f", "a keyword, as :read"));
    };
    Ok(Some(Event {
        line,
        process,
        kind,
        f: f.clone(),
        key: form.under("key").cloned(),
        value: form.under("value").cloned().unwrap_or(Edn::Nil),
        observes: false,
    }))
}

impl Kind {
    pub(crate) fn from_edn(value: &Edn) -> Option<Self> {
        let Edn::Keyword(name) = value else {
            return None;
        };
        match name.as_str() {
            "invoke" => Some(Self::Invoke),
            "ok" => Some(Self::Ok),
            "fail" => Some(Self::Fail),
            "info" => Some(Self::Info),
            _ => None,
        }
    }
}
