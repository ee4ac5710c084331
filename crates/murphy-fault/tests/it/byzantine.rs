//! Lies over real layers: same seed, same lies.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use murphy_core::{Draw, Key, Seed};
use murphy_fault::byzantine::{Equivocator, Stale, flip_bit_in, flip_bit_in_text};
use murphy_fault::{Chaos, Fault, FaultLayer, Plan, TimeLimit};
use tokio::task::JoinSet;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{ALWAYS, fixed, ms, p};

fn lying(share: f64) -> Fault {
    Fault::altered_reply(p(share))
}

#[tokio::test]
async fn flipped_bits_repeat_with_their_seed_and_only_with_it() {
    let corrupted = async |seed: u64| {
        let hook = flip_bit_in::<Box<[u8]>>;
        let layer = FaultLayer::seeded(Seed::new(seed), "a->disk", lying(0.5));
        let mut disk = ServiceBuilder::new()
            .layer(layer.altering_replies(hook))
            .service(service_fn(|page: Box<[u8]>| async {
                Ok::<_, BoxError>(page)
            }));
        let mut pages = Vec::new();
        for _ in 0..64 {
            let page = disk.ready().await.unwrap().call(vec![0; 256].into());
            pages.push(page.await.unwrap());
        }
        pages
    };
    let pages = corrupted(1).await;
    assert_eq!(pages, corrupted(1).await);
    assert_ne!(pages, corrupted(2).await);
    let flipped = |page: &[u8]| page.iter().map(|b| b.count_ones()).sum::<u32>();
    let struck = pages.iter().filter(|page| flipped(page) == 1).count();
    let spared = pages.iter().filter(|page| flipped(page) == 0).count();
    assert!(struck > 10 && spared > 10 && struck + spared == 64);
}

#[tokio::test]
async fn a_corrupted_text_is_seen_by_the_service_as_a_text() {
    let layer = FaultLayer::seeded(Seed::new(1), "a->b", Fault::altered_request(ALWAYS));
    let echo = ServiceBuilder::new()
        .layer(layer.altering_requests(flip_bit_in_text))
        .service(service_fn(|text: String| async { Ok::<_, BoxError>(text) }));
    let told = echo.oneshot("grüß dich".to_owned()).await.unwrap();
    assert_ne!(told, "grüß dich");
    assert_eq!(told.len(), "grüß dich".len());
}

/// What each of eight callers is told by one liar, three times each.
async fn told<F>(seed: u64, hook: impl Fn(Equivocator) -> F) -> Vec<[u64; 3]>
where
    F: Fn(&mut u64, Draw) + Send + Sync + 'static,
{
    let chaos = Chaos::new(Seed::new(seed));
    let callers: Vec<String> = (0..8).map(|n| format!("c{n}->liar")).collect();
    let mut plan = Plan::new();
    let mut links = Vec::new();
    for site in &callers {
        plan = plan.with(site.as_str(), lying(1.0));
        let layer = chaos.site(site).layer();
        let layer = layer.altering_replies(hook(Equivocator::new(chaos.seed(), site)));
        links.push(layer.layer(service_fn(
            |asked: u64| async move { Ok::<_, BoxError>(asked) },
        )));
    }
    let _armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let mut all = Vec::new();
    for mut link in links {
        let mut each = [0; 3];
        for told in &mut each {
            *told = link.ready().await.unwrap().call(7).await.unwrap();
        }
        all.push(each);
    }
    all
}

#[tokio::test]
async fn an_equivocator_tells_each_caller_something_else_and_one_caller_the_same() {
    let lie = |reply: &mut u64, draw: Draw| *reply ^= draw.bits();
    let all = told(1, |liar| liar.telling(lie)).await;
    assert_eq!(all, told(1, |liar| liar.telling(lie)).await);
    assert!(
        all.iter()
            .all(|told| told[0] == told[1] && told[1] == told[2])
    );
    let other = told(2, |liar| liar.telling(lie)).await;
    let lies: BTreeSet<u64> = all.iter().chain(&other).map(|told| told[0]).collect();
    assert_eq!(lies.len(), 16, "eight callers under each of two seeds");
    // Without one, a lie is the call's.
    let fickle = told(1, |_| lie).await;
    assert!(fickle.iter().all(|told| told[0] != told[1]));
}

#[tokio::test]
async fn an_equivocator_picks_one_of_its_lies_for_each_caller() {
    let mut seen = BTreeSet::new();
    for seed in 0..20 {
        let all = told(seed, |liar| liar.one_of([0, 1])).await;
        assert!(all.iter().all(|told| told[0] < 2 && *told == [told[0]; 3]));
        seen.insert(all.iter().map(|told| told[0]).sum::<u64>());
    }
    assert!(seen.len() > 3, "split in several ways: {seen:?}");
    let truth = told(1, |liar| liar.one_of([])).await;
    assert_eq!(truth, [[7; 3]; 8]);
    let even = (0..1000).map(|n| Equivocator::new(Seed::new(1), &format!("c{n}->liar")));
    let even = even.filter(Equivocator::is_even).count();
    assert!((400..600).contains(&even), "{even}");
}

/// Replies `(key, version)`, a version a call.
fn versions() -> impl Service<u64, Response = (u64, u64), Error = BoxError, Future: Send> + Clone {
    let version = Arc::new(AtomicU64::new(0));
    service_fn(move |key: u64| {
        let reply = (key, version.fetch_add(1, SeqCst));
        async move { Ok(reply) }
    })
}

fn eight() -> NonZeroUsize {
    NonZeroUsize::new(8).unwrap()
}

/// Two hundred calls, one after another, of five keys; and how many of the replies were true.
async fn answers(seed: u64, keyed: bool) -> (Vec<(u64, u64)>, usize) {
    let site = FaultLayer::seeded(Seed::new(seed), "a->b", lying(0.5));
    let mut replies = Vec::new();
    let capacity = NonZeroUsize::new(20).unwrap();
    if keyed {
        let stale = Stale::new(capacity).keyed_by(|key: &u64| *key);
        let mut service = ServiceBuilder::new()
            .layer(stale.around(site.altering_replies(stale.answers())))
            .service(versions());
        for n in 0..200 {
            replies.push(service.ready().await.unwrap().call(n % 5).await.unwrap());
        }
        assert_eq!(stale.remembered(), 20);
    } else {
        let stale = Stale::new(capacity);
        let mut service = ServiceBuilder::new()
            .layer(stale.around(site.altering_replies(stale.answers())))
            .service(versions());
        for n in 0..200 {
            replies.push(service.ready().await.unwrap().call(n % 5).await.unwrap());
        }
    }
    let fresh = |(now, (_, version)): (u64, &(u64, u64))| now == *version;
    let fresh = (0..).zip(&replies).filter(|r| fresh(*r)).count();
    (replies, fresh)
}

#[tokio::test]
async fn a_stale_answer_was_true_and_none_is_invented() {
    for keyed in [true, false] {
        for seed in 0..10 {
            let (replies, fresh) = answers(seed, keyed).await;
            assert_eq!(
                answers(seed, keyed).await.0,
                replies,
                "same seed, same lies"
            );
            for (now, (key, version)) in (0..).zip(&replies) {
                // Version n was given out once, to the key n % 5.
                assert_eq!(*key, version % 5, "invented: {key} {version}");
                assert!(*version <= now && now - version < 20, "{now}: {version}");
                assert!(!keyed || *key == now % 5, "of another key");
            }
            assert!((60..140).contains(&fresh), "{fresh} of 200 are fresh");
        }
        assert_ne!(answers(1, keyed).await, answers(2, keyed).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_of_its_own_key_though_replies_are_under_way_at_once() {
    let chaos = Chaos::new(Seed::new(5));
    let site = chaos.site("a->b");
    let stale =
        Stale::new(NonZeroUsize::new(64).unwrap()).keyed_by(|order: &u64| Key::from(*order));
    let service = ServiceBuilder::new()
        .layer(stale.around(site.layer().altering_replies(stale.answers())))
        .service(versions());
    let slow = murphy_core::Distribution::uniform(ms(0), ms(50)).unwrap();
    let plan = Plan::new()
        .with("a->b", lying(1.0))
        .with("a->b", Fault::slow_reply(slow, ALWAYS))
        .with("a->b", Fault::latency(fixed(5), p(0.5)));
    let _armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let mut calls = JoinSet::new();
    for n in 0..1_000u64 {
        let call = service.clone().oneshot(n % 4);
        calls.spawn(async move { (n % 4, call.await.unwrap()) });
        tokio::time::sleep(ms(1)).await;
    }
    let replies = calls.join_all().await;
    assert!(replies.iter().all(|(key, reply)| *key == reply.0));
    assert_eq!(stale.remembered(), 64);
}

#[tokio::test]
async fn a_hook_without_its_layers_and_a_memory_of_one_leave_the_truth() {
    let (stale, one) = (Stale::new(eight()), Stale::new(NonZeroUsize::MIN));
    let layer = || FaultLayer::seeded(Seed::new(1), "a->b", lying(1.0));
    let mut bare = layer().altering_replies(stale.answers()).layer(versions());
    // Another's layers are not its own.
    let around = one.around(layer().altering_replies(stale.answers()));
    let mut foreign = around.layer(versions());
    let alone = one.around(layer().altering_replies(one.answers()));
    let mut alone = alone.layer(versions());
    for n in 0..5 {
        assert_eq!(bare.ready().await.unwrap().call(0).await.unwrap(), (0, n));
        assert_eq!(
            foreign.ready().await.unwrap().call(0).await.unwrap(),
            (0, n)
        );
        assert_eq!(alone.ready().await.unwrap().call(0).await.unwrap(), (0, n));
    }
    assert_eq!((stale.remembered(), one.remembered()), (0, 1));
}
