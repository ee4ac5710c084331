//! From events to the operations of a model.

use std::collections::{BTreeMap, BTreeSet};

use super::edn::Edn;
use super::error::{BadHistory, Problem, short};
use super::event::{Event, Kind};
use crate::model::{cas, counter, mutex, queue, register, set, text};
use crate::{Operation, Outcome};

type Operations<I, O> = Result<Vec<Operation<I, O>>, BadHistory>;

/// An invocation and its end, if it has one.
struct Pair<'e> {
    invoked: &'e Event,
    end: Option<&'e Event>,
    called: u64,
    ended: u64,
}

/// Reads and writes of one register: `:read`, `:write`.
///
/// # Errors
///
/// [`BadHistory`]: anything else, and events that are in no order.
pub fn registers(events: &[Event]) -> Operations<register::Request<Edn>, register::Reply<Edn>> {
    use register::{Reply, Request};
    operations(events, |pair| match pair.f() {
        "read" => Ok((Request::Read, Reply::Value(pair.answer()))),
        "write" => Ok((Request::Write(pair.asked()?), Reply::Written)),
        _ => Err(pair.unknown(":read or :write")),
    })
}

/// The same, and `:cas` with `[from to]`.
///
/// # Errors
///
/// [`BadHistory`]: anything else, and events that are in no order.
pub fn cas_registers(events: &[Event]) -> Operations<cas::Request<Edn>, cas::Reply<Edn>> {
    use cas::{Reply, Request};
    operations(events, |pair| match pair.f() {
        "read" => Ok((Request::Read, Reply::Value(pair.answer()))),
        "write" => Ok((Request::Write(pair.asked()?), Reply::Written)),
        "cas" => {
            let Edn::List(both) = &pair.invoked.value else {
                return Err(pair.bad("[from to]"));
            };
            let [from, to] = both.as_slice() else {
                return Err(pair.bad("[from to]"));
            };
            let from = some(from);
            let to = to.clone();
            Ok((Request::Cas { from, to }, Reply::Swapped(pair.is_ok())))
        }
        _ => Err(pair.unknown(":read, :write or :cas")),
    })
}

/// `:acquire` and `:release` of one lock, whoever does it.
///
/// # Errors
///
/// [`BadHistory`]: anything else, and events that are in no order.
pub fn mutexes(events: &[Event]) -> Operations<mutex::Request, mutex::Reply> {
    use mutex::{Reply, Request};
    operations(events, |pair| match pair.f() {
        "acquire" => Ok((Request::Acquire, Reply::Done)),
        "release" => Ok((Request::Release, Reply::Done)),
        _ => Err(pair.unknown(":acquire or :release")),
    })
}

/// `:get`, `:put` and `:append` of texts under a `:key`.
///
/// # Errors
///
/// [`BadHistory`]: anything else, and events that are in no order.
pub fn texts(events: &[Event]) -> Operations<text::Request, text::Reply> {
    use text::{Reply, Request};
    operations(events, |pair| {
        let key = match &pair.invoked.key {
            Some(Edn::Text(key)) => key.clone(),
            Some(key) => key.to_string(),
            None => return Err(pair.field(":key", &Edn::Nil, "a text")),
        };
        let text = |value: &Edn| match value {
            Edn::Text(text) => Ok(text.clone()),
            Edn::Nil => Ok(String::new()),
            _ => Err(pair.bad("a text")),
        };
        match pair.f() {
            "get" if !pair.is_ok() => Ok((Request::Get(key), Reply::Done)),
            "get" => Ok((Request::Get(key), Reply::Value(text(pair.told())?))),
            "put" => Ok((Request::Put(key, text(&pair.invoked.value)?), Reply::Done)),
            "append" => Ok((
                Request::Append(key, text(&pair.invoked.value)?),
                Reply::Done,
            )),
            _ => Err(pair.unknown(":get, :put or :append")),
        }
    })
}

/// `:add` of a number and `:read` of the sum.
///
/// # Errors
///
/// [`BadHistory`]: anything else, and events that are in no order.
pub fn counters(events: &[Event]) -> Operations<counter::Request, counter::Reply> {
    use counter::{Reply, Request};
    operations(events, |pair| {
        match (pair.f(), pair.told(), &pair.invoked.value) {
            ("read", Edn::Int(n), _) => Ok((Request::Read, Reply::Value((*n).into()))),
            // Not answered, it says nothing.
            ("read", ..) if !pair.is_ok() => Ok((Request::Read, Reply::Value(0))),
            ("add", _, Edn::Int(n)) => Ok((Request::Add(*n), Reply::Added)),
            ("read" | "add", ..) => Err(pair.bad("a number")),
            _ => Err(pair.unknown(":read or :add")),
        }
    })
}

/// `:add` of an element and `:read` of the whole set.
///
/// # Errors
///
/// [`BadHistory`]: anything else, and events that are in no order.
pub fn sets(events: &[Event]) -> Operations<set::Request<Edn>, set::Reply<Edn>> {
    use set::{Reply, Request};
    operations(events, |pair| match (pair.f(), pair.told()) {
        ("add", _) => Ok((Request::Add(pair.asked()?), Reply::Done)),
        ("read", Edn::Set(all) | Edn::List(all)) => {
            let these = all.iter().cloned().collect();
            Ok((Request::All, Reply::These(these)))
        }
        ("read", _) if !pair.is_ok() => Ok((Request::All, Reply::These(BTreeSet::new()))),
        ("read", _) => Err(pair.bad("a set")),
        _ => Err(pair.unknown(":read or :add")),
    })
}

/// `:enqueue` of an item and `:dequeue` of the first; that there is none is `nil`, or a `:fail`, which says nothing.
///
/// # Errors
///
/// [`BadHistory`]: anything else, and events that are in no order.
pub fn queues(events: &[Event]) -> Operations<queue::Request<Edn>, queue::Reply<Edn>> {
    use queue::{Reply, Request};
    operations(events, |pair| match pair.f() {
        "enqueue" => Ok((Request::Enqueue(pair.asked()?), Reply::Enqueued)),
        "dequeue" => Ok((Request::Dequeue, Reply::Dequeued(pair.answer()))),
        _ => Err(pair.unknown(":enqueue or :dequeue")),
    })
}

fn operations<I, O>(
    events: &[Event],
    of: impl Fn(&Pair<'_>) -> Result<(I, O), BadHistory>,
) -> Operations<I, O> {
    let mut operations = Vec::new();
    for pair in pairs(events)? {
        let (request, reply) = of(&pair)?;
        let end = pair.end.map(|event| {
            let outcome = match event.kind {
                Kind::Ok => Outcome::Done(reply),
                // Of a comparison that failed, where that is an answer.
                Kind::Fail if event.observes && event.f == "cas" => Outcome::Done(reply),
                Kind::Fail => Outcome::Failed,
                Kind::Info | Kind::Invoke => Outcome::Unknown,
            };
            (pair.ended, outcome)
        });
        let process = pair.invoked.process;
        let operation = Operation::try_new(process, request, pair.called, end);
        operations.push(operation.expect("an end comes after its beginning"));
    }
    Ok(operations)
}

/// Each invocation with its end, in the order of invocations.
fn pairs(events: &[Event]) -> Result<Vec<Pair<'_>>, BadHistory> {
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    let mut running: BTreeMap<u64, usize> = BTreeMap::new();
    for (event, at) in events.iter().zip(1..) {
        let process = event.process;
        if event.kind == Kind::Invoke {
            if let Some(busy) = running.insert(process, pairs.len()) {
                let since = pairs[busy].invoked.line;
                return Err(Problem::Busy { process, since }.at(event.line));
            }
            pairs.push(Pair {
                invoked: event,
                end: None,
                called: at,
                ended: at,
            });
            continue;
        }
        let invoked = running.remove(&process).map(|pair| &mut pairs[pair]);
        match invoked {
            Some(pair) if pair.invoked.f == event.f && pair.invoked.key == event.key => {
                pair.end = Some(event);
                pair.ended = at;
            }
            other => {
                let f = |event: &Event| format!(":{}", short(&event.f));
                let invoked = other.map_or("nothing".into(), |p| f(p.invoked));
                let problem = Problem::NotInvoked {
                    process,
                    found: f(event),
                    invoked,
                };
                return Err(problem.at(event.line));
            }
        }
    }
    Ok(pairs)
}

impl Pair<'_> {
    fn f(&self) -> &str {
        &self.invoked.f
    }

    fn is_ok(&self) -> bool {
        self.end.is_some_and(|end| end.kind == Kind::Ok)
    }

    /// What the end says.
    fn told(&self) -> &Edn {
        self.end.map_or(&Edn::Nil, |end| &end.value)
    }

    /// What was read.
    fn answer(&self) -> Option<Edn> {
        some(self.told())
    }

    /// What is to be written.
    fn asked(&self) -> Result<Edn, BadHistory> {
        some(&self.invoked.value).ok_or_else(|| self.bad("a value"))
    }

    fn bad(&self, wanted: &'static str) -> BadHistory {
        let value = if self.is_ok() {
            self.told()
        } else {
            &self.invoked.value
        };
        self.field(":value", value, wanted)
    }

    fn unknown(&self, wanted: &'static str) -> BadHistory {
        let f = Edn::Keyword(self.invoked.f.clone());
        self.field(":f", &f, wanted)
    }

    fn field(&self, field: &'static str, found: &Edn, wanted: &'static str) -> BadHistory {
        let found = short(&found.to_string());
        let problem = Problem::Field {
            field,
            found,
            wanted,
        };
        problem.at(self.invoked.line)
    }
}

fn some(value: &Edn) -> Option<Edn> {
    (*value != Edn::Nil).then(|| value.clone())
}
