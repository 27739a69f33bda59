//! What an omfwd action is told, typed and checked.

use std::time::Duration;

use crate::actions::OutputEnv;
use crate::param::{Args, Problem};
use crate::sys::socket::IpProtocol;

const PLAIN_UDP: &str = "omfwd action uses protocol=\"udp\" (without TLS); see \
                         https://docs.rsyslog.com/doc/faq/tls_mode0_disables_tls.html";
const PLAIN_TCP: &str = "omfwd action uses protocol=\"tcp\" with streamdriver.mode=\"0\" (plain TCP without TLS); see \
                         https://docs.rsyslog.com/doc/faq/tls_mode0_disables_tls.html";

/// The settings of one action.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) tcp: bool,
    /// Host and port of each target; at least one.
    pub(super) targets: Vec<(String, String)>,
    pub(super) family: IpProtocol,
    pub(super) framing: Framing,
    /// Compression of single messages.
    pub(super) zip_level: Option<u32>,
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
    pub(super) fn new(args: &Args, env: &OutputEnv<'_>) -> Result<Self, Problem> {
        let tcp = protocol(args)?;
        let targets = targets(args, tcp, env.report)?;
        if tcp && args.given("udp.sendToAll") {
            let text =
                "omfwd: parameter udp.sendToAll cannot be used with tcp transport -- ignored";
            (env.report)(Problem::error(text).at("udp.sendToAll").code(2009));
        }
        let mut address = args.text("address");
        if tcp && address.take().is_some() {
            let text = "omfwd: parameter \"address\" not supported for tcp -- ignored";
            (env.report)(Problem::error(text).at("address").code(2009));
        }
        let plain = if tcp { PLAIN_TCP } else { PLAIN_UDP };
        env.secure.warning(plain).into_iter().for_each(|problem| (env.report)(problem));
        let count = |name| args.int(name).and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
        let seconds = |name| Some(count(name)).filter(|n| *n > 0).map(Duration::from_secs);
        Ok(Self {
            tcp,
            targets,
            family: env.ip_protocol,
            framing: framing(args)?,
            zip_level: zip_level(args, env.report)?,
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
            send_to_all: args.bool("udp.sendToAll"),
            send_delay: Duration::from_micros(count("udp.sendDelay")),
            send_buffer: usize::try_from(args.size("udp.sendBuf").unwrap_or(0))
                .unwrap_or(usize::MAX),
            resume_seconds: args.int("pool.resumeInterval").unwrap_or(30),
        })
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
        return Err(Problem::error(text).code(2009).help("add target=\"HOST\""));
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
    let Ok(delimiter) = u8::try_from(delimiter) else {
        let text = format!("tcp_frameDelimiter must be below 255 but is {delimiter}");
        return Err(Problem::error(text).at("TCP_FrameDelimiter"));
    };
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

fn zip_level(args: &Args, report: &dyn Fn(Problem)) -> Result<Option<u32>, Problem> {
    let level = args.int("zipLevel").unwrap_or(9);
    let given = args.given("zipLevel");
    if given && !(0..=10).contains(&level) {
        let text = format!(
            "Invalid ziplevel {level} specified in forwarding action - NOT turning on compression."
        );
        report(Problem::error(text).at("zipLevel"));
        return Ok(None);
    }
    let single = match args.text("compression.mode").map(|mode| mode.to_ascii_lowercase()) {
        None => given,
        Some(mode) if mode == "single" => true,
        // As in the reference: the level alone turns it on, whatever the mode says.
        Some(mode) if mode == "none" => given,
        Some(mode) if mode == "stream:always" => {
            let what = "compression.mode=\"stream:always\"";
            return Err(Problem::missing(what).at("compression.mode"));
        }
        Some(mode) => {
            let text = format!(
                "omfwd: invalid value for 'compression.mode' parameter (given is '{mode}')"
            );
            return Err(Problem::error(text).at("compression.mode").code(2009));
        }
    };
    Ok(single.then(|| u32::try_from(level.clamp(0, 9)).unwrap_or(9)))
}
