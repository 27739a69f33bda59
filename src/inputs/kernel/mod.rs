//! imklog and imkmsg: the kernel's log (`spec/local-inputs.md` section 2).
//!
//! - `parameters`: what they can be told.
//! - `klog`, `kmsg`: the modules.
//! - `line`, `record`: the formats of what they read; `reader`: the thread that does so.

pub mod klog;
pub mod kmsg;
mod line;
mod parameters;
mod reader;
mod record;

use std::io;
use std::path::Path;

/// The reference's code of a log that cannot be opened.
const ACTIVATION_FAILED: u16 = 2145;

/// Says that a log cannot be opened, in the name of the kernel, as the reference does.
fn not_opened(module: &str, path: &Path, why: &io::Error) {
    let (path, why) = (path.display(), super::reason(why));
    let text = format!("{module}: cannot open kernel log ({path}): {why}.");
    log::error!(code = 0, kernel = true; "{text}");
}
