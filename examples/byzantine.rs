//! Replicas that lie: in the same words to everybody, in others to each, or not at all. Quorums that are large enough read the
//! truth or nothing, never a lie. Fails if one that should not is believed, or if one liar too many is not.
//! Time is virtual.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{bail, ensure};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use examples::in_virtual_time;
use murphy_core::{Probability, Seed};
use murphy_fault::byzantine::Equivocator;
use murphy_fault::{Chaos, Fault, Plan, TimeLimit};
use murphy_policy::BoxError;
use murphy_quorum::{Dissemination, Masking, Outcome, Quorum, Rule};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

/// What a replica keeps: how new, what, and what the writer put under it.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    version: u32,
    value: String,
    signature: Option<Signature>,
}

impl Record {
    fn bytes(version: u32, value: &str) -> Vec<u8> {
        format!("{version} {value}").into_bytes()
    }

    fn signed(version: u32, value: &str, key: &SigningKey) -> Self {
        let signature = Some(key.sign(&Self::bytes(version, value)));
        let value = value.to_owned();
        Self {
            version,
            value,
            signature,
        }
    }

    fn is_genuine(&self, key: &VerifyingKey) -> bool {
        let bytes = Self::bytes(self.version, &self.value);
        let signature = self.signature.as_ref();
        signature.is_some_and(|signature| key.verify(&bytes, signature).is_ok())
    }
}

/// How they lie.
#[derive(Clone, Copy, Debug)]
enum Lie {
    /// All the same, in the same words: the best that they can do together.
    Alike,
    /// To each client something else.
    ToEachAnother,
    /// They have not heard of the last write.
    Stale,
    /// Nothing at all.
    Silence,
}

const LIES: [Lie; 4] = [Lie::Alike, Lie::ToEachAnother, Lie::Stale, Lie::Silence];
const CLIENTS: usize = 20;

/// What clients read: how often, "" for an error.
type Reads = BTreeMap<String, usize>;

/// Twenty clients read from `members` replicas, of which the first `liars` lie, through our network's faults.
async fn read<U>(members: usize, liars: usize, lie: Lie, rule: &U) -> anyhow::Result<Reads>
where
    U: Rule<Versioned> + Clone + std::fmt::Debug,
{
    let chaos = Chaos::new(Seed::new(7));
    let mut plan = Plan::new();
    for client in 0..CLIENTS {
        for liar in 0..liars {
            let site = format!("client{client}->replica{liar}");
            let fault = match lie {
                Lie::Silence => Fault::lost_reply(Probability::ALWAYS),
                _ => Fault::altered_reply(Probability::ALWAYS),
            };
            plan = plan.with(site, fault);
        }
    }
    let key = SigningKey::from_bytes(&[7; 32]);
    let (old, new) = (
        Record::signed(1, "old", &key),
        Record::signed(2, "new", &key),
    );
    let mut reads = Reads::new();
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let replica = |at: usize| {
            let record = new.clone();
            let honest = service_fn(move |()| {
                let record = record.clone();
                async move { Ok::<_, BoxError>(record) }
            });
            let site = format!("client{client}->replica{at}");
            let forged = Record {
                version: 9,
                value: "forged".into(),
                signature: None,
            };
            let draw = Equivocator::new(Seed::new(7), &site).draw();
            let (old, number) = (old.clone(), draw.bits() % 1000);
            let layer = chaos
                .site(&site)
                .layer()
                .altering_replies(move |told: &mut Record, _| {
                    *told = match lie {
                        Lie::Alike => forged.clone(),
                        Lie::ToEachAnother => Record {
                            value: format!("forged {number}"),
                            ..forged.clone()
                        },
                        Lie::Stale => old.clone(),
                        Lie::Silence => told.clone(),
                    };
                });
            (at, BoxCloneSyncService::new(layer.layer(honest)))
        };
        let quorum = Quorum::try_new((0..members).map(replica), rule.clone())?;
        let judge = |told: Result<&Record, &BoxError>| match told {
            Ok(record) => Outcome::Yes(Versioned(record.clone())),
            Err(_) => Outcome::Unknown,
        };
        clients.push(quorum.judge(judge).patience(Duration::from_secs(1)));
    }
    let _armed = chaos.arm(&plan, TimeLimit::None)?;
    for client in clients {
        let read = client
            .oneshot(())
            .await
            .map(|answer| answer.into_value().value);
        *reads.entry(read.unwrap_or_default()).or_default() += 1;
    }
    Ok(reads)
}

/// What the rules look at.
#[derive(Clone, Debug, PartialEq)]
struct Versioned(Record);

fn show(name: &str, lie: Lie, reads: &Reads) {
    let of = |what: &str| reads.get(what).copied().unwrap_or(0);
    let lies: usize = reads
        .iter()
        .filter(|(read, _)| read.contains("forged"))
        .map(|(_, n)| n)
        .sum();
    let lie = format!("{lie:?}");
    let (new, old, nothing) = (of("new"), of("old"), of(""));
    println!("  {name:<38} {lie:<14} {new:>5} {old:>5} {lies:>5} {nothing:>7}");
}

fn main() -> anyhow::Result<()> {
    let public = SigningKey::from_bytes(&[7; 32]).verifying_key();
    let version = |told: &Versioned| told.0.version;
    let genuine = move |told: &Versioned| told.0.is_genuine(&public);

    if let Err(e) = Masking::try_new(7, 2, version) {
        println!("Seven replicas without signatures: {e}\n");
    } else {
        bail!("seven replicas cannot mask two liars");
    }
    let masking = Masking::try_new(9, 2, version)?;
    let disseminating = Dissemination::try_new(7, 2, genuine, version)?;
    println!(
        "  {CLIENTS} clients read                        the liars       new   old   lie nothing"
    );
    for (liars, stands) in [(2, true), (3, false)] {
        let mut lost = false;
        for lie in LIES {
            let reads = in_virtual_time(read(9, liars, lie, &masking))?;
            show(&format!("nine, masking two, {liars} lie"), lie, &reads);
            let is_true = reads.keys().all(|read| read == "new" || read.is_empty());
            ensure!(!stands || is_true, "a lie was believed: {reads:?}");
            lost |= !is_true || reads.contains_key("");
        }
        for lie in LIES {
            let reads = in_virtual_time(read(7, liars, lie, &disseminating))?;
            show(&format!("seven, signed, {liars} lie"), lie, &reads);
            let is_true = reads.keys().all(|read| read == "new" || read.is_empty());
            ensure!(!stands || is_true, "a lie was believed: {reads:?}");
            // A signature cannot be forged, however many try.
            ensure!(
                reads.keys().all(|read| !read.contains("forged")),
                "forged: {reads:?}"
            );
            lost |= !is_true || reads.contains_key("");
        }
        ensure!(
            lost != stands,
            "with {liars} liars the lesson did not appear"
        );
        println!();
    }
    println!(
        "With three liars of the two that were reckoned with: three who say the same are believed where nothing is"
    );
    println!("signed, and three who are silent leave no quorum. What is signed is never forged.");
    Ok(())
}
