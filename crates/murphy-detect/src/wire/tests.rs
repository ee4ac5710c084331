//! What was written is read, and nothing else is.

use proptest::prelude::*;

use super::*;

fn beats() -> impl Strategy<Value = Heartbeat> {
    let name = "[a-zA-Z0-9_.-]{1,36}";
    (name, any::<[u64; 4]>()).prop_map(|(name, [incarnation, seq, sent, interval])| Heartbeat {
        node: NodeId::try_new(&name).unwrap(),
        incarnation,
        seq,
        sent: Moment::from_nanos(sent),
        interval: Duration::from_nanos(interval),
    })
}

fn acks() -> impl Strategy<Value = HeartbeatAck> {
    let verdict = prop_oneof![
        Just(Verdict::Alive),
        Just(Verdict::Recovering),
        Just(Verdict::Duplicate),
        any::<u64>().prop_map(|known| Verdict::Renew { known }),
        Just(Verdict::Refused),
    ];
    (any::<[u64; 2]>(), verdict).prop_map(|([observer, echo], verdict)| HeartbeatAck {
        observer,
        echo: Moment::from_nanos(echo),
        verdict,
    })
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        beats().prop_map(Message::Beat),
        acks().prop_map(Message::Ack)
    ]
}

fn written(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    match message {
        Message::Beat(beat) => put_beat(beat, &mut bytes),
        Message::Ack(ack) => put_ack(ack, &mut bytes),
    }
    bytes
}

proptest! {
    #[test]
    fn what_was_written_is_read(message in messages()) {
        let bytes = written(&message);
        prop_assert!(bytes.len() <= LONGEST);
        prop_assert_eq!(read(&bytes), Ok(message));
    }

    #[test]
    fn every_message_that_was_cut_is_refused(message in messages()) {
        let bytes = written(&message);
        for length in 0..bytes.len() {
            prop_assert!(read(&bytes[..length]).is_err(), "{} bytes", length);
        }
    }

    #[test]
    fn every_single_flipped_bit_is_found(message in messages()) {
        let mut bytes = written(&message);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(read(&bytes).is_err(), "bit {}", bit);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn what_follows_a_message_is_not_overlooked(
        message in messages(),
        more in prop::collection::vec(any::<u8>(), 1..100),
    ) {
        let bytes = [written(&message), more].concat();
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn whatever_comes_is_refused_or_well_formed(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        body in prop::collection::vec(any::<u8>(), 0..80),
        kind in 0..4_u8,
    ) {
        prop_assert!(read(&bytes).is_err());
        // With a header and a checksum that are right it gets as far as one can.
        let mut bytes = [&HEADER[..3], &[kind], &body[..]].concat();
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        if let Ok(message) = read(&bytes) {
            // Bytes that mean nothing, such as what is known where no life is to be renewed, may differ.
            prop_assert_eq!(read(&written(&message)), Ok(message));
        }
    }
}

#[test]
fn the_format_is_frozen() {
    let beat = Heartbeat {
        node: NodeId::try_new("db-1").unwrap(),
        incarnation: 7,
        seq: 42,
        sent: Moment::from_nanos(1_000),
        interval: Duration::from_secs(1),
    };
    let hex: String = written(&Message::Beat(beat))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex,
        "4d6201010000000000000007000000000000002a00000000000003e8000000003b9aca000464622d319add8760"
    );
}

#[test]
fn a_message_that_is_refused_says_why() {
    let good = written(&Message::Beat(Heartbeat {
        node: NodeId::try_new("a").unwrap(),
        incarnation: 0,
        seq: 0,
        sent: Moment::ZERO,
        interval: Duration::ZERO,
    }));
    let altered = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        read(&bytes).unwrap_err()
    };
    let signed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        let body = bytes.len() - CHECKSUM;
        let sum = crc32fast::hash(&bytes[..body]).to_be_bytes();
        bytes[body..].copy_from_slice(&sum);
        read(&bytes).unwrap_err()
    };
    assert_eq!(altered(0, b'G'), BadMessage::Foreign);
    assert_eq!(altered(2, 2), BadMessage::Version(2));
    assert_eq!(altered(3, 9), BadMessage::Kind(9));
    assert_eq!(altered(12, 9), BadMessage::Checksum);
    assert!(matches!(signed(37, b' '), BadMessage::Name(_)));
    assert!(matches!(signed(37, 0xff), BadMessage::Name(_)));
    assert!(matches!(signed(36, 0), BadMessage::Length { .. }));
    let long = BadMessage::Length {
        length: 500,
        expected: LONGEST,
    };
    assert_eq!(read(&[b'M'; 500]), Err(long));
}
