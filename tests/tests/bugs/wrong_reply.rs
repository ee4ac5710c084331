//! 10. A client that takes the next reply for that of its oldest request.
//!
//! Twins differ by three lines: the reply's own number says whose it is.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::{Client, Menu, World, always, sometimes};
use tokio::sync::oneshot;

use crate::harness::{Bug, Takes, Twin};
use crate::kit::{self, Memory};

pub(crate) const BUG: Bug = Bug {
    name: "wrong-reply",
    source: include_str!("wrong_reply.rs"),
    run,
    menu: || Menu::only([]).calls_only(),
    runs: 600,
    breaks: "a reply is that of its request",
    takes: Takes::Order,
};

/// Many requests at once over one pipe, each with a number that comes back with its reply.
#[derive(Clone, Debug)]
struct Pipe {
    prices: Client,
    waiting: Memory<VecDeque<(u64, oneshot::Sender<String>)>>,
    twin: Twin,
}

impl Pipe {
    async fn price(&self, number: u64) -> Option<String> {
        let (answer, heard) = oneshot::channel();
        self.waiting.lock().push_back((number, answer));
        let (_, reply) = kit::post(&self.prices, number, "/", number.to_string()).await?;
        let whose: u64 = reply.split(' ').next()?.parse().ok()?;
        let answered = {
            let mut waiting = self.waiting.lock();
            let mut oldest = 0;
            // Twins part.
            if self.twin.is_fixed() {
                oldest = waiting.iter().position(|(number, _)| *number == whose)?;
            }
            // Twins meet.
            waiting.remove(oldest)
        };
        let _ = answered?.1.send(reply);
        heard.await.ok()
    }
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        let price = async |number: String| format!("{number} costs 9 EUR");
        w.serve("prices", Router::new().route("/", post(price)));
        let pipe = Arc::new(Pipe {
            prices: w.client("prices"),
            waiting: Memory::default(),
            twin,
        });
        let ask = move |caller: murphy_chaos::Caller| {
            let pipe = Arc::clone(&pipe);
            async move {
                let number = caller.client as u64 + 1;
                let reply = pipe.price(number).await;
                sometimes!(reply.is_some(), "a price is heard");
                if let Some(reply) = reply {
                    let own = reply.starts_with(&format!("{number} "));
                    always!(own, "a reply is that of its request", "{number}: {reply}");
                }
            }
        };
        w.clients(4).each(ask).await;
    })
}
