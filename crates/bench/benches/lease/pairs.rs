//! Pairs of an acquire and a release a second, and commits of the disk.

use std::io::Write;
use std::time::Duration;

use bench::figure::Figure;
use murphy_lease::{LeaseStore, LockName, Locks, Nonce};
use redb::{Database, Durability, TableDefinition};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::stores::Store;

const ROUNDS: u32 = 9;
const TABLE: TableDefinition<'_, &str, u64> = TableDefinition::new("number");

/// Every row once a round. The second best round counts: neighbours only ever take.
pub(crate) fn measure(runtime: &Runtime, time: Duration) -> anyhow::Result<Vec<Figure>> {
    let (ground, mut stores) = Store::all(runtime)?;
    let database = Database::create(ground.folder.path().join("raw"))?;
    let mut file = std::fs::File::create(ground.folder.path().join("flushed"))?;
    let round = time / ROUNDS;
    let mut rates = vec![Vec::new(); 2 * stores.len() + 2];
    for number in 0..ROUNDS {
        for ((_, store), rates) in stores.iter_mut().zip(&mut rates) {
            rates.push(runtime.block_on(pairs(store, round, number))?);
        }
        for ((_, store), rates) in stores.iter().zip(&mut rates[stores.len()..]) {
            let clients = async {
                match store.clone() {
                    Store::Memory(store) => client(store, round).await,
                    Store::File(store) => client(store, round).await,
                    Store::Socket(store) => client(store, round).await,
                }
            };
            rates.push(runtime.block_on(clients)?);
        }
        let at = 2 * stores.len();
        rates[at].push(rate(round, |n| commit(&database, n))?);
        rates[at + 1].push(rate(round, |n| {
            file.write_all(&n.to_be_bytes())?;
            Ok(file.sync_data()?)
        })?);
    }
    let alone = stores.iter().map(|(name, _)| (*name).to_owned());
    let clients = stores.iter().map(|(name, _)| format!("{name}.client"));
    let names = alone.chain(clients).map(|name| {
        let note = match &*name {
            "memory" => "in this process",
            "file" => "numbers in blocks of 1,024 that are flushed before",
            "socket" => "the file of another process, over its socket",
            _ => "the same by a client: `Locks`, and a lease with its keeper",
        };
        (
            format!("lease.{name}.pairs_per_s"),
            "murphy",
            "pairs/s",
            note,
        )
    });
    let disk = |subject, note| {
        (
            "lease.disk.commits_per_s".to_owned(),
            subject,
            "commits/s",
            note,
        )
    };
    let names = names.chain([
        disk(
            "redb",
            "one durable write of redb each, as a number without blocks would be",
        ),
        disk("write-fdatasync", "eight bytes more in a file each"),
    ]);
    let figures = names
        .zip(&mut rates)
        .map(|((name, subject, unit, note), rates)| {
            rates.sort_by(f64::total_cmp);
            let (best, median) = (rates[rates.len() - 2], rates[rates.len() / 2]);
            let note = format!("{note}; second best of {ROUNDS} rounds, median {median:.0}");
            Figure::new(name, subject, best.round(), unit, &note)
        });
    Ok(figures.collect())
}

async fn pairs(store: &mut Store, time: Duration, round: u32) -> anyhow::Result<f64> {
    let lock: LockName = "orders".parse()?;
    let start = Instant::now();
    let mut pairs = 0_u128;
    while start.elapsed() < time {
        for _ in 0..16 {
            let nonce = Nonce::from_bits(u128::from(round) << 64 | pairs);
            store.acquire(&lock, nonce).await?;
            store.release(&lock, nonce).await?;
            pairs += 1;
        }
    }
    Ok(pairs as f64 / start.elapsed().as_secs_f64())
}

/// Pairs a second, each by a client.
async fn client<S>(store: S, time: Duration) -> anyhow::Result<f64>
where
    S: LeaseStore<Error: std::error::Error + Sync>,
{
    let locks = Locks::new(store);
    let start = Instant::now();
    let mut pairs = 0_u128;
    while start.elapsed() < time {
        for _ in 0..16 {
            locks.acquire("client").await?.release().await?;
            pairs += 1;
        }
    }
    Ok(pairs as f64 / start.elapsed().as_secs_f64())
}

fn rate(time: Duration, mut one: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut times = 0;
    while start.elapsed() < time {
        one(times)?;
        times += 1;
    }
    Ok(times as f64 / start.elapsed().as_secs_f64())
}

fn commit(database: &Database, number: u64) -> anyhow::Result<()> {
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    write.open_table(TABLE)?.insert("high", number)?;
    Ok(write.commit()?)
}
