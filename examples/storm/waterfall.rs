//! One double charge, told from its ledger lines.

use murphy_fault::{Finding, Outcome, Record};
use tokio::time::Instant;

use crate::row::{Answer, Row};

/// Columns of the picture.
const WIDTH: u128 = 40;

pub(crate) fn tell(row: &Row) {
    let records = row.ledger.records();
    let found = row
        .answers
        .iter()
        .filter(|(_, answer)| answer.served)
        .find_map(|(order, answer)| {
            let loss = records.iter().find(|r| is_lost_reply(r, *order))?;
            let (sent, charged) = (row.attempts.of(*order), row.accounts.charges(*order));
            (sent.len() == 2 && charged.len() == 2).then_some((*order, answer, loss, sent, charged))
        });
    let Some((order, answer, loss, sent, charged)) = found else {
        println!(
            "\nno order was charged twice by one retry after the fault `lost-reply` took its first reply"
        );
        return;
    };
    println!("\norder {order}, charged twice ({}):", row.name);
    line(
        answer,
        sent[0],
        charged[0],
        "attempt 1: charged; the reply is lost",
    );
    line(
        answer,
        charged[0],
        sent[1],
        "the caller hears nothing, and times out",
    );
    line(answer, sent[1], charged[1], "attempt 2: charged again");
    line(
        answer,
        charged[1],
        answer.known,
        "the caller hears of one charge",
    );
    println!("its ledger:");
    for record in records.iter().filter(|r| r.key == loss.key) {
        println!("  {}", serde_json::to_string(record).unwrap_or_default());
    }
}

fn is_lost_reply(record: &Record, order: u64) -> bool {
    record.key.bits() == order
        && record.occurrence == 0
        && record.fault == "lost-reply"
        && record.finding == Finding::Injected
        && record.outcome == Outcome::Ran
}

/// From when to when, drawn over the whole call.
fn line(answer: &Answer, from: Instant, to: Instant, what: &str) {
    let whole = (answer.known - answer.placed).as_micros().max(1);
    let column =
        |at: Instant| ((at - answer.placed).as_micros() * WIDTH / whole).min(WIDTH) as usize;
    let (start, end) = (column(from), column(to).max(column(from) + 1));
    let bar = format!("{}{}", " ".repeat(start), "━".repeat(end - start));
    println!(
        "  {:>4} ms  {bar:<41}  {what}",
        (from - answer.placed).as_millis()
    );
}
