//! What the caller gets: a reply or a refusal.

use std::pin::Pin;
use std::task::Poll;

use tower_service::Service;

use super::{Polled, Stage, Step, Work};
use crate::abilities::Able;
use crate::book::Outcome;
use crate::effect::Keep;
use crate::struck::Struck;

impl<S, Req, A> Work<S, Req, A>
where
    S: Service<Req>,
    A: Able<Req, S::Response, S::Error>,
{
    /// The reply is here, and may not be the one that the caller gets.
    pub(super) fn copies_run(mut self: Pin<&mut Self>) -> Polled<S::Response, S::Error> {
        let this = self.as_mut().project();
        if this.fate.keep == Keep::Last && !this.copies.is_empty() {
            return Poll::Pending;
        }
        // ## CopiesRun => Done. The lie is in the reply that the caller sees, whosever
        // it is.
        if let (Some(draw), Some(Ok(reply))) = (this.fate.alter_reply, this.reply.as_mut()) {
            this.abilities.alter_reply(reply, draw);
        }
        if !this.bodies.is_empty() {
            let bodies = std::mem::take(this.bodies);
            let reply = this.reply.take();
            *this.reply = reply.map(|r| strike(&**this.abilities, r, bodies));
        }
        *this.stage = Stage::Done;
        this.receipt.settle(Outcome::Delivered);
        Poll::Ready(Some(this.reply.take().map_or(Step::Nothing, Step::Deliver)))
    }

    /// The caller is refused.
    pub(super) fn refusing(mut self: Pin<&mut Self>) -> Polled<S::Response, S::Error> {
        let this = self.as_mut().project();
        *this.stage = Stage::Done;
        this.receipt.settle(Outcome::Refused);
        let rule = this.fate.refused_by();
        let refusal = rule.and_then(|rule| self.refusal(rule));
        Poll::Ready(Some(refusal.map_or(Step::Nothing, Step::Deliver)))
    }
}

/// Strikes the body of a reply. An error has none, and nothing comes of it.
fn strike<Req, Res, Err>(
    abilities: &impl Able<Req, Res, Err>,
    reply: Result<Res, Err>,
    bodies: Vec<Struck>,
) -> Result<Res, Err> {
    match reply {
        Ok(reply) => Ok(abilities.strike_reply(reply, bodies)),
        Err(e) => {
            let none = |mut body: Struck| body.receipt.settle(Outcome::Nothing);
            bodies.into_iter().for_each(none);
            Err(e)
        }
    }
}
