//! What clocks do on real machines, in virtual time: one is set back, two drift apart, one stands
//! still, and two cannot tell whose event came first. Fails if one of them behaved.
use std::time::Duration;

use anyhow::ensure;
use murphy_core::clock::{Clock, Drift, Offset, SkewedClock, wait_past};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    set_back().await?;
    adrift().await?;
    frozen().await?;
    uncertain().await
}

/// The chapter's snippet: NTP sets the clock back while something is timed.
async fn set_back() -> anyhow::Result<()> {
    let machine = SkewedClock::new();
    machine.set_wall("2024-01-01T10:00:05.123Z".parse()?);
    let (began, timestamp1) = (machine.now(), machine.wall());
    sleep(SECOND).await;
    machine.jump(Offset::behind(Duration::from_millis(1124)));
    let (took, timestamp2) = (machine.now() - began, machine.wall());
    let elapsed = timestamp2 - timestamp1;
    println!("A second of work, and NTP steps the clock back:");
    println!("  from {timestamp1:.3} to {timestamp2:.3}");
    println!("  by the time of day     {elapsed}");
    println!("  by the monotonic clock +{took:?}\n");
    ensure!(elapsed.is_negative() && took == SECOND, "no lesson");
    Ok(())
}

/// Two good quartzes, one fast and one slow, that nobody synchronises for a day.
async fn adrift() -> anyhow::Result<()> {
    let fast = SkewedClock::new().drift(Drift::ppm(50.0)?);
    let slow = SkewedClock::new().drift(Drift::ppm(-50.0)?);
    sleep(DAY).await;
    let apart = fast.wall() - slow.wall();
    println!("A day at +50 ppm and at -50 ppm:");
    println!("  apart by {apart}");
    fast.sync();
    println!("  the fast one after a synchronisation: {}\n", fast.skew());
    let want = Offset::ahead(Duration::from_millis(8640));
    ensure!((apart - want).abs() < SECOND, "no lesson");
    ensure!(fast.skew() == Offset::ZERO, "not synchronised");
    Ok(())
}

/// A virtual machine is paused while it waits for ten seconds.
async fn frozen() -> anyhow::Result<()> {
    let machine = SkewedClock::new();
    let (began, really) = (machine.now(), Instant::now());
    let deadline = began + 10 * SECOND;
    let timer = tokio::spawn({
        let machine = machine.clone();
        async move { machine.sleep_until(deadline).await }
    });
    sleep(4 * SECOND).await;
    machine.freeze();
    sleep(15 * SECOND).await;
    ensure!(!timer.is_finished(), "it fired while nothing moved");
    machine.thaw();
    timer.await?;
    let (felt, was) = (machine.now() - began, really.elapsed());
    println!("A timer of 10 s on a machine that was paused for 15 s:");
    println!("  the machine waited for {felt:?}, everybody else for {was:?}");
    println!("  its time of day is now {}\n", machine.skew());
    ensure!(was >= 25 * SECOND && felt < 11 * SECOND, "no lesson");
    ensure!(machine.skew() == Offset::behind(15 * SECOND), "no lesson");
    Ok(())
}

/// Clocks that know their error say when they cannot tell, and who waits it out makes sure.
async fn uncertain() -> anyhow::Result<()> {
    let error = Duration::from_millis(5);
    let slow = Offset::behind(Duration::from_millis(4));
    let one = SkewedClock::new().error(error);
    let other = SkewedClock::new().error(error).offset(slow);
    let first = one.bound();
    sleep(Duration::from_millis(3)).await;
    let hasty = other.bound();
    wait_past(&one, first.latest()).await;
    let patient = other.bound();
    let is_known = first.certainly_before(hasty);
    let [hasty, patient] = [hasty, patient].map(|second| second.latest() - first.latest());
    println!("Two clocks that are right to 5 ms, and an event on each:");
    println!("  3 ms apart: which was first is known: {is_known}; the second's stamp is {hasty}");
    println!("  after a commit wait: the second's stamp is {patient}");
    ensure!(!is_known && hasty.is_negative(), "no lesson");
    ensure!(!patient.is_negative(), "a wait for nothing");
    Ok(())
}
