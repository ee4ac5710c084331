//! PostgreSQL: our statements, and the same ones said by the bare driver. It waits for its disk.

use std::time::Duration;

use bench::figure::Figure;
use murphy_lease::{Locks, PostgresStore, Ttl};
use tests::servers::Postgres;
use tokio_postgres::NoTls;

use crate::pairs::{self, compare};
use crate::sql::Statements;
use crate::{TTL, crowds};

pub(crate) async fn measure(time: Duration) -> anyhow::Result<Vec<Figure>> {
    let server = Postgres::durable().await;
    let store = PostgresStore::connect(&server.url()).await?;
    store.migrate().await?;
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
    let driver = tokio::spawn(connection);
    let statements = Statements::of("murphy_lease");
    let acquire = client.prepare(&statements.acquire).await?;
    let release = client.prepare(&statements.release).await?;
    let time_of_lease = i64::try_from(TTL.as_micros())?;
    let bare = async |n: u64| {
        let nonce = format!("{n:032x}");
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&"bare", &nonce, &time_of_lease, &"1", &false, &false];
        let row = client.query_one(&acquire, &values).await?;
        anyhow::ensure!(row.try_get::<_, bool>(0)?, "not granted");
        let rows = client.query(&release, &values[..2]).await?;
        anyhow::ensure!(rows.len() == 1, "not held");
        Ok(())
    };
    let locks = Locks::new(store.clone()).ttl(Ttl::try_new(TTL)?);
    let mut figures = compare(
        "postgres",
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
                Box::new(|n| Box::pin(pairs::store(store.clone(), n))),
            ),
            ("raw", "time_by_raw", Box::new(|n| Box::pin(bare(n)))),
        ],
    )
    .await?;
    driver.abort();
    figures.extend(crowds("postgres", &store, time).await?);
    Ok(figures)
}
