//! `SafeLock`: the same two workers, with a token that rises with each grant. What the chapter leaves open is answered in
//! its favour: the counter is the database's, and the lock is granted to one at a time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use murphy_chaos::{Caller, Kind, Menu, World};
use tokio::time::sleep;

use crate::account::{self, Db, WORK};
use crate::fenced;
use crate::trial::Trial;

pub(crate) fn trial() -> Trial {
    Trial {
        snippet: "SafeLock",
        name: "safe-lock",
        chapter: |w| Box::pin(account::both_pay_in(w, write_with_token)),
        twin: |w| Box::pin(fenced::both_pay_in(w)),
        made_of: "Locks, FencedStore",
        menu: Menu::only([Kind::Latency, Kind::SlowReply])
            .calls_only()
            .delays([Duration::from_secs(20)]),
        breaks: &["latency", "slow-reply"],
    }
}

/// Whether the payment was acknowledged.
async fn write_with_token(w: World, db: Rc<RefCell<Db>>, caller: Caller) -> bool {
    // A site an operation, so that the report names it.
    let to = |what| w.site(&format!("{} {what}", ["a", "b"][caller.client]));
    let Some(token) = account::acquire_lock(&w, &to("set_lock"), &db, caller).await else {
        return false;
    };
    let data = to("read").run(1u64, async || db.borrow().balance);
    let data = data.inline().await;
    sleep(WORK).await;
    // "Storage checks fencing token": it is the client that does, and then writes.
    let current_token = to("get_current_token").run(1u64, async || db.borrow().token);
    if token < current_token.inline().await {
        return false; // "Token is stale"
    }
    let write = to("write").run(1u64, async || db.borrow_mut().balance = data + 1);
    write.inline().await;
    true
}
