//! Witnesses are small, and pictures show them.

use murphy_check::model::queue::{self, Queue};
use murphy_check::model::register::{self, Register};
use murphy_check::model::text::{self, Texts};
use murphy_check::{Checker, History, Picture, VerdictOf};

/// One client after the other, 4,000 operations; then a read that is a thousand writes behind.
fn stale() -> History<register::Request<u32>, register::Reply<u32>> {
    use register::{Reply, Request};
    let history = History::new();
    for value in 0..2_000 {
        let (write, read) = (value.into(), 10_000 + u64::from(value));
        let write = history.call(write, Request::Write(value)).unwrap();
        history.done(write, Reply::Written).unwrap();
        let read = history.call(read, Request::Read).unwrap();
        history.done(read, Reply::Value(Some(value))).unwrap();
    }
    let read = history.call(1, Request::Read).unwrap();
    history.done(read, Reply::Value(Some(1_000))).unwrap();
    history
}

#[test]
fn of_four_thousand_operations_two_show_a_stale_read() {
    let history = stale().operations();
    let verdict: VerdictOf<Register<u32>> = Checker::new().check(&Register::new(), &history);
    let witness = verdict.witness().expect("illegal");
    assert!(witness.is_smallest);
    assert_eq!(
        witness.operations.len(),
        2,
        "{}",
        witness.describe(&Register::new())
    );
    assert_eq!(witness.stuck, history.len() - 1);
}

#[test]
fn without_steps_to_shrink_it_is_all_up_to_where_it_went_wrong() {
    let history = stale().operations();
    let checker = Checker::new().shrink(0);
    let verdict = checker.check(&Register::new(), &history);
    let witness = verdict.witness().expect("illegal");
    assert!(!witness.is_smallest && witness.operations.len() > 2);
    assert!(
        witness
            .describe(&Register::new())
            .contains("not enough steps")
    );
}

#[test]
fn a_queue_out_of_order_shows_who_was_passed_by() {
    use queue::{Reply, Request};
    let history = History::new();
    let mut order: Vec<u32> = (0..200).collect();
    order.swap(120, 121);
    for item in 0..200 {
        let put = history.call(1, Request::Enqueue(item)).unwrap();
        history.done(put, Reply::Enqueued).unwrap();
    }
    for item in order {
        let got = history.call(2, Request::Dequeue).unwrap();
        history.done(got, Reply::Dequeued(Some(item))).unwrap();
    }
    let verdict = Checker::new().check(&Queue::new(), &history.operations());
    let witness = verdict.witness().expect("illegal");
    // It came in first, and is still in when another comes out.
    assert_eq!(
        witness.describe(&Queue::new()),
        "  241..242  process 1  enqueue 120\n* 641..642  process 2  dequeue -> 121\n"
    );
}

#[test]
fn what_was_recorded_is_text_in_a_picture_whatever_it_is() {
    use text::{Reply, Request};
    let history = History::new();
    let hostile = "</title><script>alert('&')</script>\u{0}\u{1b}]]>\"".to_owned();
    let get = history.call(1, Request::Get(hostile.clone())).unwrap();
    history.done(get, Reply::Value(hostile.clone())).unwrap();
    let operations = history.operations();
    let verdict = Checker::new().check(&Texts, &operations);
    let picture = Picture::new(&Texts, &operations, verdict.witness().expect("illegal"));
    let page = picture.html(&hostile);
    for text in [page.as_str(), &picture.svg()] {
        assert!(!text.contains("<script") && !text.contains('\u{0}') && !text.contains('\u{1b}'));
        assert!(text.contains("&lt;script&gt;"));
        assert_eq!(
            text.matches("</title>").count(),
            text.matches("<title>").count()
        );
    }
    assert!(page.starts_with("<!doctype html>") && page.contains("process 1"));
    assert!(
        !page.contains("http://")
            || page.matches("http://").count() == page.matches("xmlns").count()
    );
}

#[test]
fn a_picture_is_bounded() {
    let history = History::new();
    for process in 0..1_000 {
        let call = history
            .call(process, register::Request::Write(process))
            .unwrap();
        if process % 2 == 0 {
            history.lost_reply(call).unwrap();
        }
    }
    let read = history.call(5_000, register::Request::Read).unwrap();
    history
        .done(read, register::Reply::Value(Some(7_777)))
        .unwrap();
    let operations = history.operations();
    let verdict = Checker::new().check(&Register::new(), &operations);
    let picture = Picture::new(
        &Register::new(),
        &operations,
        verdict.witness().expect("illegal"),
    );
    assert_eq!(picture.svg().matches("<g>").count(), Picture::MOST);
    assert!(
        picture
            .html("x")
            .contains("801 operations around it are left out")
    );
}
