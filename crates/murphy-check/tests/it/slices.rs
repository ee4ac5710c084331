use murphy_check::model::mutex::*;
use murphy_check::*;
#[test]
fn dbg() {
    let op =
        |p, r, c, e| Operation::try_new(p, r, c, Some((e, Outcome::Done(Reply::Done)))).unwrap();
    let h = [
        op(0, Request::Acquire, 1, 12),
        op(1, Request::Release, 2, 6),
        op(2, Request::Release, 3, 8),
    ];
    println!("{:#?}", Checker::new().check(&Mutex, &h));
}
