//! [`PostgresStore`]: leases in PostgreSQL.

mod answer;
mod desk;
mod ears;
#[cfg(test)]
mod said;
mod sql;
mod wait;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::BadKnob;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, NoTls, Socket};
use tower_service::Service;

use self::desk::Desk;
use self::ears::Ears;
use self::sql::{Statements, is_table};
use super::error::{ConnectError, Patience, StoreError};
use crate::{LeaseReply, LeaseRequest};

/// Leases in a table of PostgreSQL. All clones share a few connections.
///
/// Each lock is one row, and each request one statement; time is the server's own. The number of a grant is one above
/// the last, or the server's clock in microseconds where that is more, given under the row's lock: so it rises also
/// where the last grants were lost (`synchronous_commit = off`, a promoted standby that was not synchronous, a backup
/// that was restored), unless the new server's clock is behind the old one's by more than the time between two grants.
/// Rows are never deleted.
///
/// A request that waits (`Acquire::wait`) is told of the release by `LISTEN`, on one more connection that lasts as long
/// as anybody waits, asks again then, when the holder's lease ends, and each second. Who of several that wait gets it
/// is chance: it is not fair. Only a lock that somebody waits for is notified of, for a notification takes a lock that
/// all commits share.
///
/// Behind a pooler that gives each transaction another connection, call [`unprepared`](Self::unprepared); `LISTEN` does
/// not come through one, and who waits then asks each second. PostgreSQL 9.5 or later.
///
/// # After a restart
///
/// All that was committed is there: who holds what, under which nonce, up to which number. A lease runs on while the server is away, by
/// its clock: one that ended meanwhile is granted to whoever asks first, with no further wait, and one that did not is renewed by its
/// holder, if the server is back in time. A clock that was set back by the restart has leases run so much longer, one that was set
/// forward so much shorter than their holders count: then two may believe that they hold one, and the token tells. The same where
/// committed leases are lost: after a crash with `synchronous_commit = off` (its last 0.6 s or so), at a standby that was not
/// synchronous, from a backup. Who waited asks again, each second, once a connection is to be had.
///
/// # Cancel safety
///
/// A call that is dropped may have been carried out: ask again under its nonce, or release by it. One that waits and is
/// dropped leaves nothing behind.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    desk: Desk,
    ears: Arc<Ears>,
    statements: Arc<Statements>,
    era: u32,
    patience: Patience,
}

impl PostgresStore {
    /// The database at `url`, without TLS: `postgres://user[:password]@host[:port]/database`, or `key=value` pairs.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where that is no address, where nobody answers there within five seconds, and where who does is
    /// a standby.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let config: Config =
            url.parse()
                .map_err(|e: tokio_postgres::Error| ConnectError::BadAddress {
                    server: "postgres",
                    source: e.into(),
                    example: "postgres://user@127.0.0.1/database",
                })?;
        let store = Self::new(config, NoTls);
        store.check().await?;
        Ok(store)
    }

    /// The database of this configuration, with TLS as the connector makes it. The first call connects. What the
    /// configuration does not say of a dead connection is set: given up after five seconds without a sign of life.
    #[must_use]
    pub fn new<T>(mut config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let dead = Duration::from_secs(5);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(dead);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(dead);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_idle(dead).keepalives_interval(dead / 5);
        }
        if config.get_application_name().is_none() {
            config.application_name("murphy-lease");
        }
        let statements = Statements::of("murphy_lease");
        let ears = Ears::new(config.clone(), tls.clone(), statements.listen.clone());
        let shared = Arc::new(Shared {
            desk: Desk::new(config, tls, 4),
            ears: Arc::new(ears),
            statements: Arc::new(statements),
            era: 0,
            patience: Patience::DEFAULT,
        });
        Self { shared }
    }

    /// In which table; `murphy_lease` unless set.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] for what is not `table` or `schema.table`, each of small letters, digits and `_`, 63 in all.
    pub fn table(mut self, table: &str) -> Result<Self, BadKnob> {
        if !is_table(table) {
            let remedy =
                "use `table` or `schema.table` of small letters, digits and `_`, 63 at most";
            return Err(BadKnob::new("table", table, remedy));
        }
        let statements = Statements::of(table);
        let shared = Arc::make_mut(&mut self.shared);
        shared.ears = Arc::new(shared.ears.of(statements.listen.clone()));
        shared.statements = Arc::new(statements);
        Ok(self)
    }

    /// The era of what it grants; 0 unless set. Raise it, for all that use this table, when numbers could fall: after a
    /// restore on a machine whose clock is behind. Where a row has a higher one, that is kept.
    #[must_use]
    pub fn era(mut self, era: u32) -> Self {
        Arc::make_mut(&mut self.shared).era = era;
        self
    }

    /// For how long an answer is waited for; 2 s unless set. What a request waits for its turn is not counted.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] below 1 ms or above an hour.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, BadKnob> {
        Arc::make_mut(&mut self.shared).patience = Patience::try_new(timeout)?;
        Ok(self)
    }

    /// How many connections it has at most, beside the one that listens: from 1 to 100; 4 unless set. Those beyond wait.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] out of that range.
    pub fn connections(self, connections: usize) -> Result<Self, BadKnob> {
        if !(1..=100).contains(&connections) {
            let remedy = "use 1 to 100; 4 suits most";
            return Err(BadKnob::new("connections", connections, remedy));
        }
        self.shared.desk.resize(connections);
        Ok(self)
    }

    /// Statements are sent anew each time, so that it does not matter which connection of a pooler they come to. Still
    /// one round trip each; the server plans each anew.
    #[must_use]
    pub fn unprepared(mut self) -> Self {
        Arc::make_mut(&mut self.shared).desk.forget_statements();
        self
    }

    /// What makes the table, where it is not there yet: for your own migrations.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.shared.statements.schema
    }

    /// Makes the table, where it is not there yet. Several may at once.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where nobody answers within five seconds, or the user may not make tables.
    pub async fn migrate(&self) -> Result<(), ConnectError> {
        self.first(self.shared.desk.run(self.schema())).await
    }

    async fn check(&self) -> Result<(), ConnectError> {
        let is_standby = async {
            let rows = self
                .shared
                .desk
                .ask("connect", "SELECT pg_is_in_recovery()", &[]);
            Ok(rows.await?.first().is_some_and(|row| row.get(0)))
        };
        if self.first(is_standby).await? {
            return Err(ConnectError::Unfit {
                server: "postgres",
                what: "it is a standby".into(),
                remedy: "give the address that leads to the primary",
            });
        }
        Ok(())
    }

    async fn first<T>(
        &self,
        work: impl Future<Output = Result<T, Box<dyn std::error::Error + Send + Sync>>>,
    ) -> Result<T, ConnectError> {
        let unreachable = |source| ConnectError::Unreachable {
            server: "postgres",
            source,
        };
        let done = tokio::time::timeout(Duration::from_secs(5), work).await;
        done.map_err(|e| unreachable(e.into()))?
            .map_err(unreachable)
    }
}

impl Service<LeaseRequest> for PostgresStore {
    type Response = LeaseReply;
    type Error = StoreError;
    type Future = Pin<Box<dyn Future<Output = Result<LeaseReply, StoreError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.answer(request).await })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("era", &self.shared.era)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> PostgresStore {
        PostgresStore::new(Config::new(), NoTls)
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        let error = PostgresStore::connect("postgres://a:b:c")
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::BadAddress { .. }), "{error}");
    }

    #[test]
    fn knobs_say_what_would_have_been_right() {
        let said = nowhere().table("a; --").unwrap_err().to_string();
        assert!(said.contains("small letters"), "{said}");
        assert!(nowhere().connections(0).is_err());
        assert!(nowhere().timeout(Duration::ZERO).is_err());
        assert!(
            nowhere()
                .table("locks.lease")
                .unwrap()
                .schema()
                .contains("locks.lease")
        );
    }
}
