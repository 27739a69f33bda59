//! imkmsg: the kernel's log, record by record, from /dev/kmsg, with what the kernel says of devices as variables.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use super::reader::{Counters, Format, Nothing, Outlet, Reader};
use super::{ACTIVATION_FAILED, not_opened, parameters, record};
use crate::inputs::{Control, Input, InputEnv, InputKind, Running};
use crate::param::{Args, Problem};
use crate::ratelimit::{Limits, Policy};
use crate::sys::process;

/// The module for the registry.
pub static KIND: InputKind = InputKind { module: &parameters::KMSG, build };

const NAME: &str = "imkmsg";
const PATH: &str = "/dev/kmsg";
/// Bytes that a record takes up at most, as in the reference; the kernel has 8 KiB for one, too.
const RECORD_BYTES: usize = 8192;
/// The reference's code of a parameter that makes no sense.
const PARAM_ERROR: u16 = 1000;

/// The module.
struct Kmsg {
    from: From,
    stamps: Stamps,
    /// Seconds after which the machine is taken to have been started before.
    boot_secs: u64,
    lent: Option<(InputEnv, Counters)>,
    opened: Option<File>,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// Where the kernel's buffer does.
    Beginning,
    /// There, while the machine is starting; else at the end.
    BeginningAtBoot,
    /// With what is new.
    End,
}

/// Whose time is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamps {
    /// The kernel's.
    Kernel,
    /// The kernel's for what was there before, that of reading for what comes.
    KernelAtStart,
    /// That of reading.
    Reading,
}

fn build(args: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut wrong = |param, text: String, help: &str| {
        problems.push(Problem::error(text).code(PARAM_ERROR).at(param).help(help));
    };
    let stamps = match args.text("parseKernelTimestamp").unwrap_or_default().as_str() {
        "on" | "always" => Stamps::Kernel,
        "startup" => Stamps::KernelAtStart,
        "off" => Stamps::Reading,
        other => {
            let text = format!("imkmsg: unknown parse mode '{other}'");
            wrong("parseKernelTimestamp", text, "startup, on, always or off");
            Stamps::KernelAtStart
        }
    };
    let from = match args.text("readMode").unwrap_or_default().as_str() {
        "full-boot" => From::BeginningAtBoot,
        "full-always" => From::Beginning,
        "new-only" => From::End,
        other => {
            let text = format!("imkmsg: unknown read mode '{other}', keeping default setting");
            wrong("readMode", text, "full-boot, full-always or new-only");
            From::BeginningAtBoot
        }
    };
    let boot_secs = args.int("expectedBootCompleteSeconds").unwrap_or_default().unsigned_abs();
    (Box::new(Kmsg { from, stamps, boot_secs, lent: None, opened: None }), problems)
}

impl Input for Kmsg {
    fn lend(&mut self, env: &InputEnv, _control: &Arc<dyn Control>) {
        let counters = Counters::new(NAME, "discarded.malformed", &env.stats);
        self.lent = Some((env.clone(), counters));
    }

    fn add(&mut self, _args: &Args, _env: &InputEnv) -> Vec<Problem> {
        Vec::new() // it has no input() statements
    }

    fn open(&mut self) -> Vec<Problem> {
        let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let path = Path::new(PATH);
        match std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => {
                self.opened = Some(file);
                Vec::new()
            }
            Err(why) => {
                not_opened(NAME, path, &why);
                let text = format!("activation of module {NAME} failed");
                vec![Problem::error(text).code(ACTIVATION_FAILED)]
            }
        }
    }

    fn start(self: Box<Self>) -> std::io::Result<Box<dyn Running>> {
        let Self { from, stamps, boot_secs, lent, opened } = *self;
        let (Some((env, counters)), Some(mut file)) = (lent, opened) else {
            return Ok(Box::new(Nothing));
        };
        let skips = match from {
            From::Beginning => false,
            From::BeginningAtBoot => process::uptime_secs() > boot_secs,
            From::End => true,
        };
        if skips && file.seek(SeekFrom::End(0)).is_err() {
            let text = "imkmsg: could not seek to requested klog entries - will now potentially output all messages";
            log::warn!(code = 0, kernel = true; "{text}");
        }
        let format = Records { buffer: vec![0; RECORD_BYTES], stamps, is_start: true };
        let policy = Arc::new(Policy::inline(Limits::default()));
        let outlet = Outlet::new(NAME, &env, policy, counters);
        Ok(Box::new(Reader { module: NAME, file, format, outlet }.start()?))
    }
}

/// Records; each read brings one.
struct Records {
    buffer: Vec<u8>,
    stamps: Stamps,
    /// What is read was there before us.
    is_start: bool,
}

impl Format for Records {
    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    fn take(&mut self, count: usize, now: i64, outlet: &mut Outlet) {
        let Some(record) = self.buffer.get(..count).and_then(record::parse) else {
            outlet.discard();
            return;
        };
        let time = match self.stamps {
            Stamps::Kernel => true,
            Stamps::KernelAtStart => self.is_start,
            Stamps::Reading => false,
        };
        let boot = now - i64::try_from(process::uptime_secs()).unwrap_or(0) * 1_000_000;
        let time = if time { boot.saturating_add(record.stamp) } else { now };
        outlet.push(record.text, record.pri, time, Some(record.variables));
    }

    fn pause(&mut self, _end: bool, _now: i64, _outlet: &mut Outlet) {
        self.is_start = false;
    }
}
