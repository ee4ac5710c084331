//! One bit of one byte of a body, chosen by a draw.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use murphy_core::Draw;

use super::client::ReplyBody;

/// Flips a bit of the request's body.
pub(crate) fn request(request: &mut Request<Full<Bytes>>, draw: Draw) {
    // A full body is one frame, and is there at once.
    let body = std::mem::take(request.body_mut());
    let whole = futures_util::FutureExt::now_or_never(body.collect());
    let whole = whole.and_then(Result::ok).map(|body| body.to_bytes());
    *request.body_mut() = Full::new(flipped(&whole.unwrap_or_default(), draw));
}

/// Flips a bit of the first frame of the reply's body.
pub(crate) fn reply(reply: &mut Response<ReplyBody>, draw: Draw) {
    let body = std::mem::take(reply.body_mut());
    let mut is_first = true;
    let body = body.map_frame(move |frame| {
        frame.map_data(|data: Bytes| {
            if std::mem::take(&mut is_first) {
                flipped(&data, draw)
            } else {
                data
            }
        })
    });
    *reply.body_mut() = body.boxed_unsync();
}

fn flipped(bytes: &[u8], draw: Draw) -> Bytes {
    let mut bytes = bytes.to_vec();
    let bits = bytes.len() as u128 * 8;
    let bit = ((u128::from(draw.bits()) * bits) >> 64) as usize;
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_differs_wherever_it_is() {
        for (name, draw, want) in [
            ("the first", 0, [b'a' ^ 1, b'b']),
            ("the last", u64::MAX, [b'a', b'b' ^ 128]),
            ("in the middle", 1 << 63, [b'a', b'b' ^ 1]),
        ] {
            assert_eq!(flipped(b"ab", Draw::from_bits(draw)), want[..], "{name}");
        }
        assert!(flipped(b"", Draw::from_bits(7)).is_empty());
    }
}
