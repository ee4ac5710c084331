//! What is asked of PostgreSQL.

use tokio_postgres::{Client, Error, Statement};

/// `fence` is a [`SqlFence`](crate::fence::SqlFence); `op` the number of the last operation under it, eight bytes, big-endian.
pub(super) const CREATE: &str = "
CREATE TABLE IF NOT EXISTS murphy_fenced (
    resource text PRIMARY KEY,
    lock text NOT NULL,
    fence bytea NOT NULL,
    op bytea,
    value bytea
) WITH (fillfactor = 50)";

/// The row is locked when its predicate is looked at, and what it says then is the latest that was committed. Whether the
/// holder is a new one is told from the statement's own snapshot, which may be older: a remark, and nothing hangs on it.
const SEAL: &str = "
WITH before AS (SELECT fence FROM murphy_fenced WHERE resource = $1)
INSERT INTO murphy_fenced AS f (resource, lock, fence) VALUES ($1, $2, $3)
ON CONFLICT (resource) DO UPDATE SET
    op = CASE WHEN f.fence = EXCLUDED.fence THEN f.op END,
    fence = EXCLUDED.fence
WHERE f.lock = EXCLUDED.lock AND (substr(f.fence, 1, 12) < $4 OR f.fence = $3)
RETURNING f.value, f.op, (SELECT fence FROM before) IS DISTINCT FROM $3";

const PUT: &str = "
WITH before AS (SELECT fence FROM murphy_fenced WHERE resource = $1)
INSERT INTO murphy_fenced AS f (resource, lock, fence, op, value) VALUES ($1, $2, $3, $5, $6)
ON CONFLICT (resource) DO UPDATE SET
    op = CASE WHEN f.fence = EXCLUDED.fence THEN COALESCE(EXCLUDED.op, f.op) ELSE EXCLUDED.op END,
    fence = EXCLUDED.fence,
    value = EXCLUDED.value
WHERE f.lock = EXCLUDED.lock AND (
    substr(f.fence, 1, 12) < $4
    OR (f.fence = $3 AND (EXCLUDED.op IS NULL OR f.op IS NULL OR f.op < EXCLUDED.op)))
RETURNING (SELECT fence FROM before) IS DISTINCT FROM $3";

const SELECT: &str = "SELECT lock, fence, op, value FROM murphy_fenced WHERE resource = $1";

/// Prepared, for one connection.
pub(super) struct Statements {
    pub(super) seal: Statement,
    pub(super) put: Statement,
    pub(super) select: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            seal: client.prepare(SEAL).await?,
            put: client.prepare(PUT).await?,
            select: client.prepare(SELECT).await?,
        })
    }
}
