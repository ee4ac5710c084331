//! Redis: our scripts, the same ones said by the bare driver, and `rslock`, which has no token. And the least that a script
//! for a token has to do, said by the bare driver: no store of tokens is faster than that.

use std::time::Duration;

use anyhow::Context;
use bench::figure::Figure;
use murphy_lease::{Locks, RedisStore, Ttl};
use redis::aio::ConnectionManager;
use redis::{Client, cmd};
use rslock::LockManager;
use tests::servers::Redis;

use crate::pairs::{self, compare};
use crate::{TTL, crowds};

/// The scripts of the store.
macro_rules! script {
    ($($file:literal),*) => {
        concat!($(include_str!(concat!("../../../murphy-lease/src/store/redis/", $file))),*)
    };
}

/// Looks at the row and the clock, and writes: without a decision.
const LEAST_ACQUIRE: &str = "local row, clock = redis.call('GET', KEYS[1]), redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return clock[2]";

/// Only the holder releases, and what it held is kept.
const LEAST_RELEASE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return '0' end
redis.call('SETRANGE', KEYS[1], 0, '-')
return '1'";

pub(crate) async fn measure(time: Duration) -> anyhow::Result<Vec<Figure>> {
    let server = Redis::start().await;
    let url = format!("redis://{}", server.address());
    let store = RedisStore::connect(&url).await?;
    let client = Client::open(url)?;
    let raw = ConnectionManager::new(client.clone()).await?;
    let load = async |text: &str| -> anyhow::Result<String> {
        let (mut load, mut raw) = (cmd("SCRIPT"), raw.clone());
        Ok(load.arg("LOAD").arg(text).query_async(&mut raw).await?)
    };
    let acquire = load(script!("row.lua", "acquire.lua")).await?;
    let release = load(script!("row.lua", "release.lua")).await?;
    let zero = "0000000000.00000000000000000000";
    let bare = async |n: u64| {
        let (nonce, mut raw) = (format!("{n:032x}"), raw.clone());
        let mut call = cmd("EVALSHA");
        call.arg(&acquire).arg(1).arg("bare").arg(zero).arg(&nonce);
        call.arg(format!("{:020}", TTL.as_micros()));
        call.arg(604_800_000 + TTL.as_millis() as u64);
        call.arg("above").arg(zero);
        let answer: String = call.query_async(&mut raw).await?;
        anyhow::ensure!(answer.starts_with('1'), "not granted");
        let mut call = cmd("EVALSHA");
        call.arg(&release).arg(1).arg("bare").arg(zero).arg(&nonce);
        let answer: String = call.query_async(&mut raw).await?;
        anyhow::ensure!(answer.starts_with('1'), "not held");
        Ok(())
    };
    let (acquire, release) = (load(LEAST_ACQUIRE).await?, load(LEAST_RELEASE).await?);
    let least = async |n: u64| {
        let mut raw = raw.clone();
        let row = format!("+{n:0103}");
        for script in [&acquire, &release] {
            let mut call = cmd("EVALSHA");
            call.arg(script).arg(1).arg("least").arg(&row).arg(600_000);
            let _answer: String = call.query_async(&mut raw).await?;
        }
        Ok(())
    };
    let manager = LockManager::from_clients(vec![client]);
    let rslock = async || {
        let lock = manager.lock("rslock", TTL).await;
        let lock = lock.ok().context("rslock: not granted")?;
        manager.unlock(&lock).await;
        Ok(())
    };
    let set = async |n: u64| {
        let mut raw = raw.clone();
        for value in [n, 0] {
            let mut set = cmd("SET");
            set.arg("set").arg(value).exec_async(&mut raw).await?;
        }
        Ok(())
    };
    let locks = Locks::new(store.clone()).ttl(Ttl::try_new(TTL)?);
    let mut figures = compare(
        "redis",
        100,
        vec![
            (
                "murphy",
                "",
                Box::new(|n| Box::pin(pairs::client(&locks, n))),
            ),
            (
                "murphy, the store alone",
                "time_by_store",
                Box::new(|n| Box::pin(pairs::store(store.clone(), n))),
            ),
            ("raw", "time_by_raw", Box::new(|n| Box::pin(bare(n)))),
            ("rslock", "rate_by_rslock", Box::new(|_| Box::pin(rslock()))),
            (
                "least scripts",
                "rate_by_least_scripts",
                Box::new(|n| Box::pin(least(n))),
            ),
            (
                "two raw SETs",
                "rate_by_two_raw_sets",
                Box::new(|n| Box::pin(set(n))),
            ),
        ],
    )
    .await?;
    figures.extend(crowds("redis", &store, time).await?);
    Ok(figures)
}
