//! [`Mutex`]: held by one, or by nobody; by whom is not asked.

use super::Model;

/// A lock that does not know its holder: Jepsen's `mutex`. Free at first.
///
/// A release by somebody who does not hold it frees it all the same; [`Lease`](super::lease::Lease) is the one that minds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mutex;

/// What a mutex is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Let me hold it.
    Acquire,
    /// Let it be free.
    Release,
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It is done.
    Done,
    /// It is not: it was held, or was free already.
    Refused,
}

impl Model for Mutex {
    /// Whether it is held.
    type State = bool;
    type Request = Request;
    type Reply = Reply;
    type Key = ();
    type Next = Option<bool>;

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, request: &Request, reply: Option<&Reply>) -> Option<bool> {
        let can = *held == (*request == Request::Release);
        match reply {
            Some(Reply::Done) => can.then_some(!held),
            Some(Reply::Refused) => (!can).then_some(*held),
            None => Some(held ^ can),
        }
    }

    fn is_read(&self, _: &Request, reply: Option<&Reply>) -> bool {
        matches!(reply, Some(Reply::Refused))
    }

    fn show(&self, request: &Request, reply: Option<&Reply>) -> String {
        let asked = match request {
            Request::Acquire => "acquire",
            Request::Release => "release",
        };
        match reply {
            None => format!("{asked} -> ?"),
            Some(Reply::Done) => asked.to_owned(),
            Some(Reply::Refused) => format!("{asked} -> refused"),
        }
    }
}
