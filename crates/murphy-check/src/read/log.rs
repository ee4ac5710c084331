//! Log lines of jepsen.util, as in porcupine's test data: `INFO  jepsen.util - 0 :invoke :write 3`.

use super::edn::{Edn, Forms};
use super::error::{BadHistory, Problem, short};
use super::event::{Event, Kind, bounded};

const NAME: &str = "jepsen.util";

/// Whether the first line that is not blank is one.
pub(crate) fn is_log(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.is_some_and(|line| after_name(line).is_some())
}

/// The events of a log. Lines that are not jepsen.util's are left out.
pub(crate) fn events(text: &str) -> Result<Vec<Event>, BadHistory> {
    let mut events = Vec::new();
    for (at, text) in text.lines().enumerate() {
        let line = at + 1;
        if let Some(said) = after_name(text) {
            events.extend(event(said, line)?);
            bounded(&events, line)?;
        }
    }
    Ok(events)
}

/// What comes after `LEVEL jepsen.util - `.
fn after_name(line: &str) -> Option<&str> {
    let (level, rest) = line.trim_start().split_once(char::is_whitespace)?;
    let is_level = !level.is_empty() && level.chars().all(|c| c.is_ascii_uppercase());
    let rest = rest.trim_start().strip_prefix(NAME)?;
    let rest = rest.trim_start().strip_prefix('-')?;
    is_level.then_some(rest)
}

fn event(said: &str, line: usize) -> Result<Option<Event>, BadHistory> {
    let not_one = || {
        let found = short(said);
        let wanted = "a process, :type, :f and a value";
        Problem::NotAnEvent { found, wanted }.at(line)
    };
    let mut forms = Forms::new(said, line);
    let process = match forms.next(None)? {
        // What a nemesis says is no client's, and may be anything.
        Some(Edn::Keyword(_)) => return Ok(None),
        Some(Edn::Int(n)) => u64::try_from(n).map_err(|_| not_one())?,
        _ => return Err(not_one()),
    };
    let mut fields = Vec::new();
    while let Some(field) = forms.next(None)? {
        if fields.len() == 3 {
            return Err(not_one());
        }
        fields.push(field);
    }
    let mut fields = fields.into_iter();
    let kind = fields.next().as_ref().and_then(Kind::from_edn);
    let (Some(kind), Some(Edn::Keyword(f)), Some(value)) = (kind, fields.next(), fields.next())
    else {
        return Err(not_one());
    };
    // A failed comparison was answered; any other failure (`:timed-out`) says what it was.
    let observes = !matches!(value, Edn::Keyword(_));
    Ok(Some(Event {
        line,
        process,
        kind,
        f,
        key: None,
        value,
        observes,
    }))
}
