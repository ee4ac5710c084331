//! Messages for `tokio_util::udp::UdpFramed`.
use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use super::{BadMessage, LONGEST, Message, put_ack, put_beat, read};
use crate::{Heartbeat, HeartbeatAck};

/// One message a datagram.
///
/// A datagram that is none is an error of the stream, which goes on with the next one.
#[derive(Clone, Copy, Debug, Default)]
pub struct WireCodec;

/// Why a datagram did not become a message, or a message a datagram.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The datagram.
    #[error(transparent)]
    Bad(#[from] BadMessage),
}

impl Decoder for WireCodec {
    type Item = Message;
    type Error = WireError;

    fn decode(&mut self, datagram: &mut BytesMut) -> Result<Option<Message>, WireError> {
        if datagram.is_empty() {
            return Ok(None);
        }
        let message = read(datagram);
        // All of it, whatever it was: else the rest would be read as the next one.
        datagram.clear();
        Ok(Some(message?))
    }
}

impl Encoder<Heartbeat> for WireCodec {
    type Error = WireError;

    fn encode(&mut self, beat: Heartbeat, datagram: &mut BytesMut) -> Result<(), WireError> {
        datagram.reserve(LONGEST);
        put_beat(&beat, datagram);
        Ok(())
    }
}

impl Encoder<HeartbeatAck> for WireCodec {
    type Error = WireError;

    fn encode(&mut self, ack: HeartbeatAck, datagram: &mut BytesMut) -> Result<(), WireError> {
        datagram.reserve(LONGEST);
        put_ack(&ack, datagram);
        Ok(())
    }
}
