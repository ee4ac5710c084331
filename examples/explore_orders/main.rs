//! A bug that only two faults together show: found, shrunk, repeated; and gone when it is fixed.
//!
//! An axum service takes orders. It reserves a piece at one service and has it paid by another; both are asked twice
//! before it gives up, and do once what they are asked for several times. Any single fault is survived: a lost
//! request, a lost reply, a crash of any of the three. Two are not.
//!
//! ```text
//! cargo run --release --example explore_orders
//! cargo run --release --example explore_orders -- --fixed
//! cargo run --release --example explore_orders -- --ablate
//! MURPHY_REPLAY=.. cargo run --release --example explore_orders
//! ```
//!
//! It takes a second or two, all of it real services over HTTP in virtual time; fails if the bug is not found, if it needs
//! more or fewer than two faults, or does not come again; and with `--fixed`, if any run breaks a promise.

mod peers;
mod shop;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use axum::http::StatusCode;
use clap::Parser;
use murphy_chaos::{
    Budget, Client, Explore, Menu, REPLAY_VARIABLE, World, always, eventually, explore, sometimes,
};
use murphy_core::Seed;
use tokio::time::{sleep, timeout};

use peers::Book;
use shop::{LONGEST, Order, Rules, Shop};

/// Customers, and pieces on the shelf: one comes too late.
const CUSTOMERS: u64 = 3;
const PIECES: usize = 2;

#[derive(Parser)]
#[command(
    about = "A bug that only two faults together show: found, shrunk, repeated",
    version
)]
struct Args {
    /// Explore the shop without its bug.
    #[arg(long)]
    fixed: bool,
    /// Take what the fixed shop does about faults out, piece by piece: which is for what?
    #[arg(long)]
    ablate: bool,
    /// The seed of the exploration.
    #[arg(long, default_value = "8")]
    seed: Seed,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let explored = exploration(args.seed);
    if args.ablate {
        return ablate(explored);
    }
    let (bug, rules) = (rules(false), rules(args.fixed));
    if std::env::var_os(REPLAY_VARIABLE).is_some() || args.fixed {
        let outcome = explored.run(|w| shopping(w, rules));
        print!("{outcome}");
        ensure!(outcome.passed(), "a promise is broken");
        return Ok(());
    }
    forget()?;
    let outcome = explored.clone().run(|w| shopping(w, bug));
    print!("{outcome}");
    let [failure, ..] = &outcome.failures[..] else {
        bail!("the lesson did not appear: the bug was not found");
    };
    ensure!(
        failure.injections.len() == 2 && failure.is_minimal,
        "the lesson did not appear: it takes {} faults",
        failure.injections.len()
    );
    // As in another process, on another day: from the line alone.
    let again = explored
        .replay(failure.code.to_string().parse()?)
        .run(|w| shopping(w, bug));
    let came = again.failures.first();
    ensure!(
        came.is_some_and(|again| again.fingerprint() == failure.fingerprint()),
        "the code does not repeat it:\n{again}"
    );
    println!(
        "\nThe code alone broke the same promise. As a command:\n{REPLAY_VARIABLE}={} cargo run --release --example explore_orders\n",
        failure.code
    );
    println!(
        "Two attempts that nobody answered are no refusal: the money was taken. With `--fixed` the shop says so, \
         and settles when it is asked again."
    );
    Ok(())
}

fn rules(fixed: bool) -> Rules {
    Rules {
        fixed,
        retry: true,
        key: true,
    }
}

/// What each of the two is for, in the shop without its bug.
fn ablate(explored: Explore) -> Result<()> {
    let ablation = explored.ablate(["retry", "key"], |w, policies| {
        let (retry, key) = (policies.has("retry"), policies.has("key"));
        let fixed = true;
        shopping(w, Rules { fixed, retry, key })
    })?;
    print!("{ablation}");
    let is_for_lost_replies = ablation.paid_for("key").contains(&"lost-reply");
    ensure!(
        is_for_lost_replies,
        "the lesson did not appear: the key is for nothing"
    );
    ensure!(
        ablation.never_mattered("retry"),
        "the lesson did not appear: the retry is for more than speed"
    );
    println!(
        "\nA key is what makes asking again safe. The shop's own retry keeps no promise: its customers ask again. It saves them the wait."
    );
    Ok(())
}

/// Whatever goes wrong with calls, and outages that are shorter than the shop waits before it asks again: a longer one is
/// a bug of one fault.
fn exploration(seed: Seed) -> Explore {
    let menu = Menu::default().outages([Duration::from_secs(1)]).steps([]);
    explore("orders")
        .seed(seed)
        .budget(Budget::runs(4000))
        .menu(menu)
        .failures(1)
        .artifacts(ARTIFACTS)
}

const ARTIFACTS: &str = "target/murphy/explore_orders";

/// A demonstration finds its bug itself, and not in the notes of the last one. With `--fixed` they are read: as old failures.
fn forget() -> Result<()> {
    match std::fs::remove_file(Path::new(ARTIFACTS).join("corpus.txt")) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
        _ => Ok(()),
    }
}

/// One run: three customers, each with an order.
async fn shopping(w: World, rules: Rules) -> Result<()> {
    let (reserved, paid) = (Book::default(), Book::default());
    w.serve("stock", peers::stock(reserved.clone(), PIECES));
    w.serve("payment", peers::payment(paid.clone(), rules.key));
    let (stock, payment) = (
        w.client_from("shop", "stock"),
        w.client_from("shop", "payment"),
    );
    let shop = Shop::new(stock, payment, w.seed(), rules)?;
    w.serve("shop", shop.clone().router());

    let client = w.client("shop");
    let customer = client.clone();
    w.clients(CUSTOMERS as usize)
        .each(move |caller| orders(customer.clone(), caller.client as u64 + 1))
        .await;
    // Faults end, and whoever was told nothing asks again.
    let all = || 1..=CUSTOMERS;
    let settled = async || {
        for order in all().filter(|order| shop.order(*order).is_none()) {
            orders(client.clone(), order).await;
        }
        all().all(|order| shop.order(order).is_some())
    };
    eventually!(LONGEST * 10, "every order is settled", settled().await).await;
    for order in all() {
        let is_confirmed = shop.order(order) == Some(Order::Confirmed);
        always!(
            paid.has(order) == is_confirmed,
            "who pays gets a piece, and nobody else",
            "order {order}: {:?}, paid: {}",
            shop.order(order),
            paid.has(order)
        );
        always!(
            paid.times(order) <= 1,
            "an order is charged once",
            "{} times",
            paid.times(order)
        );
        always!(
            reserved.has(order) == is_confirmed,
            "what is reserved is sold"
        );
    }
    Ok(())
}

/// A customer asks until there is a word.
async fn orders(client: Client, order: u64) {
    for _ in 0..3 {
        let reply = timeout(LONGEST, client.post(&format!("/orders/{order}"), "")).await;
        if let Ok(Ok(reply)) = &reply {
            let has_word = matches!(reply.status, StatusCode::OK | StatusCode::CONFLICT);
            sometimes!(reply.status == StatusCode::CONFLICT, "the shelf is empty");
            if has_word {
                return;
            }
        }
        sleep(Duration::from_secs(2)).await;
    }
}
