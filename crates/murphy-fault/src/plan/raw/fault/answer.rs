//! What a refused caller is told, read and written.

use super::RawFault;
use crate::Fault;
use crate::effect::Effect;
use crate::fault::{Answer, BadStatus, HttpStatus, With};
use crate::plan::BadPlan;
use crate::plan::raw::wrong;

impl RawFault {
    /// Reads what belongs to a refusal, where the fault may come to one. What is left is a stray.
    pub(super) fn answer(&mut self, path: &str, fault: &mut Fault) -> Result<(), BadPlan> {
        let refuses = match fault.effect {
            Effect::Refuse(_) => true,
            Effect::Lose(_) => fault.give_up.is_some(),
            _ => false,
        };
        if !refuses {
            return Ok(());
        }
        let answer = &mut fault.answer;
        answer.with = match (self.status.take(), self.code.take()) {
            (None, None) => None,
            (Some(status), None) => {
                let bad = |_: BadStatus| wrong(format!("{path}.status"), status, BadStatus::REMEDY);
                Some(With::Status(HttpStatus::try_new(status).map_err(bad)?))
            }
            (None, Some(code)) => Some(With::Code(code)),
            (Some(status), Some(_)) => {
                let remedy = "a refusal has a `status` of HTTP or a `code` of gRPC, not both";
                return Err(wrong(format!("{path}.status"), status, remedy));
            }
        };
        for (name, value) in std::mem::take(&mut self.headers) {
            let added = answer.header(&name, &value);
            added.map_err(|e| wrong(format!("{path}.headers"), e.name, e.remedy))?;
        }
        answer.retry_after = self.take_span(path, "retry_after", |s| &mut s.retry_after)?;
        Ok(())
    }

    pub(super) fn write_answer(&mut self, answer: &Answer) {
        match answer.with {
            Some(With::Status(status)) => self.status = Some(status.get()),
            Some(With::Code(code)) => self.code = Some(code),
            None => {}
        }
        self.retry_after = answer.retry_after.map(Into::into);
        let pairs = answer.headers.iter();
        self.headers = pairs.map(|(n, v)| (n.to_string(), v.to_string())).collect();
    }
}
