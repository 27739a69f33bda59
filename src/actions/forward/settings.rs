//! What an omfwd action is told, typed and checked.

use std::time::Duration;

use super::stream::{Format, Stream};
use crate::actions::OutputEnv;
use crate::param::{Args, Problem};
use crate::sys::socket::IpProtocol;

/// The settings of one action.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) tcp: bool,
    /// Host and port of each target; at least one.
    pub(super) targets: Vec<(String, String)>,
    pub(super) family: IpProtocol,
    pub(super) framing: Framing,
    pub(super) compression: Compression,
    /// Frames that make more than this are sent with several writes.
    pub(super) write_bytes: Option<usize>,
    /// `maxMessageSize`, bytes: what is longer is cut.
    pub(super) message_bytes: usize,
    /// Own address (UDP).
    pub(super) address: Option<String>,
    pub(super) device: Option<Vec<u8>>,
    pub(super) namespace: Option<String>,
    pub(super) free_bind: FreeBind,
    /// Messages after which everything is made anew; 0: never.
    pub(super) rebind: u64,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) user_timeout: Option<Duration>,
    /// Only every n-th broken connection is reported; 0 and 1: each.
    pub(super) report_every: u64,
    pub(super) resend_last: bool,
    pub(super) check: bool,
    pub(super) send_to_all: bool,
    pub(super) send_delay: Duration,
    pub(super) send_buffer: usize,
    /// Seconds before a failed target is tried again while others work.
    pub(super) resume_seconds: i64,
}

/// How messages are told apart in a TCP stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Delimiter(u8),
    OctetCounted,
}

/// `compression.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// Each message that shrinks, at this level.
    Single(u32),
    /// All that goes through a connection.
    Stream(Stream),
}

/// `ipFreeBind`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FreeBind {
    No,
    Yes,
    Logged,
}

/// TCP keep-alive; `None` leaves the system's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeepAlive {
    pub(super) time: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) probes: Option<u32>,
}

impl Settings {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What the reference refuses, in its words.
    pub(super) fn new(args: &Args, module: &Args, env: &OutputEnv<'_>) -> Result<Self, Problem> {
        let tcp = protocol(args)?;
        let targets = targets(args, tcp, env.report)?;
        if tcp && args.given("udp.sendToAll") {
            let text =
                "omfwd: parameter udp.sendToAll cannot be used with tcp transport -- ignored";
            (env.report)(Problem::error(text).at("udp.sendToAll").code(1000));
        }
        let mut address = args.text("address");
        if tcp && address.take().is_some() {
            let text = "omfwd: parameter \"address\" not supported for tcp -- ignored";
            (env.report)(Problem::error(text).at("address").code(1000));
        }
        let count = |name| args.int(name).and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
        let seconds = |name| Some(count(name)).filter(|n| *n > 0).map(Duration::from_secs);
        Ok(Self {
            tcp,
            targets,
            family: env.ip_protocol,
            framing: framing(args)?,
            compression: compression(args, env.report)?,
            write_bytes: write_bytes(module, env.report),
            message_bytes: env.message_bytes,
            address,
            device: args.str("device").map(<[u8]>::to_vec),
            namespace: args.text("networkNamespace"),
            free_bind: match count("ipFreeBind") {
                0 => FreeBind::No,
                1 => FreeBind::Yes,
                _ => FreeBind::Logged,
            },
            rebind: count("rebindInterval"),
            keep_alive: args.bool("keepAlive").then(|| KeepAlive {
                time: seconds("keepAlive.time"),
                interval: seconds("keepAlive.interval"),
                probes: u32::try_from(count("keepAlive.probes")).ok().filter(|probes| *probes > 0),
            }),
            user_timeout: Some(count("tcp_user_timeout"))
                .filter(|msec| *msec > 0)
                .map(Duration::from_millis),
            report_every: count("conErrSkip"),
            resend_last: args.bool("resendLastMsgOnReconnect"),
            check: args.bool("extendedConnectionCheck"),
            send_to_all: match args.given("udp.sendToAll") {
                true => args.bool("udp.sendToAll"),
                false => env.send_to_all,
            },
            send_delay: Duration::from_micros(count("udp.sendDelay")),
            send_buffer: usize::try_from(args.size("udp.sendBuf").unwrap_or(0))
                .unwrap_or(usize::MAX),
            resume_seconds: args.int("pool.resumeInterval").unwrap_or(30),
        })
    }
}

impl Settings {
    /// With `stream:always`, which datagrams do not know.
    pub(super) fn stream(&self) -> Option<Stream> {
        match self.compression {
            Compression::Stream(stream) => Some(stream),
            Compression::None | Compression::Single(_) => None,
        }
    }
}

fn protocol(args: &Args) -> Result<bool, Problem> {
    let name = args.text("protocol").unwrap_or_default();
    match name.to_ascii_lowercase().as_str() {
        "udp" => Ok(false),
        "tcp" => Ok(true),
        _ => {
            let text = format!("omfwd: invalid protocol \"{name}\"");
            Err(Problem::error(text).at("protocol").code(2206).help("write udp or tcp"))
        }
    }
}

fn targets(
    args: &Args,
    tcp: bool,
    report: &dyn Fn(Problem),
) -> Result<Vec<(String, String)>, Problem> {
    let texts = |name| -> Vec<String> {
        let items = args.array(name).unwrap_or_default();
        items.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect()
    };
    let (mut hosts, mut ports) = (texts("target"), texts("port"));
    if hosts.is_empty() {
        let text = "omfwd: either target or targetSrv must be specified";
        return Err(Problem::error(text).code(1000).help("add target=\"HOST\""));
    }
    if !tcp && hosts.len() > 1 {
        report(Problem::warning(format!(
            "you have defined {} targets. Multiple targets are ONLY supported in TCP mode ignoring all but the \
             first target in UDP mode",
            hosts.len()
        )));
        hosts.truncate(1);
    }
    if ports.is_empty() {
        ports.push("514".to_owned());
    }
    let numbers = (ports.len(), hosts.len());
    if numbers.0 > numbers.1 {
        let text = format!(
            "defined {} ports, but only {} targets - ignoring extra ports",
            numbers.0, numbers.1
        );
        report(Problem::warning(text).at("port"));
    }
    if numbers.0 < numbers.1 {
        let text = format!(
            "defined {} ports, but {} targets - using port {} as default for the additional targets",
            numbers.0, numbers.1, ports[0]
        );
        report(Problem::warning(text));
    }
    let port = |index: usize| ports.get(index).unwrap_or(&ports[0]).clone();
    Ok(hosts.into_iter().enumerate().map(|(index, host)| (host, port(index))).collect())
}

fn framing(args: &Args) -> Result<Framing, Problem> {
    let delimiter = args.int("TCP_FrameDelimiter").unwrap_or(10);
    if delimiter > 255 {
        let text = format!("tcp_frameDelimiter must be below 255 but is {delimiter}");
        return Err(Problem::error(text).at("TCP_FrameDelimiter"));
    }
    // As in the reference, of a negative one the last byte counts.
    let [delimiter, ..] = delimiter.to_le_bytes();
    let name = args.text("TCP_Framing").unwrap_or_default();
    match name.to_ascii_lowercase().as_str() {
        "traditional" => Ok(Framing::Delimiter(delimiter)),
        "octet-counted" => Ok(Framing::OctetCounted),
        _ => {
            let text = format!("omfwd: invalid framing \"{name}\"");
            let help = "write traditional or octet-counted";
            Err(Problem::error(text).at("TCP_Framing").code(2325).help(help))
        }
    }
}

/// The level alone turns on compression of single messages, whatever the mode's `none` says, as in the reference.
fn compression(args: &Args, report: &dyn Fn(Problem)) -> Result<Compression, Problem> {
    let given = args.int("zipLevel").filter(|_| args.given("zipLevel"));
    let level = given.filter(|level| (0..=10).contains(level));
    if let (Some(bad), None) = (given, level) {
        let text = format!(
            "Invalid ziplevel {bad} specified in forwarding action - NOT turning on compression."
        );
        report(Problem::error(text).at("zipLevel"));
        return Ok(Compression::None);
    }
    let at = u32::try_from(level.unwrap_or(9).clamp(0, 9)).unwrap_or(9);
    let mode = args.text("compression.mode").map(|mode| mode.to_ascii_lowercase());
    let format = format(args)?;
    let chosen = match mode.as_deref() {
        None | Some("none") => level.map_or(Compression::None, |_| Compression::Single(at)),
        Some("single") => Compression::Single(at),
        Some("stream:always") => {
            let flush = args.bool("compression.stream.flushOnTXEnd");
            Compression::Stream(Stream { format, level: at, flush })
        }
        Some(mode) => {
            let text = format!(
                "omfwd: invalid value for 'compression.mode' parameter (given is '{mode}')"
            );
            return Err(Problem::error(text).at("compression.mode").code(1000));
        }
    };
    let refused = match chosen {
        Compression::Stream(stream) if format == Format::Zstd && stream.level == 0 => {
            "omfwd: compression.driver=\"zstd\" with compression.mode=\"stream:always\" requires non-zero zipLevel \
             because libzstd treats level 0 as its default compression level"
        }
        Compression::None | Compression::Single(_) if format == Format::Zstd => {
            "omfwd: compression.driver=\"zstd\" is supported only with compression.mode=\"stream:always\""
        }
        _ => return Ok(chosen),
    };
    Err(Problem::error(refused).at("compression.driver").code(1000))
}

fn format(args: &Args) -> Result<Format, Problem> {
    const DRIVER: &str = "compression.driver";
    let name = args.text(DRIVER).unwrap_or_default();
    match name.to_ascii_lowercase().as_str() {
        "zlib" => Ok(Format::Zlib),
        "zstd" => Ok(Format::Zstd),
        _ => {
            let text = format!(
                "omfwd: invalid value for 'compression.driver' parameter (given is '{name}')"
            );
            Err(Problem::error(text).at(DRIVER).code(1000).help("write zlib or zstd"))
        }
    }
}

/// `ioBuffer.maxSize`: the reference's buffer is a fixed one, of which so much is used.
fn write_bytes(module: &Args, report: &dyn Fn(Problem)) -> Option<usize> {
    /// As large as the reference's.
    const MOST: usize = 16 * 1024;
    const SIZE: &str = "ioBuffer.maxSize";
    let bytes = usize::try_from(module.int(SIZE)?).ok().filter(|bytes| *bytes > 0)?;
    if bytes <= MOST {
        return Some(bytes);
    }
    let text = format!(
        "omfwd: module parameter \"iobuffer.maxsize\" specified larger than actual buffer size ({MOST} bytes) - ignored"
    );
    report(Problem::warning(text).at(SIZE).code(1000));
    None
}
