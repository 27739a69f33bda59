//! Frames that begin with their length (RFC 6587 section 3.4.1): digits, a blank, as many bytes.

use super::{Broken, Options, RawDecoder, RawSink, State};

impl RawDecoder {
    /// Reads the digits of an octet count, and the blank that ends it.
    pub(super) fn count(
        &mut self,
        options: &Options,
        input: &[u8],
        at: usize,
        value: u64,
        sink: &mut impl RawSink,
    ) -> Result<usize, Broken> {
        let mut value = value;
        let mut end = at;
        while let Some(digit) = input.get(end).filter(|byte| byte.is_ascii_digit()) {
            let next =
                value.checked_mul(10).and_then(|ten| ten.checked_add(u64::from(digit - b'0')));
            // The reference reads the count as a signed number.
            value =
                next.filter(|n| i64::try_from(*n).is_ok()).ok_or(Broken::Count { byte: *digit })?;
            end += 1;
        }
        match input.get(end) {
            None => {
                self.state = State::Count(value);
                return Ok(end);
            }
            Some(b' ') => {}
            Some(byte) => return Err(Broken::Count { byte: *byte }),
        }
        end += 1;
        let limit = options.message_bytes as u64;
        if value > limit {
            self.refuse(options)?;
        }
        self.state = match value {
            0 => State::Start,
            _ => State::Counted(
                usize::try_from(value.min(limit)).unwrap_or(options.message_bytes),
                value.saturating_sub(limit),
            ),
        };
        if value == 0 && !options.skip_empty {
            sink.frame(end..end, false);
        }
        Ok(end)
    }

    /// Takes the bytes of a counted frame.
    pub(super) fn counted(
        &mut self,
        input: &[u8],
        at: usize,
        (left, skip): (usize, u64),
        sink: &mut impl RawSink,
    ) -> usize {
        let rest = input.get(at..).unwrap_or_default();
        if rest.len() < left {
            self.partial.extend_from_slice(rest);
            self.state = State::Counted(left - rest.len(), skip);
            return input.len();
        }
        let end = at + left;
        if self.partial.is_empty() {
            sink.frame(at..end, skip > 0);
        } else {
            sink.joined(&self.partial, at..end, skip > 0);
            self.partial.clear();
        }
        self.state = after_counted(skip);
        end
    }

    /// Skips the rest of a counted frame that was cut.
    pub(super) fn skip_counted(&mut self, input: &[u8], at: usize, left: u64) -> usize {
        let there = input.len() - at;
        match usize::try_from(left) {
            Ok(left) if left <= there => {
                self.state = State::Start;
                at + left
            }
            _ => {
                self.state = State::SkipCounted(left - there as u64);
                input.len()
            }
        }
    }
}

/// What follows a counted frame of which so many bytes are left out.
pub(super) fn after_counted(skip: u64) -> State {
    if skip > 0 { State::SkipCounted(skip) } else { State::Start }
}
