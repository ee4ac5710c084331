//! etcd: our transactions, the same ones said by the bare driver, and etcd's own lock. It waits for its disk.

use std::time::Duration;

use bench::figure::Figure;
use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, DeleteOptions, GetOptions, LockOptions, PutOptions,
    SortOrder, SortTarget, Txn, TxnOp,
};
use murphy_lease::{EtcdStore, Locks, Ttl};
use tests::servers::Etcd;

use crate::pairs::{self, compare};
use crate::{TTL, crowds};

pub(crate) async fn measure(time: Duration) -> anyhow::Result<Vec<Figure>> {
    let server = Etcd::durable().await;
    // Two stores, so that each has locks of its own, and names as long as the bare driver's.
    let connect = async |prefix: &str| {
        let store = EtcdStore::connect(&[server.url()]).await?;
        anyhow::Ok(store.prefix(prefix))
    };
    let (store, alone) = (
        connect("lease-client/").await?,
        connect("lease-alone-/").await?,
    );
    // As ours, by which both learn of a connection that is dead: it costs each request some two hundredths.
    let options = ConnectOptions::new()
        .with_connect_timeout(Duration::from_secs(2))
        .with_keep_alive(Duration::from_secs(6), Duration::from_secs(2));
    let client = Client::connect([server.url()], Some(options)).await?;
    let seconds = i64::try_from(TTL.as_secs())?;
    // It outlives the run.
    let lease = client.lease_client().grant(seconds * 60, None).await?.id();
    let bare = async |n: u64| {
        let lock = pairs::lock(n);
        let (queue, ballot) = (
            format!("lease-driver/q/{lock}/"),
            format!("lease-driver/b/{lock}"),
        );
        let key = format!("{queue}{}", pairs::nonce(n));
        let by_age = || {
            let options = GetOptions::new().with_prefix();
            options.with_sort(SortTarget::Create, SortOrder::Ascend)
        };
        let reads = || {
            [
                TxnOp::get(&*queue, Some(by_age())),
                TxnOp::get("lease-driver/era", None),
                TxnOp::get(&*ballot, None),
            ]
        };
        let free = [
            Compare::create_revision(&*queue, CompareOp::Equal, 0).with_prefix(),
            Compare::mod_revision("lease-driver/era", CompareOp::Equal, 0),
            Compare::mod_revision(&*ballot, CompareOp::Equal, 0),
        ];
        let put = TxnOp::put(&*key, "0", Some(PutOptions::new().with_lease(lease)));
        let acquire = Txn::new().when(free).and_then([put]).or_else(reads());
        let reply = client.kv_client().txn(acquire).await?;
        anyhow::ensure!(reply.succeeded(), "not granted");
        let options = DeleteOptions::new().with_prev_key();
        let reply = client.kv_client().delete(&*key, Some(options)).await?;
        anyhow::ensure!(reply.deleted() == 1, "not held");
        Ok(())
    };
    let locked = async |lease: i64, n: u64| {
        let mut locks = client.lock_client();
        let options = LockOptions::new().with_lease(lease);
        let held = locks.lock(pairs::lock(n), Some(options)).await?;
        locks.unlock(held.key()).await?;
        anyhow::Ok(())
    };
    let whole = async |n: u64| {
        let mut leases = client.lease_client();
        let lease = leases.grant(seconds, None).await?.id();
        locked(lease, n).await?;
        leases.revoke(lease).await?;
        Ok(())
    };
    let locks = Locks::new(store.clone()).ttl(Ttl::try_new(TTL)?);
    let mut figures = compare(
        "etcd",
        10,
        vec![
            (
                "murphy",
                "",
                Box::new(|n| Box::pin(pairs::client(&locks, n))),
            ),
            (
                "murphy, the store alone",
                "time_by_store",
                Box::new(|n| Box::pin(pairs::store(alone.clone(), n))),
            ),
            ("raw", "time_by_raw", Box::new(|n| Box::pin(bare(n)))),
            (
                "grant, lock, unlock, revoke",
                "rate_by_grant_lock_unlock_revoke",
                Box::new(|n| Box::pin(whole(n))),
            ),
            (
                "lock, unlock; one lease",
                "rate_by_lock_unlock",
                Box::new(|n| Box::pin(locked(lease, n))),
            ),
        ],
    )
    .await?;
    figures.extend(crowds("etcd", &store, time).await?);
    Ok(figures)
}
