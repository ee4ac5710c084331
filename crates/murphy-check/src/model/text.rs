//! [`Texts`]: texts under keys, which are put, appended to and got.

use super::Model;

/// Texts under keys; each is empty at first. The key-value model of porcupine's test data.
///
/// Appended pieces that are all different show the order of all writes in every `Get`: no history is checked more
/// sharply for as little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "append")]
pub struct Texts;

/// What it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// What is under this key?
    Get(String),
    /// Put this there.
    Put(String, String),
    /// Append this to what is there.
    Append(String, String),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// To a `Get`: what is there; nothing is the empty text.
    Value(String),
    /// To a `Put` and an `Append`: it is done.
    Done,
}

impl Model for Texts {
    type State = String;
    type Request = Request;
    type Reply = Reply;
    type Key = String;
    type Next = Option<String>;

    fn initial(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, request: &Request, reply: Option<&Reply>) -> Option<String> {
        match (request, reply) {
            (Request::Get(_), None) => Some(state.clone()),
            (Request::Get(_), Some(Reply::Value(got))) if got == state => Some(state.clone()),
            (Request::Put(_, text), None | Some(Reply::Done)) => Some(text.clone()),
            (Request::Append(_, text), None | Some(Reply::Done)) => Some(format!("{state}{text}")),
            _ => None,
        }
    }

    fn key(&self, request: &Request) -> Option<String> {
        match request {
            Request::Get(key) | Request::Put(key, _) | Request::Append(key, _) => Some(key.clone()),
        }
    }

    fn is_read(&self, request: &Request, _: Option<&Reply>) -> bool {
        matches!(request, Request::Get(_))
    }

    fn weight(&self, state: &String) -> usize {
        size_of::<String>() + state.capacity()
    }

    fn show(&self, request: &Request, reply: Option<&Reply>) -> String {
        let asked = match request {
            Request::Get(key) => format!("get {key:?}"),
            Request::Put(key, text) => format!("put {key:?} {text:?}"),
            Request::Append(key, text) => format!("append {key:?} {text:?}"),
        };
        match reply {
            None => format!("{asked} -> ?"),
            Some(Reply::Value(text)) => format!("{asked} -> {text:?}"),
            Some(Reply::Done) => asked,
        }
    }
}
