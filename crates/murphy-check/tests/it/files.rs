//! Files are read, or are errors with a line.

use std::fmt::Debug;

use murphy_check::model::{
    cas::CasRegister, counter::Counter, mutex::Mutex, queue::Queue, register::Register, set::Set,
    text::Texts,
};
use murphy_check::read::{self, BadHistory, Edn, Event, Kind};
use murphy_check::{Model, OperationOf, check};

use crate::random::Random;

fn judged<M: Model>(
    model: &M,
    text: &str,
    of: impl Fn(&[Event]) -> Result<Vec<OperationOf<M>>, BadHistory>,
) -> u8 {
    let events = read::events(text).expect("events");
    check(model, &of(&events).expect("operations")).exit_code()
}

#[test]
fn each_format_is_read() {
    let stale = include_str!("../data/register-stale.edn");
    assert_eq!(judged(&Register::new(), stale, read::registers), 1);
    assert_eq!(judged(&CasRegister::new(), stale, read::cas_registers), 1);
    // What failed never happened, and what timed out may have.
    let zero = include_str!("../data/cas-from-zero.edn");
    assert_eq!(
        judged(
            &CasRegister::holding(Edn::Int(0)),
            zero,
            read::cas_registers
        ),
        0
    );
    assert_eq!(judged(&CasRegister::new(), zero, read::cas_registers), 1);
    assert_eq!(
        judged(
            &Mutex,
            include_str!("../data/mutex-twice.edn"),
            read::mutexes
        ),
        1
    );
    // In a log, a comparison that failed says that the value was another.
    let log = include_str!("../data/cas.log");
    assert_eq!(judged(&CasRegister::new(), log, read::cas_registers), 0);
    let log = include_str!("../data/cas-failed-wrongly.log");
    assert_eq!(judged(&CasRegister::new(), log, read::cas_registers), 1);
    assert_eq!(
        judged(&Texts, include_str!("../data/texts.txt"), read::texts),
        0
    );
    assert_eq!(
        judged(&Texts, include_str!("../data/texts-lost.txt"), read::texts),
        1
    );
}

/// An operation, answered at once.
fn pair(process: u64, f: &str, asked: &str, told: &str) -> String {
    let line =
        |kind, value| format!("{{:process {process} :type :{kind} :f :{f} :value {value}}}\n");
    line("invoke", asked) + &line("ok", told)
}

#[test]
fn counters_sets_and_queues_are_read_too() {
    let count = |n| pair(0, "add", "2", "2") + &pair(1, "read", "nil", n);
    assert_eq!(judged(&Counter, &count("2"), read::counters), 0);
    assert_eq!(judged(&Counter, &count("3"), read::counters), 1);
    let set = |all| pair(0, "add", ":a", ":a") + &pair(1, "read", "nil", all);
    assert_eq!(judged(&Set::new(), &set("#{:a}"), read::sets), 0);
    assert_eq!(judged(&Set::new(), &set("[]"), read::sets), 1);
    let queue = |item| pair(0, "enqueue", "\"x\"", "\"x\"") + &pair(1, "dequeue", "nil", item);
    assert_eq!(judged(&Queue::new(), &queue("\"x\""), read::queues), 0);
    assert_eq!(judged(&Queue::new(), &queue("nil"), read::queues), 1);
}

#[test]
fn values_are_read_and_written_back() {
    for (text, written) in [
        ("nil", "nil"),
        ("[1 -2, +3 4N]", "[1 -2 3 4]"),
        ("(true false)", "[true false]"),
        (
            "{:a \"x\\n\\u0041\\\"\" b 1.5}",
            "{:a \"x\\nA\\\"\", b 1.5}",
        ),
        ("#{1 2}", "#{1 2}"),
        ("#inst \"2020\"", "\"2020\""),
        (
            "; what\n #_ #_ 1 2 [\\newline \\( ##Inf :a/b]",
            "[\\newline \\( ##Inf :a/b]",
        ),
        ("99999999999999999999", "99999999999999999999"),
    ] {
        let value: Edn = text.parse().expect(text);
        assert_eq!(value.to_string(), written, "{text}");
        assert_eq!(written.parse(), Ok(value));
    }
    assert!("1 2".parse::<Edn>().is_err() && "".parse::<Edn>().is_err());
    let map: Edn = "{:a 1, :b 2, :a 3}".parse().unwrap();
    assert_eq!((map.under("a"), map.under("c")), (Some(&Edn::Int(1)), None));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let whole = "{:process 0, :type :invoke, :f :read}\n";
    let deep = "[".repeat(100_000);
    let discards = "#_".repeat(100_000);
    for (text, says) in [
        ("[\n{:process 0", "line 2: `{` is not closed"),
        (
            "[{:process 0, :type :info, :f :x}\n\n",
            "line 1: `[` is not closed",
        ),
        (
            "(\n1)",
            "line 2: `1` is no event: a map with :process, :type, :f and :value",
        ),
        (
            "[]\n[]",
            "line 2: `[]` comes after the end of the history: one list a file, or events one by one",
        ),
        (
            "{:process -1}",
            "line 1: `:process -1`: a number, 0 or above, or a keyword",
        ),
        (
            "{:process 1, :type :no}",
            "line 1: `:type :no`: :invoke, :ok, :fail or :info",
        ),
        (
            "\n{:process 1, :type :ok, :f 1}",
            "line 2: `:f 1`: a keyword, as :read",
        ),
        ("{:process}", "line 1: `:process` is a key without a value"),
        (
            "{:process 0, :type :info, :f :x}",
            "line 1: process 0 ends `:x`, and has invoked nothing",
        ),
        ("]", "line 1: `]` closes nothing that is open"),
        (
            "{:a \"\\q\"}",
            "line 1: `q` is no escape: use \\n \\t \\r \\\\ \\\" or \\u with four digits",
        ),
        (
            "{:a \"\\u+041\"}",
            "line 1: `+041` is no escape: use \\n \\t \\r \\\\ \\\" or \\u with four digits",
        ),
        (
            &(whole.to_owned() + whole),
            "line 2: process 0 invokes while it is at what it invoked in line 1",
        ),
        (
            "{:process 0, :type :invoke, :f :jump}",
            "line 1: `:f :jump`: :read, :write or :cas",
        ),
        (
            "{:process 0, :type :invoke, :f :cas, :value 3}",
            "line 1: `:value 3`: [from to]",
        ),
        (
            "{:process 0, :type :invoke, :f :write}",
            "line 1: `:value nil`: a value",
        ),
        (&deep, "line 1: values in values: 64 are the most"),
        (&discards, "line 1: values in values: 64 are the most"),
        (
            "INFO jepsen.util - 0 :invoke :read",
            "line 1: `0 :invoke :read` is no event: a process, :type, :f and a value",
        ),
        (
            "INFO jepsen.util - 0 :invoke :read nil nil",
            "line 1: `0 :invoke :read nil nil` is no event: a process, :type, :f and a value",
        ),
    ] {
        let error = read::events(text).and_then(|events| read::cas_registers(&events).map(drop));
        let short: String = text.chars().take(60).collect();
        match error {
            Err(e) => assert_eq!(e.to_string(), says, "{short}"),
            Ok(()) => panic!("{short}"),
        }
    }
    let long = " ".repeat(read::MOST_BYTES + 1);
    let error = read::events(&long).unwrap_err().to_string();
    assert_eq!(error, "line 1: bytes: 67108864 are the most");
}

#[test]
fn a_text_that_is_no_history_is_an_error_or_none_and_no_panic() {
    let whole = include_str!("../data/cas-from-zero.edn");
    let log = include_str!("../data/cas.log");
    let mut random = Random(8);
    let mut errors = 0;
    for _ in 0..20_000 {
        let mut bytes = random.of(&[whole, log]).as_bytes().to_vec();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes.truncate(at.max(1)),
                1 => _ = bytes.splice(at..at, *b"[{\"\\#;"),
                _ => bytes[at] = random.of(b"[](){}\"\\#_;:~ \n0a\xc3"),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let read = read::events(&text).and_then(|events| read::cas_registers(&events));
        errors += usize::from(read.is_err());
    }
    assert!(errors > 10_000, "{errors}");
}

#[test]
fn what_a_nemesis_says_in_a_log_is_left_out() {
    let log = "INFO  jepsen.util - :nemesis :info :start \"Cut off {:n1 #{:n2\" more ] of it\n\
               INFO  jepsen.util - 0 :invoke :read nil\n";
    assert_eq!(read::events(log).expect("one event").len(), 1);
}

#[test]
fn events_are_what_was_written() {
    let events =
        read::events("{:process 7, :type :ok, :f :get, :key \"k\", :value \"v\"}").unwrap();
    let event = &events[0];
    assert_eq!(
        (event.line, event.process, event.kind, event.f.as_str()),
        (1, 7, Kind::Ok, "get")
    );
    let text = |value: &Edn| -> Box<dyn Debug> { Box::new(value.clone()) };
    assert_eq!(
        format!(
            "{:?} {:?}",
            text(event.key.as_ref().unwrap()),
            text(&event.value)
        ),
        "\"k\" \"v\""
    );
}
