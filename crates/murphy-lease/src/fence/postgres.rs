//! [`PostgresFenced`]: fenced values in PostgreSQL.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Clock, TokioClock};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls, Statement};

use self::statements::{CREATE, Statements};
use super::store::check_name;
use super::{
    Admitted, Fence, FencedStore, FencedStoreError, Horizon, Refused, Sealed, SqlFence, sql,
};
use crate::{FencingToken, LockName};

mod statements;

type Outcome<T> = Result<T, FencedStoreError<PostgresError>>;
type Connecting = Pin<Box<dyn Future<Output = Result<Client, tokio_postgres::Error>> + Send>>;

/// Fenced bytes in a table of PostgreSQL, with the `postgres` feature: one statement an operation, which admits and writes.
/// All clones are one store, and share one connection.
///
/// The table is `murphy_fenced`, in the connection's first schema; [`migrate`](Self::migrate) makes it. Statements are prepared once a
/// connection, which a pooler in transaction mode may not carry. A connection that broke is replaced at the next operation; the
/// one that it broke under fails with [`FencedStoreError::Store`], outcome unknown.
///
/// A row is never deleted by us: its fence would go with it. With `synchronous_commit = off`, or a standby that was promoted
/// without the last commits, fences can fall back: leases of our stores rank by time, and the next holder is above all the same,
/// but until it has sealed a holder whose fence was lost would be admitted.
#[derive(Clone)]
pub struct PostgresFenced {
    connect: Arc<dyn Fn() -> Connecting + Send + Sync>,
    session: Arc<Mutex<Option<Arc<Session>>>>,
    patience: Duration,
    horizon: Option<Horizon>,
    clock: Arc<dyn Clock>,
}

struct Session {
    client: Client,
    statements: Statements,
}

/// What can go wrong with the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// What should say where the server is, does not.
    #[error(
        "that is no way to reach PostgreSQL: write `host=.. user=.. dbname=..` or `postgres://..`"
    )]
    Config(#[source] tokio_postgres::Error),
    /// It could not be reached, or did not know the table: see [`PostgresFenced::migrate`].
    #[error("PostgreSQL cannot be reached, or has no table `murphy_fenced` yet")]
    Connect(#[source] tokio_postgres::Error),
    /// It failed, or the connection did: nobody knows what became of the statement.
    #[error("PostgreSQL failed")]
    Server(#[source] tokio_postgres::Error),
    /// It did not answer in time: nobody knows what became of the statement.
    #[error("PostgreSQL did not answer within {patience:?}")]
    Silent {
        /// How long it was waited for.
        patience: Duration,
    },
    /// What the table says of a resource cannot be read. Nobody is admitted there.
    #[error("the table has no readable fence of {resource:?}")]
    Corrupt {
        /// Of what.
        resource: String,
    },
}

impl PostgresFenced {
    /// The server that `config` names, without TLS: `host=/run/postgresql user=app`, or `postgres://app@db/app`. Connects when
    /// it is first used.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Config`].
    pub fn try_new(config: &str) -> Result<Self, PostgresError> {
        let config: tokio_postgres::Config = config.parse().map_err(PostgresError::Config)?;
        Ok(Self::with(move || {
            let config = config.clone();
            async move {
                let (client, connection) = config.connect(NoTls).await?;
                // It ends with its client.
                tokio::spawn(connection);
                Ok(client)
            }
        }))
    }

    /// Connections that `connect` makes: with TLS, say. It has to drive the connection itself, in a task.
    pub fn with<F>(connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Client, tokio_postgres::Error>> + Send + 'static,
    {
        Self {
            connect: Arc::new(move || Box::pin(connect())),
            session: Arc::default(),
            patience: Duration::from_secs(5),
            horizon: None,
            clock: Arc::new(TokioClock),
        }
    }

    /// So long is waited for a connection, and for each statement; 5 s by default.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// No token from beyond this. Off by default.
    #[must_use]
    pub const fn horizon(mut self, horizon: Horizon) -> Self {
        self.horizon = Some(horizon);
        self
    }

    /// The clock of the [`horizon`](Self::horizon); tokio's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the table, if it is not there.
    ///
    /// # Errors
    ///
    /// [`PostgresError`].
    pub async fn migrate(&self) -> Result<(), PostgresError> {
        let client = self.timed((self.connect)(), PostgresError::Connect).await?;
        self.timed(client.batch_execute(CREATE), PostgresError::Server)
            .await
    }

    async fn timed<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
        error: fn(tokio_postgres::Error) -> PostgresError,
    ) -> Result<T, PostgresError> {
        let patience = self.patience;
        let silent = |_| PostgresError::Silent { patience };
        timeout(patience, work)
            .await
            .map_err(silent)?
            .map_err(error)
    }

    /// The connection, or a new one in its place.
    async fn session(&self) -> Result<Arc<Session>, PostgresError> {
        let mut session = self.session.lock().await;
        if let Some(session) = session.as_ref().filter(|s| !s.client.is_closed()) {
            return Ok(Arc::clone(session));
        }
        let connect = async {
            let client = (self.connect)().await?;
            let statements = Statements::prepare(&client).await?;
            Ok(Session { client, statements })
        };
        let fresh = Arc::new(self.timed(connect, PostgresError::Connect).await?);
        *session = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Whoever did not hear an answer does not use the connection again: it may be half dead.
    async fn give_up(&self, broken: &Arc<Session>) {
        let mut session = self.session.lock().await;
        session.take_if(|session| Arc::ptr_eq(session, broken));
    }

    async fn run(
        &self,
        session: &Arc<Session>,
        statement: &Statement,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Option<tokio_postgres::Row>, PostgresError> {
        let query = session.client.query_opt(statement, parameters);
        let outcome = self.timed(query, PostgresError::Server).await;
        if matches!(outcome, Err(PostgresError::Silent { .. })) {
            self.give_up(session).await;
        }
        outcome
    }

    fn check(&self, resource: &str, token: &FencingToken) -> Outcome<()> {
        check_name(resource)?;
        if let Some(horizon) = &self.horizon {
            horizon.check(token, self.clock.wall())?;
        }
        Ok(())
    }

    /// The fence and the value, as the table has them now.
    async fn look(
        &self,
        session: &Arc<Session>,
        resource: &str,
    ) -> Result<Option<(Fence, Option<Vec<u8>>)>, PostgresError> {
        let select = &session.statements.select;
        let Some(row) = self.run(session, select, &[&resource]).await? else {
            return Ok(None);
        };
        let corrupt = || PostgresError::Corrupt {
            resource: resource.to_owned(),
        };
        let (lock, fence): (&str, &[u8]) = (
            row.try_get(0).map_err(PostgresError::Server)?,
            row.try_get(1).map_err(PostgresError::Server)?,
        );
        let lock = LockName::try_new(lock).map_err(|_| corrupt())?;
        let token = sql::token(lock, fence).ok_or_else(corrupt)?;
        let op = row.try_get(2).map_err(PostgresError::Server)?;
        let op = number(op).ok_or_else(corrupt)?;
        let value = row.try_get(3).map_err(PostgresError::Server)?;
        Ok(Some((Fence::kept(token, op), value)))
    }

    /// Why a statement changed nothing. A fence only rises, so that what it says now was so then.
    async fn why(
        &self,
        session: &Arc<Session>,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
    ) -> FencedStoreError<PostgresError> {
        let why = match self.look(session, resource).await {
            Ok(Some((fence, _))) => fence.check(token, op).err(),
            Ok(None) => None,
            Err(error) => return FencedStoreError::Store(error),
        };
        // Somebody deleted the row, or set it back.
        let changed = || {
            let resource = resource.to_owned();
            FencedStoreError::Store(PostgresError::Corrupt { resource })
        };
        why.map_or_else(changed, FencedStoreError::Refused)
    }
}

/// An operation's number: eight bytes, or none.
fn number(op: Option<&[u8]>) -> Option<Option<u64>> {
    match op {
        None => Some(None),
        Some(bytes) => Some(Some(u64::from_be_bytes(bytes.try_into().ok()?))),
    }
}

impl FencedStore for PostgresFenced {
    type Value = Vec<u8>;
    type Error = PostgresError;

    async fn seal(&self, resource: &str, token: &FencingToken) -> Outcome<Sealed<Vec<u8>>> {
        self.check(resource, token)?;
        let session = self.session().await.map_err(FencedStoreError::Store)?;
        let (lock, fence) = (token.lock().as_str(), SqlFence::of(token));
        let row = self
            .run(
                &session,
                &session.statements.seal,
                &[&resource, &lock, &fence.whole(), &fence.rank()],
            )
            .await
            .map_err(FencedStoreError::Store)?;
        let Some(row) = row else {
            return Err(self.why(&session, resource, token, None).await);
        };
        let got = |error| FencedStoreError::Store(PostgresError::Server(error));
        let op: Option<&[u8]> = row.try_get(1).map_err(got)?;
        let admitted: bool = row.try_get(2).map_err(got)?;
        Ok(Sealed {
            value: row.try_get(0).map_err(got)?,
            op: number(op).flatten(),
            admitted: newer(admitted),
        })
    }

    async fn put(
        &self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
        value: Vec<u8>,
    ) -> Outcome<Admitted> {
        self.check(resource, token)?;
        let session = self.session().await.map_err(FencedStoreError::Store)?;
        let (lock, fence) = (token.lock().as_str(), SqlFence::of(token));
        let number = op.map(u64::to_be_bytes);
        let number = number.as_ref().map(<[u8; 8]>::as_slice);
        let row = self
            .run(
                &session,
                &session.statements.put,
                &[
                    &resource,
                    &lock,
                    &fence.whole(),
                    &fence.rank(),
                    &number,
                    &value,
                ],
            )
            .await
            .map_err(FencedStoreError::Store)?;
        let Some(row) = row else {
            return Err(self.why(&session, resource, token, op).await);
        };
        let admitted = row.try_get(0);
        let got = |error| FencedStoreError::Store(PostgresError::Server(error));
        Ok(newer(admitted.map_err(got)?))
    }

    async fn read_fenced(&self, resource: &str, token: &FencingToken) -> Outcome<Option<Vec<u8>>> {
        self.check(resource, token)?;
        let session = self.session().await.map_err(FencedStoreError::Store)?;
        let seen = self.look(&session, resource).await;
        let Some((fence, value)) = seen.map_err(FencedStoreError::Store)? else {
            return Err(Refused::NotSealed.into());
        };
        fence.check_sealed(token)?;
        Ok(value)
    }
}

const fn newer(newer: bool) -> Admitted {
    if newer {
        Admitted::Newer
    } else {
        Admitted::Same
    }
}

impl fmt::Debug for PostgresFenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresFenced")
            .field("patience", &self.patience)
            .field("horizon", &self.horizon)
            .finish_non_exhaustive()
    }
}
