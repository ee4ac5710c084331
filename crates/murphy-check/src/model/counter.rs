//! [`Counter`]: a number that is added to.

use super::Model;

/// A number that is added to and read; 0 at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter;

/// What it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// What is the number?
    Read,
    /// Add this, which may be negative.
    Add(i64),
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The number: to a `Read`, as it is; to an `Add`, as it is now.
    Value(i128),
    /// To an `Add`: it is added.
    Added,
}

impl Model for Counter {
    // Wide enough for 2⁶⁴ sums of `i64`.
    type State = i128;
    type Request = Request;
    type Reply = Reply;
    type Key = ();
    type Next = Option<i128>;

    fn initial(&self) -> i128 {
        0
    }

    fn step(&self, state: &i128, request: &Request, reply: Option<&Reply>) -> Option<i128> {
        let (next, told) = match request {
            Request::Read => (*state, matches!(reply, Some(Reply::Added))),
            Request::Add(n) => (state + i128::from(*n), false),
        };
        match reply {
            Some(Reply::Value(value)) if *value != next => None,
            _ if told => None,
            _ => Some(next),
        }
    }

    fn is_read(&self, request: &Request, _: Option<&Reply>) -> bool {
        matches!(request, Request::Read | Request::Add(0))
    }

    fn show(&self, request: &Request, reply: Option<&Reply>) -> String {
        let asked = match request {
            Request::Read => "read".to_owned(),
            Request::Add(n) => format!("add {n}"),
        };
        match reply {
            None => format!("{asked} -> ?"),
            Some(Reply::Value(value)) => format!("{asked} -> {value}"),
            Some(Reply::Added) => asked,
        }
    }
}
