//! `UnsafeLock`: two workers pay into one account under a lock that ends by itself. What the chapter leaves open is answered
//! in its favour: the lock is granted to one at a time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use murphy_chaos::{Caller, Menu, World};
use murphy_core::clock::{Clock, Offset};
use tokio::time::sleep;

use crate::account::{self, Db, LEASE, WORK, heard};
use crate::fenced;
use crate::trial::Trial;

pub(crate) fn trial() -> Trial {
    Trial {
        snippet: "UnsafeLock",
        name: "unsafe-lock",
        chapter: |w| Box::pin(account::both_pay_in(w, do_work_with_lock)),
        twin: |w| Box::pin(fenced::both_pay_in(w)),
        made_of: "Locks, FencedStore",
        menu: Menu::only([]).outages([Duration::from_secs(30)]).steps([]),
        breaks: &["pause"],
    }
}

/// Whether the payment was acknowledged.
async fn do_work_with_lock(w: World, db: Rc<RefCell<Db>>, caller: Caller) -> bool {
    let node = w.node(["a", "b"][caller.client]);
    let clock = node.clock();
    let site = w.site(&format!("{}->db", node.name()));
    let key = |op: u64| (caller.client as u64 + 1, op);
    let work = node.run_inline(async {
        account::acquire_lock(&w, &site, &db, caller).await?;
        let start = clock.wall();
        let data = site
            .run(key(2), async || db.borrow().balance)
            .inline()
            .await;
        sleep(WORK).await;
        let elapsed = clock.wall() - start;
        if elapsed >= Offset::ahead(LEASE) {
            return None; // "Lock expired!"
        }
        w.step("between check and write").await;
        sleep(Duration::from_millis(2)).await; // it is written, and sent
        let write = async || db.borrow_mut().balance = data + 1;
        heard(site.run(key(3), write).inline()).await
    });
    matches!(work.await, Ok(Some(())))
}
