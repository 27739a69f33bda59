//! How sluice is built and why: documentation only, no code. Read in this order.
//!
//! - [`architecture`]: the way of a message, the layers, what each folder may know.
//! - [`threads`]: every thread, what it owns, the locks and their order.
//! - [`batch_layout`]: where the bytes of a message lie at each stage.
//! - [`threat_model`]: what a peer, a configuration and a local user can do, and what bounds them.
//! - [`decisions`]: choices that were weighed, with the numbers.
//! - [`how_to_add_a_module`]: a checklist.

pub mod architecture;
pub mod batch_layout;
pub mod decisions;
pub mod how_to_add_a_module;
pub mod threads;
pub mod threat_model;
