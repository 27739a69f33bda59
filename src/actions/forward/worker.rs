//! What a thread of the action does whatever carries the messages: it renders, frames and gathers them.

use std::sync::Arc;

use super::{Forward, frame};
use crate::actions::lines::Lines;
use crate::actions::{Failure, Lost, OutputWorker};
use crate::message::Msg;
use crate::ratelimit::output::Admission;
use crate::sys::clock;

/// Carries frames to the targets.
pub(super) trait Transport: Send {
    /// Whether there is a target to send to: makes the connections that are wanting.
    ///
    /// # Errors
    /// `Suspend`: there is none.
    fn open(&mut self, forward: &Forward) -> Result<(), Failure>;

    /// Sends the frames; those that are not sent stay.
    ///
    /// # Errors
    /// `Suspend`: not all could be sent.
    fn send(&mut self, forward: &Forward, frames: &mut Lines) -> Result<(), Failure>;

    /// The end.
    fn close(&mut self, _forward: &Forward) {}
}

/// One thread's end of the action.
pub(super) struct Worker<T: Transport> {
    pub(super) forward: Arc<Forward>,
    pub(super) transport: T,
    pub(super) frames: Lines,
    scratch: Vec<u8>,
}

impl<T: Transport> Worker<T> {
    pub(super) fn new(forward: Arc<Forward>, transport: T) -> Self {
        Self { forward, transport, frames: Lines::default(), scratch: Vec::new() }
    }
}

impl<T: Transport> OutputWorker for Worker<T> {
    fn push(&mut self, msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        let Self { forward, frames, scratch, .. } = self;
        if let Some(limiter) = &forward.limiter
            && limiter.admit(clock::now_secs) != Admission::Allowed
        {
            return Ok(());
        }
        frames.push(false, |out| {
            frame::append(&forward.settings, scratch, out, |text| {
                forward.template.render(msg, text);
            });
        });
        Ok(())
    }

    fn commit(&mut self, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        self.transport.send(&self.forward, &mut self.frames)
    }

    fn pending(&self) -> usize {
        self.frames.len()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        self.frames.drain(|frame| lost(why, frame));
    }

    fn resume(&mut self) -> Result<(), Failure> {
        self.transport.open(&self.forward)
    }
}

impl<T: Transport> Drop for Worker<T> {
    fn drop(&mut self) {
        self.transport.close(&self.forward);
    }
}
