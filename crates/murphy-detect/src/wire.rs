//! Beats and acknowledgements as bytes: one format for datagrams and for HTTP.
//!
//! ```text
//! beat  'M' 'b' version kind=1 │ incarnation u64 │ seq u64 │ sent u64 │ interval u64 │ length u8 │ name │ crc32
//! ack   'M' 'b' version kind=2 │ observer u64    │ echo u64 │ verdict u8 │ known u64 │ crc32
//! ```
//!
//! Numbers are big-endian, times are nanoseconds, the checksum (that of IEEE 802.3) is over everything before it.
//! The version is 1; another one is refused. A message is at most [`LONGEST`] bytes, and its length is looked at before anything else.
//!
//! What is not exactly such a message is [`BadMessage`], so a single flipped bit always is. Nothing here proves who
//! sent it: whoever can reach the observer can speak for any node. Where that matters, listen on a network of your
//! own or behind TLS.

#[cfg(feature = "udp")]
mod codec;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "udp")]
pub mod udp;

use std::time::Duration;

use bytes::{Buf, BufMut};
use murphy_core::order::{BadNode, NodeId};

#[cfg(feature = "udp")]
pub use self::codec::{WireCodec, WireError};
use crate::{Heartbeat, HeartbeatAck, Moment, Verdict};

/// The longest message, in bytes.
pub const LONGEST: usize = HEADER.len() + 4 * 8 + 1 + NodeId::LONGEST + CHECKSUM;

const HEADER: [u8; 4] = *b"Mb\x01\x00";
const CHECKSUM: usize = 4;
const BEAT: u8 = 1;
const ACK: u8 = 2;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Of a node.
    Beat(Heartbeat),
    /// Of an observer.
    Ack(HeartbeatAck),
}

/// Bytes that are no message. Tells why, and nothing of what was in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// Longer or shorter than what it should be.
    #[error("a message of {length} bytes, where {expected} are right; was it cut?")]
    Length {
        /// How long it is.
        length: usize,
        /// How long such a message is, as far as it could be told.
        expected: usize,
    },
    /// The connection ended within it.
    #[error("a message that broke off; was the connection cut?")]
    Broken,
    /// Something else altogether.
    #[error("no message of a failure detector; who else sends here?")]
    Foreign,
    /// Of a version that is not known.
    #[error("version {0} of the format, where 1 is known; update the observers before the nodes")]
    Version(u8),
    /// Of a kind that is not known.
    #[error("a message of kind {0}; 1 is a beat, 2 an acknowledgement")]
    Kind(u8),
    /// Altered on its way.
    #[error("the checksum does not match; was it altered on its way?")]
    Checksum,
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] BadNode),
    /// A verdict that is none.
    #[error("verdict {0} of an acknowledgement, where 0 to 4 are known")]
    Verdict(u8),
}

/// Appends the bytes of a beat.
///
/// An interval of more than 584 years is that long.
pub fn put_beat(beat: &Heartbeat, to: &mut impl BufMut) {
    let mut message = Crc::new(to, BEAT);
    message.u64(beat.incarnation);
    message.u64(beat.seq);
    message.u64(beat.sent.as_nanos());
    message.u64(Moment::after(beat.interval).as_nanos());
    let name = beat.node.as_str().as_bytes();
    message.bytes(&[name.len() as u8]);
    message.bytes(name);
    message.end();
}

/// Appends the bytes of an acknowledgement.
pub fn put_ack(ack: &HeartbeatAck, to: &mut impl BufMut) {
    let (verdict, known) = match ack.verdict {
        Verdict::Alive => (0, 0),
        Verdict::Recovering => (1, 0),
        Verdict::Duplicate => (2, 0),
        Verdict::Renew { known } => (3, known),
        Verdict::Refused => (4, 0),
    };
    let mut message = Crc::new(to, ACK);
    message.u64(ack.observer);
    message.u64(ack.echo.as_nanos());
    message.bytes(&[verdict]);
    message.u64(known);
    message.end();
}

/// Reads a whole message, and nothing behind it.
///
/// # Errors
///
/// [`BadMessage`] says what is wrong with it.
pub fn read(message: &[u8]) -> Result<Message, BadMessage> {
    let length = message.len();
    let expects = |expected| BadMessage::Length { length, expected };
    if length > LONGEST {
        return Err(expects(LONGEST));
    }
    let Some((header, rest)) = message.split_at_checked(HEADER.len()) else {
        return Err(expects(HEADER.len()));
    };
    if header[..2] != HEADER[..2] {
        return Err(BadMessage::Foreign);
    }
    if header[2] != HEADER[2] {
        return Err(BadMessage::Version(header[2]));
    }
    let body = match header[3] {
        BEAT if rest.len() < 33 => return Err(expects(HEADER.len() + 33 + CHECKSUM)),
        BEAT => 33 + usize::from(rest[32]),
        ACK => 25,
        kind => return Err(BadMessage::Kind(kind)),
    };
    if rest.len() != body + CHECKSUM {
        return Err(expects(HEADER.len() + body + CHECKSUM));
    }
    let (signed, mut checksum) = message.split_at(HEADER.len() + body);
    if crc32fast::hash(signed) != checksum.get_u32() {
        return Err(BadMessage::Checksum);
    }
    match header[3] {
        BEAT => read_beat(&rest[..body]).map(Message::Beat),
        _ => read_ack(&rest[..body]).map(Message::Ack),
    }
}

/// Of as many bytes as it says that its name has, and 33.
fn read_beat(mut body: &[u8]) -> Result<Heartbeat, BadMessage> {
    let (incarnation, seq) = (body.get_u64(), body.get_u64());
    let (sent, interval) = (body.get_u64(), body.get_u64());
    body.advance(1);
    // What is not ASCII is not in a name either; so what it looked like does not matter.
    let name = std::str::from_utf8(body).unwrap_or("\u{fffd}");
    Ok(Heartbeat {
        node: NodeId::try_new(name)?,
        incarnation,
        seq,
        sent: Moment::from_nanos(sent),
        interval: Duration::from_nanos(interval),
    })
}

/// Of 25 bytes.
fn read_ack(mut body: &[u8]) -> Result<HeartbeatAck, BadMessage> {
    let (observer, echo) = (body.get_u64(), body.get_u64());
    let (verdict, known) = (body.get_u8(), body.get_u64());
    let verdict = match verdict {
        0 => Verdict::Alive,
        1 => Verdict::Recovering,
        2 => Verdict::Duplicate,
        3 => Verdict::Renew { known },
        4 => Verdict::Refused,
        other => return Err(BadMessage::Verdict(other)),
    };
    Ok(HeartbeatAck {
        observer,
        echo: Moment::from_nanos(echo),
        verdict,
    })
}

/// Writes, and sums up what it wrote.
struct Crc<'a, B> {
    to: &'a mut B,
    sum: crc32fast::Hasher,
}

impl<'a, B: BufMut> Crc<'a, B> {
    fn new(to: &'a mut B, kind: u8) -> Self {
        let sum = crc32fast::Hasher::new();
        let mut message = Self { to, sum };
        message.bytes(&HEADER[..3]);
        message.bytes(&[kind]);
        message
    }

    fn u64(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.to.put_slice(bytes);
    }

    fn end(self) {
        self.to.put_u32(self.sum.finalize());
    }
}

#[cfg(test)]
mod tests;
