//! The table, and one statement an operation.
//!
//! A rank is one number, `era * 2^64 + seq`: so it is compared, and the number after it is in the next era where this
//! one is used up. The clock is read in the statement, after the row's lock was had, never at the transaction's start.

use crate::Rank;

/// Its statements, for one table.
pub(super) struct Statements {
    pub(super) schema: String,
    pub(super) acquire: String,
    pub(super) renew: String,
    pub(super) release: String,
    pub(super) observe: String,
    pub(super) listen: String,
}

/// `until` is in the past where nobody holds it. `awaited`: somebody waits to be told of its release. Half of a page
/// stays free, so that a row's next version finds its place there.
const SCHEMA: &str = r#"
SELECT pg_advisory_xact_lock(hashtext('{table}'));
CREATE TABLE IF NOT EXISTS {table} (
    name text COLLATE "C" PRIMARY KEY,
    rank numeric(29) NOT NULL,
    nonce text NOT NULL,
    until timestamptz NOT NULL,
    awaited boolean NOT NULL
) WITH (fillfactor = 50);"#;

/// $1 name, $2 nonce, $3 microseconds, $4 the lowest rank to grant, $5 whether that and no other, $6 whether to be told
/// of the release. No row: another was faster, ask again.
///
/// Where another is seen to hold it nothing is written, so that who looks in vain costs no commit. A free row is
/// taken under its lock, for another may have been faster since the statement looked.
const ACQUIRE: &str = r"
WITH taken AS (
    INSERT INTO {table} AS l (name, rank, nonce, until, awaited)
    SELECT $1::text,
        CASE WHEN $5::boolean THEN {asked} ELSE GREATEST({asked}, {era_of asked} + {clock}) END,
        $2::text, {now} + {ttl}, false
    WHERE NOT EXISTS (SELECT FROM {table} WHERE name = $1 AND CASE
        WHEN until > {now} THEN nonce <> $2
        WHEN $5 THEN rank >= {asked}
        ELSE rank >= {last} END)
    ON CONFLICT (name) DO UPDATE SET
        rank = CASE WHEN {ours} THEN l.rank WHEN $5 THEN {asked}
            ELSE GREATEST({next}, {era_of next} + {clock}) END,
        nonce = $2,
        until = CASE WHEN {ours} THEN l.until ELSE {now} + {ttl} END,
        awaited = {ours} AND l.awaited
    WHERE CASE WHEN l.until > {now} THEN l.nonce = $2
        WHEN $5 THEN l.rank < {asked}
        ELSE l.rank < {last} END
    RETURNING rank, until
), told AS (
    UPDATE {table} SET awaited = true
    WHERE $6::boolean AND name = $1 AND until > {now} AND NOT awaited AND NOT EXISTS (SELECT FROM taken)
    RETURNING true
)
SELECT true, rank::text, {left}, false FROM taken
UNION ALL
SELECT false, rank::text, {left}, awaited OR EXISTS (SELECT FROM told)
FROM {table} WHERE name = $1 AND NOT EXISTS (SELECT FROM taken)";

/// $1 name, $2 nonce, $3 microseconds, $4 rank.
const RENEW: &str = r"
WITH renewed AS (
    UPDATE {table} SET until = GREATEST(until, {now} + {ttl})
    WHERE name = $1::text AND nonce = $2::text AND rank = {asked} AND until > {now}
    RETURNING rank, until
)
SELECT true, rank::text, {left} FROM renewed
UNION ALL
SELECT false, rank::text, {left} FROM {table} WHERE name = $1 AND NOT EXISTS (SELECT FROM renewed)";

/// $1 name, $2 nonce. The row stays, for its rank; who waits is told when it is committed.
const RELEASE: &str = r"
WITH freed AS (
    UPDATE {table} SET nonce = '', until = 'epoch'
    WHERE name = $1::text AND nonce = $2::text AND until > {now}
    RETURNING awaited
)
SELECT CASE WHEN awaited THEN pg_notify('{channel}', $1)::text END FROM freed";

/// $1 name.
const OBSERVE: &str = "SELECT until > {now}, rank::text, {left} FROM {table} WHERE name = $1::text";

impl Statements {
    /// `table` is a valid name.
    pub(super) fn of(table: &str) -> Self {
        let fill = |text: &str| {
            let parts = [
                ("{next}", "GREATEST(l.rank + 1, {asked})"),
                (
                    "{era_of next}",
                    "div(GREATEST(l.rank + 1, {asked}), 18446744073709551616) * 18446744073709551616",
                ),
                (
                    "{era_of asked}",
                    "div({asked}, 18446744073709551616) * 18446744073709551616",
                ),
                ("{asked}", "$4::text::numeric"),
                ("{ours}", "(l.nonce = $2 AND l.until > {now})"),
                (
                    "{left}",
                    "trunc(extract(epoch FROM until - {now})::numeric * 1000000)::bigint",
                ),
                (
                    "{clock}",
                    "trunc(extract(epoch FROM {now})::numeric * 1000000)",
                ),
                ("{ttl}", "$3::bigint * interval '1 microsecond'"),
                ("{now}", "clock_timestamp()"),
                ("{last}", "79228162514264337593543950335"),
                ("{table}", table),
                ("{channel}", &table.replace('.', "_")),
            ];
            let filled = |text: String, (name, part): &(&str, &str)| text.replace(name, part);
            parts.iter().fold(text.to_owned(), filled)
        };
        Self {
            schema: fill(SCHEMA),
            acquire: fill(ACQUIRE),
            renew: fill(RENEW),
            release: fill(RELEASE),
            observe: fill(OBSERVE),
            listen: fill("LISTEN {channel}"),
        }
    }
}

/// Whether it can stand in a statement as it is: `table` or `schema.table`, in small letters, digits and `_`.
pub(super) fn is_table(name: &str) -> bool {
    let is_word = |word: &str| {
        let mut bytes = word.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
        first && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    name.len() <= 63 && name.split('.').count() <= 2 && name.split('.').all(is_word)
}

pub(super) fn number(Rank { era, seq }: Rank) -> String {
    (u128::from(era) << 64 | u128::from(seq)).to_string()
}

pub(super) fn rank_of(number: &str) -> Option<Rank> {
    let bits: u128 = number.parse().ok()?;
    let era = u32::try_from(bits >> 64).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    Some(Rank::new(era, bits as u64))
}
