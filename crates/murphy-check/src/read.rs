//! Histories from files: Jepsen's EDN, and the two formats of porcupine's test data.
//!
//! | format | looks like | a failed `:cas` |
//! |---|---|---|
//! | EDN, as Jepsen and Knossos write it | `{:process 0, :type :invoke, :f :write, :value 3}` …, in one list or vector, or one by one | is left out: it never happened |
//! | the same with keys | `{:process 0, :type :ok, :f :get, :key "x", :value "y"}` | – |
//! | log lines of jepsen.util | `INFO  jepsen.util - 0 :invoke :write 3`, by blanks or tabs | is an observation: the value was another |
//!
//! `:ok` is answered, `:fail` never happened, `:info` (and what never ends) is unknown. What a process does that is not a
//! number (`:nemesis`) is left out. Nothing is taken from `:time`: the order of lines is the order of events.
//!
//! # Limits
//!
//! A text has at most [`MOST_BYTES`] and [`MOST_EVENTS`], and its values are at most [`MOST_DEPTH`] deep. Tags are read past:
//! `#jepsen.history.Op{..}` is its map. Whatever is wrong is an error with its line.
//!
//! # Examples
//!
//! ```
//! use murphy_check::model::register::Register;
//! use murphy_check::{check, read};
//!
//! let text = "[{:process 0, :type :invoke, :f :write, :value 1}
//!              {:process 0, :type :ok,     :f :write, :value 1}
//!              {:process 1, :type :invoke, :f :read,  :value nil}
//!              {:process 1, :type :ok,     :f :read,  :value 2}]";
//! let history = read::registers(&read::events(text)?)?;
//! assert!(check(&Register::new(), &history).is_illegal());
//!
//! let error = read::events("{:process 0, :type :invoke").unwrap_err();
//! assert_eq!(error.to_string(), "line 1: `{` is not closed");
//! # Ok::<(), read::BadHistory>(())
//! ```

mod edn;
mod error;
mod event;
mod log;
mod operations;

pub use edn::Edn;
pub use error::{BadHistory, Problem};
pub use event::{Event, Kind, events};
pub use operations::{cas_registers, counters, mutexes, queues, registers, sets, texts};

/// The longest text that is read: 64 MiB.
pub const MOST_BYTES: usize = 64 << 20;
/// The most events that are read: 2²¹.
pub const MOST_EVENTS: usize = 1 << 21;
/// How deep values are nested at most.
pub const MOST_DEPTH: usize = 64;
/// The most values within one event.
pub const MOST_VALUES: usize = 1 << 20;
