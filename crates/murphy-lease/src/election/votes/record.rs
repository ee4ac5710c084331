//! A vote as bytes.
//!
//! ```text
//! 1 ┆ term, 8 bytes ┆ 0
//! 1 ┆ term, 8 bytes ┆ 1 ┆ nonce, 16 bytes ┆ name
//! ```

use murphy_quorum::Persisted;

use crate::election::protocol::Candidate;
use crate::{NodeId, Nonce};

const FORMAT: u8 = 1;

pub(crate) fn encoded(state: &Persisted<Candidate>) -> Vec<u8> {
    let mut record = vec![FORMAT];
    record.extend(state.term.to_be_bytes());
    match &state.voted_for {
        None => record.push(0),
        Some(Candidate { id, nonce }) => {
            record.push(1);
            record.extend(nonce.bits().to_be_bytes());
            record.extend(id.as_str().as_bytes());
        }
    }
    record
}

/// What was encoded; of anything else, what is wrong with it.
pub(crate) fn decoded(record: &[u8]) -> Result<Persisted<Candidate>, &'static str> {
    let (format, rest) = record.split_first().ok_or("it is empty")?;
    if *format != FORMAT {
        return Err("it is of a format that this version does not know");
    }
    let (term, rest) = rest.split_first_chunk().ok_or("it ends in the term")?;
    let term = u64::from_be_bytes(*term);
    let voted_for = match rest.split_first().ok_or("it ends after the term")? {
        (0, []) => None,
        (1, rest) => {
            let (nonce, name) = rest.split_first_chunk().ok_or("it ends in the nonce")?;
            let nonce = Nonce::from_bits(u128::from_be_bytes(*nonce));
            let name = std::str::from_utf8(name).map_err(|_| "the name is no text")?;
            let id = NodeId::try_new(name).map_err(|_| "the name is none")?;
            Some(Candidate { id, nonce })
        }
        _ => return Err("it has neither a vote nor none"),
    };
    Ok(Persisted { term, voted_for })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(term: u64, vote in prop::option::of(("[^\\p{Cc}]{1,60}", any::<u128>()))) {
            let voted_for = vote.map(|(name, nonce)| Candidate {
                id: NodeId::try_new(&name).unwrap(),
                nonce: Nonce::from_bits(nonce),
            });
            let state = Persisted { term, voted_for };
            prop_assert_eq!(decoded(&encoded(&state)), Ok(state));
        }

        #[test]
        fn no_record_panics_and_none_that_is_cut_is_read(record in prop::collection::vec(any::<u8>(), 0..60), term: u64) {
            let _ = decoded(&record);
            let whole = encoded(&Persisted { term, voted_for: None });
            for cut in 0..whole.len() {
                prop_assert!(decoded(&whole[..cut]).is_err());
            }
        }
    }
}
