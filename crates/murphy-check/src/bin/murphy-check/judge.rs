//! One file: read, checked, and said.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use murphy_check::model::cas::CasRegister;
use murphy_check::model::register::Register;
use murphy_check::model::{counter::Counter, mutex::Mutex, queue::Queue, set::Set, text::Texts};
use murphy_check::read::{self, BadHistory, Edn, Event};
use murphy_check::{Model, OperationOf, Picture, Verdict, VerdictOf};

use crate::args::{Args, ModelName};

/// What is said of a file.
pub(crate) struct Said {
    pub(crate) code: u8,
    pub(crate) text: String,
    pub(crate) picture: Option<Picture>,
}

pub(crate) fn file(args: &Args, path: &Path) -> Said {
    let said = text(path).and_then(|text| {
        let events = read::events(&text).map_err(|e| e.to_string())?;
        judge(args, &events).map_err(|e| e.to_string())
    });
    said.unwrap_or_else(|why| Said {
        code: 2,
        text: format!("unknown: {why}"),
        picture: None,
    })
}

/// No more of it than is read: one byte past that is enough to refuse it.
fn text(path: &Path) -> Result<String, String> {
    let most = read::MOST_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = match path.to_str() {
        Some("-") => io::stdin().lock().take(most).read_to_end(&mut bytes),
        _ => File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    read.map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let lines = e.as_bytes()[..valid].iter().filter(|b| **b == b'\n');
        format!("line {}: it is not UTF-8", lines.count() + 1)
    })
}

fn judge(args: &Args, events: &[Event]) -> Result<Said, BadHistory> {
    let initial = initials(args, events);
    Ok(match args.model {
        ModelName::Register => {
            let history = read::registers(events)?;
            let model = |initial: &Edn| match initial {
                Edn::Nil => Register::new(),
                value => Register::holding(value.clone()),
            };
            from_each(args, &initial, model, &history)
        }
        ModelName::CasRegister => {
            let history = read::cas_registers(events)?;
            let model = |initial: &Edn| match initial {
                Edn::Nil => CasRegister::new(),
                value => CasRegister::holding(value.clone()),
            };
            from_each(args, &initial, model, &history)
        }
        ModelName::Mutex => from_one(args, &Mutex, &read::mutexes(events)?),
        ModelName::KeyValue => from_one(args, &Texts, &read::texts(events)?),
        ModelName::Counter => from_one(args, &Counter, &read::counters(events)?),
        ModelName::Set => from_one(args, &Set::new(), &read::sets(events)?),
        ModelName::Queue => from_one(args, &Queue::new(), &read::queues(events)?),
    })
}

/// What a register may hold at first. Jepsen's histories do not say: their tests begin with nil or 0.
fn initials(args: &Args, events: &[Event]) -> Vec<Edn> {
    match &args.initial {
        Some(value) => vec![value.clone()],
        None if events.iter().any(|event| event.observes) => vec![Edn::Nil],
        None => vec![Edn::Nil, Edn::Int(0)],
    }
}

/// Legal from one of them is legal; else unknown from one is unknown. Of two witnesses the one that got further.
fn from_each<M: Model>(
    args: &Args,
    initial: &[Edn],
    model: impl Fn(&Edn) -> M,
    history: &[OperationOf<M>],
) -> Said {
    let mut worst: Option<(Verdict<_, _, _>, &Edn)> = None;
    for value in initial {
        let verdict = args.checker.check(&model(value), history);
        let returned = |verdict: &VerdictOf<M>| {
            let stuck = verdict.witness().and_then(|w| history.get(w.stuck));
            stuck.and_then(|operation| operation.returned())
        };
        let is_worse = match &worst {
            None => true,
            Some((before, _)) if before.is_unknown() => verdict.is_legal(),
            Some((before, _)) => !verdict.is_illegal() || returned(&verdict) > returned(before),
        };
        if is_worse {
            worst = Some((verdict, value));
        }
        if worst
            .as_ref()
            .is_some_and(|(verdict, _)| verdict.is_legal())
        {
            break;
        }
    }
    let (verdict, value) = worst.expect("there is a value to begin with");
    let at_first = format!("  {value} at first\n");
    said(&model(value), history, &verdict, &at_first)
}

fn from_one<M: Model>(args: &Args, model: &M, history: &[OperationOf<M>]) -> Said {
    said(model, history, &args.checker.check(model, history), "")
}

fn said<M: Model>(
    model: &M,
    history: &[OperationOf<M>],
    verdict: &VerdictOf<M>,
    at_first: &str,
) -> Said {
    // Whoever recorded nothing has shown nothing.
    if history.is_empty() {
        return Said {
            code: 2,
            text: "unknown: there is no operation in it".to_owned(),
            picture: None,
        };
    }
    let mut text = verdict.to_string();
    match verdict {
        Verdict::Legal { .. } => {}
        Verdict::Illegal(witness) => {
            text.push_str(&format!(
                "\n{at_first}{}",
                witness.describe(model).trim_end()
            ));
        }
        Verdict::Unknown(why) => text.push_str(&format!(": {why}")),
    }
    let picture = verdict.witness().map(|w| Picture::new(model, history, w));
    Said {
        code: verdict.exit_code(),
        text,
        picture,
    }
}
