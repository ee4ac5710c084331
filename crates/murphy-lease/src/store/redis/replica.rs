//! Whether a server has become a replica: then it cannot write.

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

pub(super) fn has_failed(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || quotes(error.detail())
}

pub(super) fn has_answered(value: &Value) -> bool {
    matches!(value, Value::ServerError(e) if e.kind() == Some(ServerErrorKind::ReadOnly) || quotes(e.details()))
}

/// Before Redis 7 what a script ran into is quoted in an error of another kind.
fn quotes(details: Option<&str>) -> bool {
    details.is_some_and(|details| details.contains("-READONLY "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_known_by_what_it_says_in_each_version() {
        for (says, want) in [
            (
                "READONLY You can't write against a read only replica. script: f, on @user_script:1.",
                true,
            ),
            (
                "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write",
                true,
            ),
            (
                "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed",
                false,
            ),
            ("NOSCRIPT No matching script. Please use EVAL.", false),
        ] {
            let said = redis::parse_redis_value(format!("-{says}\r\n").as_bytes());
            let said = said.unwrap();
            assert_eq!(has_answered(&said), want, "{says}");
            let failed = said.extract_error();
            assert_eq!(failed.is_err_and(|e| has_failed(&e)), want, "{says}");
        }
    }
}
