//! Where a body stops, read and written.

use super::{Kind, RawFault};
use crate::effect::{After, BodyFault, Effect};
use crate::plan::BadPlan;
use crate::plan::raw::wrong;

impl RawFault {
    pub(super) fn body(&mut self, path: &str, what: BodyFault) -> Result<Effect, BadPlan> {
        let leg = self.leg(path)?;
        let all = [
            self.bytes.take().map(After::Bytes),
            self.frames.take().map(After::Frames),
            self.messages.take().map(After::Messages),
        ];
        let mut given = all.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(after), None) => Ok(Effect::Body { leg, what, after }),
            (first, second) => {
                let found = match (first, second) {
                    (Some(a), Some(b)) => format!("{a} and {b}"),
                    _ => "missing".into(),
                };
                let remedy = "exactly one of bytes, frames, messages says how much passes first";
                Err(wrong(format!("{path}.bytes"), found, remedy))
            }
        }
    }

    pub(super) fn write_body(&mut self, what: BodyFault, after: After) -> Kind {
        match after {
            After::Bytes(n) => self.bytes = Some(n),
            After::Frames(n) => self.frames = Some(n),
            After::Messages(n) => self.messages = Some(n),
        }
        match what {
            BodyFault::Stall => Kind::Stall,
            BodyFault::Truncate => Kind::Truncate,
            BodyFault::Reset => Kind::Reset,
        }
    }
}
