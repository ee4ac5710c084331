//! [`Desk`]: statements, over a few connections.

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Row, Socket};

use super::super::error::StoreError;

/// A value for a statement, and its type: `&[(&7, Type::INT8)]`.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How often a statement is repeated that others' statements got in the way of.
const REPEATS: usize = 10;

/// Statements, over a few connections.
#[derive(Clone)]
pub(super) struct Desk {
    pool: Pool,
    /// Whether connections remember statements: not where each may be another server's.
    prepares: bool,
}

impl Desk {
    pub(super) fn new<T>(config: Config, tls: T, connections: usize) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        // A connection that was given back is whole, or closed: see `Lent`.
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, tls, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool without timeouts");
        let prepares = true;
        Self { pool, prepares }
    }

    pub(super) fn resize(&self, connections: usize) {
        self.pool.resize(connections);
    }

    pub(super) fn forget_statements(&mut self) {
        self.prepares = false;
    }

    /// Runs a script of statements.
    pub(super) async fn run(&self, script: &str) -> Result<(), BoxError> {
        let lent = Lent(Some(self.pool.get().await?));
        let done = lent.client().batch_execute(script).await;
        lent.give_back();
        Ok(done?)
    }

    /// The rows of a statement; repeated where it was not serializable, which only happens where the database was told to
    /// isolate more than it does by default.
    pub(super) async fn ask(
        &self,
        verb: &'static str,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let failed = |e: BoxError| StoreError::failed(verb, e);
        let lent = Lent(Some(self.pool.get().await.map_err(|e| failed(e.into()))?));
        let mut repeats = 0;
        let rows = loop {
            let rows = self.once(lent.client(), statement, parameters).await;
            repeats += 1;
            match &rows {
                Err(e) if is_conflict(e.code()) && repeats < REPEATS => {}
                _ => break rows,
            }
        };
        lent.give_back();
        rows.map_err(|e| match e.code() {
            Some(&SqlState::UNDEFINED_TABLE) => StoreError::Unfit {
                verb,
                what: "a lock, in a table that is not there".into(),
                remedy: "call `migrate` once, or run what `schema` gives",
            },
            _ => failed(e.into()),
        })
    }

    async fn once(
        &self,
        client: &Object,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        if !self.prepares {
            return client.query_typed(statement, parameters).await;
        }
        let statement = client.prepare_cached(statement).await?;
        let parameters: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        client.query(&statement, &parameters).await
    }
}

fn is_conflict(state: Option<&SqlState>) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ]
    .iter()
    .any(|conflict| state == Some(conflict))
}

/// A connection that is closed if its user leaves in the midst of a statement: the next one would wait for its answer.
struct Lent(Option<Object>);

impl Lent {
    fn client(&self) -> &Object {
        self.0.as_ref().expect("until it is given back")
    }

    fn give_back(mut self) {
        self.0 = None;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}
