//! [`Place`]: a request's place in the line of its resource.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::Denied;
use super::lines::{Lines, Ticket, Turn};
use crate::FencingToken;
use crate::fence::Refused;

/// A place in line, and then inside, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    lines: Arc<Lines>,
    resource: Arc<str>,
    ticket: Ticket,
    token: FencingToken,
    op: Option<u64>,
    /// The number before its own, since it acts.
    before: Option<u64>,
}

impl Place {
    /// At the end of the line.
    pub(super) fn take(
        lines: &Arc<Lines>,
        resource: &str,
        token: FencingToken,
        op: Option<u64>,
    ) -> Result<Self, Denied> {
        let (resource, ticket) =
            lines.with(|table, wakes| table.arrive(resource, &token, op, wakes))?;
        let lines = Arc::clone(lines);
        Ok(Self {
            lines,
            resource,
            ticket,
            token,
            op,
            before: None,
        })
    }

    /// Waits for the turn, or for one of higher rank.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        let (resource, token, waker) = (&*self.resource, &self.token, cx.waker());
        let turn = self
            .lines
            .with(|table, _| table.look(resource, self.ticket, token, waker));
        match turn {
            Turn::Waits => Poll::Pending,
            Turn::Comes => Poll::Ready(Ok(())),
            Turn::Passed(refused) => Poll::Ready(Err(refused)),
        }
    }

    /// The last look: from here on it acts.
    pub(super) fn act(&mut self) -> Result<(), Refused> {
        self.before = self
            .lines
            .with(|table, _| table.act(&self.resource, &self.token, self.op))?;
        Ok(())
    }

    /// It acted, and nothing was done: its number is as if it had not come.
    pub(super) fn free(&self) {
        if let Some(op) = self.op {
            self.lines
                .with(|table, _| table.free(&self.resource, &self.token, op, self.before));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lines
            .with(|table, wakes| table.leave(&self.resource, self.ticket, wakes));
    }
}
