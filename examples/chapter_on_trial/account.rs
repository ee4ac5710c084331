//! What the two locks of the chapter are tried on: an account, and two workers who pay in.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use murphy_chaos::fault::Site;
use murphy_chaos::{Caller, World, always, sometimes};
use tokio::time::{Instant, sleep};

pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// How long it takes to modify what was read.
pub(crate) const WORK: Duration = Duration::from_secs(5);
pub(crate) const PROMISE: &str = "no payment that was acknowledged is lost";
const WORKERS: usize = 2;

/// The database: a lock that ends by itself, the token of its last grant, and a balance.
#[derive(Debug, Default)]
pub(crate) struct Db {
    held_until: Option<Instant>,
    pub(crate) token: u64,
    pub(crate) balance: u64,
}

/// Both pay in one; what was acknowledged is there in the end.
pub(crate) async fn both_pay_in<F>(
    w: World,
    pays_in: fn(World, Rc<RefCell<Db>>, Caller) -> F,
) -> Result<(), String>
where
    F: Future<Output = bool> + 'static,
{
    let db = Rc::new(RefCell::new(Db::default()));
    let (world, shared) = (w.clone(), Rc::clone(&db));
    let paying = move |caller| pays_in(world.clone(), Rc::clone(&shared), caller);
    let acknowledged = w.clients(WORKERS).each(paying).await;
    is_all_there(&acknowledged, db.borrow().balance);
    Ok(())
}

pub(crate) fn is_all_there(acknowledged: &[bool], balance: u64) {
    let paid = acknowledged.iter().filter(|paid| **paid).count() as u64;
    sometimes!(paid == WORKERS as u64, "both pay in");
    always!(
        balance >= paid,
        PROMISE,
        "{paid} acknowledged, {balance} there"
    );
}

/// One call of the database's, as long as anybody waits for it.
pub(crate) async fn heard<T>(call: impl IntoFuture<Output = T>) -> Option<T> {
    tokio::time::timeout(LEASE * 3, call).await.ok()
}

/// The chapter's `acquire_lock`, asked until the lock is free. The token of the grant.
pub(crate) async fn acquire_lock(
    w: &World,
    site: &Site,
    db: &RefCell<Db>,
    caller: Caller,
) -> Option<u64> {
    let set_lock = async || {
        let (mut db, now) = (db.borrow_mut(), Instant::now());
        if db.held_until.is_some_and(|until| now < until) {
            return None;
        }
        db.held_until = Some(now + LEASE);
        db.token += 1;
        Some(db.token)
    };
    while w.elapsed() < LEASE * 60 {
        let key = (caller.client as u64 + 1, 1u64);
        if let Some(Some(token)) = heard(site.run(key, set_lock).inline()).await {
            return Some(token);
        }
        sleep(LEASE / 2).await;
    }
    None
}
