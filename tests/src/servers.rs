//! Real servers for tests: child processes on loopback, in directories of their own, ended when they are dropped.
//!
//! A server that is not installed fails the test that wants it: `cargo xtask setup` installs them.

mod etcd;
mod postgres;
mod process;
mod redis;
mod switch;

pub use etcd::Etcd;
pub use postgres::Postgres;
pub use process::{Process, free_port};
pub use redis::Redis;
pub use switch::Switch;

use std::time::Duration;

/// How long a server may take to start, and a client to find it again: generous, for machines are busy.
pub const LONG: Duration = Duration::from_secs(60);
