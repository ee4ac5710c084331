//! The twin of both locks: a lease whose token the account itself checks, in the transaction that writes.

use std::sync::Arc;
use std::time::Duration;

use murphy_chaos::{Caller, World};
use murphy_core::Seed;
use murphy_lease::fence::{FencedStore, MemoryFenced};
use murphy_lease::{Locks, MemoryStore, Ttl};
use tokio::time::sleep;
use tower::Layer;

use crate::account::{LEASE, WORK, heard, is_all_there};

const ACCOUNT: &str = "account";

pub(crate) async fn both_pay_in(w: World) -> Result<(), String> {
    let (leases, accounts) = (MemoryStore::new().counting(), MemoryFenced::<u64>::new());
    let (world, store, shared) = (w.clone(), leases.clone(), accounts.clone());
    let paying = move |caller| {
        let paid = pays_in(world.clone(), store.clone(), shared.clone(), caller);
        async move { paid.await.is_some() }
    };
    let acknowledged = w.clients(2).each(paying).await;
    // Whoever looks has a lease as well.
    w.calm();
    let auditor = Locks::new(leases).clock(Arc::new(w.clock())).seed(w.seed());
    let told = |e: &dyn std::fmt::Display| format!("the auditor: {e}");
    let lease = auditor.acquire(ACCOUNT).deadline(LEASE * 60).await;
    let lease = lease.map_err(|e| told(&e))?;
    let sealed = accounts.seal(ACCOUNT, lease.stale_token()).await;
    let balance = sealed.map_err(|e| told(&e))?.value.unwrap_or(0);
    is_all_there(&acknowledged, balance);
    Ok(())
}

/// `Some` if the payment was acknowledged.
async fn pays_in(
    w: World,
    leases: MemoryStore,
    accounts: MemoryFenced<u64>,
    caller: Caller,
) -> Option<()> {
    let node = w.node(["a", "b"][caller.client]);
    let site = w.site(&format!("{}->db", node.name()));
    let leases = w
        .site(&format!("{}->locks", node.name()))
        .layer()
        .layer(leases);
    let on = node.clone();
    let locks = Locks::new(leases)
        .ttl(Ttl::try_from(LEASE).ok()?)
        .clock(Arc::new(w.clock()))
        .seed(Seed::from(w.draw("locks", caller.client as u64).bits()))
        .executor(move |task| drop(on.spawn(task)));
    let key = |op: u64| (caller.client as u64 + 1, op);
    let work = node.run_inline(async {
        let lease = locks.acquire(ACCOUNT).deadline(LEASE * 60).await.ok()?;
        let token = lease.token().ok()?.clone();
        // A new holder seals before it reads.
        let sealed = site
            .run(key(2), async || accounts.seal(ACCOUNT, &token).await)
            .inline();
        let balance = heard(sealed).await?.ok()?.value.unwrap_or(0);
        sleep(WORK).await;
        lease.token().ok()?;
        w.step("between check and write").await;
        sleep(Duration::from_millis(2)).await;
        let write = async || accounts.write(ACCOUNT, &token, balance + 1).await;
        let written = heard(site.run(key(3), write).inline()).await?;
        drop(lease);
        written.ok().map(|_| ())
    });
    work.await.ok()?
}
