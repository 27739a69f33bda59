//! What a pair of `module()` and `input()` statements comes to (`spec/imtcp.md` section 1).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::compressed;
use crate::framing;
use crate::inputs::zone_offset;
use crate::limits;
use crate::message::{FlowControl, Labels};
use crate::net::access;
use crate::param::{Args, Problem};
use crate::ratelimit::{Kit, Policy};

/// Idle connections are probed like this; 0 leaves a value to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeepAlive {
    pub(super) probes: u32,
    pub(super) time_secs: u64,
    pub(super) interval_secs: u64,
}

/// What a listener does about connections beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// Closes them.
    Close,
    /// Lets them wait in the kernel until another one ends.
    Wait,
}

/// How a listener cuts streams into messages.
#[derive(Clone, Debug)]
pub(super) enum Framing {
    /// By counts and delimiters.
    Standard(framing::Options),
    /// By lines that match an expression; the number is `maxMessageSize`.
    Records(framing::Boundary, usize),
    /// As imrawtcp does.
    Raw(Box<framing::raw::Options>),
}

/// A checked `input()` statement.
#[derive(Clone, Debug)]
pub(super) struct Conf {
    /// The module: `imtcp` or `imrawtcp`.
    pub(super) module: &'static str,
    pub(super) name: String,
    pub(super) port: String,
    pub(super) address: Option<String>,
    /// Name of a network namespace.
    pub(super) namespace: Option<String>,
    pub(super) port_file: Option<PathBuf>,
    /// Seconds east of UTC.
    pub(super) default_tz: Option<i32>,
    pub(super) preserve_case: bool,
    pub(super) backlog: i32,
    pub(super) max_sessions: usize,
    pub(super) excess: Excess,
    /// How long a peer may be silent; `None` for ever.
    pub(super) timeout: Option<Duration>,
    /// Bytes that large messages may take together.
    pub(super) budget: usize,
    pub(super) max_listeners: usize,
    pub(super) workers: usize,
    /// Receives per turn; `usize::MAX` is no limit.
    pub(super) max_reads: usize,
    pub(super) flow: FlowControl,
    pub(super) notify_open: bool,
    pub(super) notify_close: bool,
    pub(super) keep_alive: Option<KeepAlive>,
    /// The rate limit.
    pub(super) rate: Arc<Policy>,
    /// How streams are compressed; `None`: they are not.
    pub(super) compression: Option<compressed::Conf>,
    /// Entries of `trustedProxies`, whose connections begin with a PROXY protocol header.
    pub(super) proxies: Option<Vec<Vec<u8>>>,
    /// Sessions of one address; 0 is no limit.
    pub(super) address_sessions: usize,
    /// Entries of `allowedSender`; `None` admits everybody.
    pub(super) allowed_senders: Option<Vec<Vec<u8>>>,
    pub(super) framing: Framing,
    pub(super) labels: Labels,
}

/// An `input()` statement and the `module()` statement behind it.
pub(super) struct Statement<'a> {
    pub(super) module: &'a Args,
    pub(super) input: &'a Args,
}

impl Statement<'_> {
    /// Where a parameter's value is: given here, else given at `module()`, else the default, which a legacy
    /// directive may have set.
    pub(super) fn of(&self, name: &str) -> &Args {
        let inherited = !self.input.given(name) && self.module.given(name);
        if inherited { self.module } else { self.input }
    }

    pub(super) fn bool(&self, name: &str) -> bool {
        self.of(name).bool(name)
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.of(name).count(name).unwrap_or(0)
    }

    fn octet_counting(&self) -> bool {
        let (own, modules) = ("supportOctetCountedFraming", "octetCountedFraming");
        if !self.input.given(own) && self.module.given(modules) {
            return self.module.bool(modules);
        }
        self.input.bool(own)
    }

    fn keep_alive(&self) -> Option<KeepAlive> {
        self.bool("keepAlive").then(|| KeepAlive {
            probes: u32::try_from(self.count("keepAlive.probes")).unwrap_or(u32::MAX),
            time_secs: self.count("keepAlive.time") as u64,
            interval_secs: self.count("keepAlive.interval") as u64,
        })
    }

    fn framing(&self, message_bytes: usize) -> Result<Framing, Problem> {
        // What a frame's first line matches takes precedence over all other options.
        let options = self.options(message_bytes)?;
        Ok(match self.boundary()? {
            Some(boundary) => Framing::Records(boundary, message_bytes),
            None => Framing::Standard(options),
        })
    }

    fn options(&self, message_bytes: usize) -> Result<framing::Options, Problem> {
        let size = self.of("maxFrameSize").int("maxFrameSize").unwrap_or(0);
        let max_frame_size = u32::try_from(size).ok().filter(|n| (1..=200_000_000).contains(n));
        let max_frame_size = max_frame_size.ok_or_else(|| {
            Problem::error(format!(
                "imtcp: invalid value for 'maxFrameSize' parameter given is {size}, \
                 valid range is 1..200000000"
            ))
            .at("maxFrameSize")
        })?;
        let delimiter = self.of("addtlFrameDelimiter").int("addtlFrameDelimiter");
        Ok(framing::Options {
            message_bytes,
            max_frame_size,
            octet_counting: self.octet_counting(),
            lf: !self.bool("disableLFDelimiter"),
            delimiter: delimiter.and_then(|byte| u8::try_from(byte).ok()),
            cisco_fix: self.input.bool("framingFix.cisco.asa"),
            multi_line: self.input.bool("multiLine"),
            discard_truncated: self.bool("discardTruncatedMsg"),
        })
    }

    fn proxies(&self) -> Result<Option<Vec<Vec<u8>>>, Problem> {
        const NAME: &str = "trustedProxies";
        let error = |text: &str| Err(Problem::error(text).at(NAME));
        let list = self.of(NAME).array(NAME).unwrap_or_default();
        if !self.bool("proxyProtocol") {
            return Ok(None);
        }
        if list.is_empty() {
            return error(
                "imtcp: proxyProtocol needs trustedProxies: whoever may connect could say to be anybody",
            );
        }
        let is_address = |entry: &Vec<u8>| {
            let host = entry.split(|&byte| byte == b'/').next().unwrap_or_default();
            let host = String::from_utf8_lossy(host);
            host.trim().trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
        };
        if !list.iter().all(is_address) || !access::malformed(list).is_empty() {
            return error(
                "imtcp: trustedProxies takes addresses and networks such as 192.0.2.0/24 only",
            );
        }
        Ok(Some(list.to_vec()))
    }

    fn compression(&self) -> Option<compressed::Conf> {
        let choice = |name| self.of(name).choice(name);
        let driver = match choice("compression.driver") {
            Some("zstd") => compressed::Driver::Zstd,
            _ => compressed::Driver::Zlib,
        };
        (choice("compression.mode") == Some("stream:always")).then(|| compressed::Conf {
            driver,
            ratio: self.count("compression.maxExpansionRatio") as u64,
            per_receive: self.count("compression.maxDecompressedBytesPerReceive") as u64,
            windows: self.count("compression.maxTotalZstdWindowBytes") as u64,
        })
    }

    fn boundary(&self) -> Result<Option<framing::Boundary>, Problem> {
        const NAME: &str = "framing.delimiter.regex";
        self.input.str(NAME).map(framing::Boundary::new).transpose().map_err(|why| {
            Problem::error(format!("imtcp: error in framing.delimiter.regex expansion: {why}"))
                .at(NAME)
                .at_start()
        })
    }
}

impl Conf {
    /// Whether it is imrawtcp's, where a message without its end is no message.
    pub(super) fn is_raw(&self) -> bool {
        matches!(self.framing, Framing::Raw(_))
    }

    /// Checks the statement; what comes with it are problems it survives.
    ///
    /// # Errors
    /// A problem that costs the whole input.
    pub(super) fn new(
        module: &Args,
        input: &Args,
        (message_bytes, limits): (usize, &Kit),
    ) -> Result<(Self, Vec<Problem>), Problem> {
        let statement = Statement { module, input };
        let mut problems = Vec::new();
        let port_file = input.text("listenPortFileName").map(PathBuf::from);
        let max_sessions = statement.count("maxSessions");
        let conf = Self {
            module: "imtcp",
            name: input.text("name").unwrap_or_default(),
            port: Self::port(input, port_file.is_some(), &mut problems)?,
            address: input.text("address").filter(|address| address != "*"),
            namespace: statement
                .of("networkNamespace")
                .text("networkNamespace")
                .filter(|name| !name.is_empty()),
            port_file,
            default_tz: Self::default_tz(input, &mut problems),
            preserve_case: statement.bool("preserveCase"),
            backlog: backlog(input.count("socketBacklog").unwrap_or(0), max_sessions),
            max_sessions,
            excess: Excess::Close,
            timeout: match statement.count("idleTimeout") {
                0 => None,
                seconds => Some(Duration::from_secs(seconds as u64)),
            },
            proxies: statement.proxies()?,
            address_sessions: statement.count("maxSessionsPerAddress"),
            budget: 0,
            max_listeners: statement.count("maxListeners"),
            workers: statement.count("workerThreads"),
            max_reads: match statement.count("starvationProtection.maxReads") {
                0 => usize::MAX,
                n => n,
            },
            flow: match statement.bool("flowControl") {
                true => FlowControl::Light,
                false => FlowControl::None,
            },
            notify_open: statement.bool("notifyOnConnectionOpen"),
            notify_close: statement.bool("notifyOnConnectionClose"),
            keep_alive: statement.keep_alive(),
            compression: statement.compression(),
            rate: limits.of_input("imtcp", input, &mut problems)?,
            allowed_senders: allowed_senders(statement.of(ALLOWED_SENDER))?,
            framing: statement.framing(message_bytes)?,
            labels: Labels::syslog("tcp"),
        };
        if conf.proxies.is_none() && input.given("trustedProxies") {
            let text = "imtcp: trustedProxies does nothing without proxyProtocol=\"on\"";
            problems.push(Problem::warning(text).at("trustedProxies"));
        }
        Ok((conf, problems))
    }

    /// The port to bind; the reference falls back to 514 where nobody could learn the kernel's choice.
    fn port(input: &Args, has_file: bool, problems: &mut Vec<Problem>) -> Result<String, Problem> {
        let port = input.text("port").unwrap_or_default();
        let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
        if !digits.is_empty() && digits.parse::<u16>().is_err() {
            let text = format!("Invalid TCP listen port {port} - ignored.");
            return Err(Problem::error(text).at("port"));
        }
        match port.as_str() {
            "" => Ok("10514".to_owned()),
            "0" if !has_file => {
                let text = "imtcp: port 0 and no port file set -> using port 514 instead";
                problems.push(Problem::warning(text).at("port"));
                Ok("514".to_owned())
            }
            _ => Ok(port),
        }
    }

    fn default_tz(input: &Args, problems: &mut Vec<Problem>) -> Option<i32> {
        let text = input.str("defaultTZ")?;
        let offset = zone_offset(text);
        if offset.is_none() {
            let text = String::from_utf8_lossy(text);
            problems.push(
                Problem::warning(format!("imtcp: defaultTZ '{text}' is not a time zone offset"))
                    .at("defaultTZ")
                    .help("write an offset such as -05:00"),
            );
        }
        offset
    }
}

const WINDOWS: &str = "compression.maxTotalZstdWindowBytes";

impl Conf {
    /// What is wrong with zstd where the safe defaults are wanted: its memory has no bound that somebody has thought of.
    pub(super) fn unbounded_windows(&self, statement: &Statement<'_>) -> Option<Problem> {
        let windows = statement.of(WINDOWS);
        let bounded = windows.given(WINDOWS) && windows.count(WINDOWS) != Some(0);
        let conf = self.compression.as_ref()?;
        if conf.driver != compressed::Driver::Zstd || bounded {
            return None;
        }
        let text = "imtcp input: compatibility.defaults.secure=\"strict\" requires an explicit positive \
                    compression.maxTotalZstdWindowBytes value for zstd stream decompression";
        Some(Problem::error(text).code(1000).at(WINDOWS).help("for example \"67108864\""))
    }
}

const ALLOWED_SENDER: &str = "allowedSender";

/// The entries of a list that must not be empty if it is there.
///
/// # Errors
/// It is empty.
pub(super) fn allowed_senders(args: &Args) -> Result<Option<Vec<Vec<u8>>>, Problem> {
    match args.array(ALLOWED_SENDER) {
        Some([]) => {
            let text = "imtcp: allowedSender array must not be empty";
            Err(Problem::error(text).at(ALLOWED_SENDER))
        }
        list => Ok(list.map(<[_]>::to_vec)),
    }
}

/// The kernel's queue of connections. Every session that may be open may also wait there, up to the kernel's
/// own limit. The reference takes `max_sessions / 10 + 5` by default. Measured with 1,000 clients that connect
/// at once, send 10 messages each and close: with that backlog (105) the kernel dropped 1,300 handshakes it
/// had told the clients were complete, and 8,100 of the 10,000 messages arrived; with this one, all.
pub(super) fn backlog(configured: usize, max_sessions: usize) -> i32 {
    let wanted = match configured {
        0 => max_sessions.min(limits::BACKLOG_MAX).max(max_sessions / 10 + 5),
        _ => configured,
    };
    i32::try_from(wanted).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::parameters::MODULE;
    use super::*;
    use crate::param::Value;

    fn standard(conf: &Conf) -> &framing::Options {
        match &conf.framing {
            Framing::Standard(options) => options,
            other => panic!("{other:?}"),
        }
    }

    fn module() -> Args {
        Args::defaults(&[MODULE.module_params])
    }

    fn input(port: &str) -> Args {
        let mut args = Args::defaults(&[MODULE.params]);
        args.set("port", Value::Str(port.into()));
        args
    }

    fn conf(module: &Args, input: &Args) -> Conf {
        let (conf, problems) = Conf::new(module, input, (8096, &Kit::default())).unwrap();
        assert_eq!(problems, []);
        conf
    }

    #[test]
    fn defaults_are_the_references() {
        let conf = conf(&module(), &input("10514"));
        assert_eq!(conf.name, "imtcp");
        assert_eq!((conf.max_sessions, conf.max_listeners, conf.workers), (200, 20, 2));
        assert_eq!((conf.max_reads, conf.flow), (500, FlowControl::Light));
        assert_eq!((conf.notify_open, conf.notify_close, conf.preserve_case), (false, false, true));
        assert_eq!((conf.address.as_deref(), conf.keep_alive, conf.default_tz), (None, None, None));
        assert_eq!(*standard(&conf), framing::Options::default());
    }

    #[test]
    fn a_value_of_the_input_wins_over_the_modules_and_that_over_a_legacy_directive() {
        let mut module = module();
        module.set("maxSessions", Value::Int(7));
        module.set("octetCountedFraming", Value::Bool(false));
        module.set("addtlFrameDelimiter", Value::Int(200));
        module.set("flowControl", Value::Bool(false));
        let mut input = input("10514");
        input.set_default("maxSessions", Some(Value::Int(5)));
        let inherited = conf(&module, &input);
        assert_eq!(inherited.max_sessions, 7);
        assert_eq!(standard(&inherited).delimiter, Some(200));
        assert_eq!(inherited.flow, FlowControl::None);
        assert!(!standard(&inherited).octet_counting);

        input.set("maxSessions", Value::Int(9));
        input.set("supportOctetCountedFraming", Value::Bool(true));
        input.set("addtlFrameDelimiter", Value::Int(-1));
        let own = conf(&module, &input);
        assert_eq!((own.max_sessions, standard(&own).delimiter), (9, None));
        assert!(standard(&own).octet_counting);

        let mut legacy = Args::defaults(&[MODULE.params]);
        legacy.set("port", Value::Str(Vec::new()));
        legacy.set_default("maxSessions", Some(Value::Int(5)));
        let legacy = conf(&Args::defaults(&[MODULE.module_params]), &legacy);
        assert_eq!((legacy.max_sessions, legacy.port.as_str()), (5, "10514"));
    }

    #[test]
    fn ports() {
        let rows = [
            ("10514", Some("10514"), None),
            ("syslog-tls", Some("syslog-tls"), None),
            (
                "0",
                Some("514"),
                Some("imtcp: port 0 and no port file set -> using port 514 instead"),
            ),
            ("65536", None, Some("Invalid TCP listen port 65536 - ignored.")),
            ("99999999999", None, Some("Invalid TCP listen port 99999999999 - ignored.")),
        ];
        for (port, bound, text) in rows {
            let (conf, problem) = match Conf::new(&module(), &input(port), (8096, &Kit::default()))
            {
                Ok((conf, mut problems)) => (Some(conf.port), problems.pop()),
                Err(problem) => (None, Some(problem)),
            };
            assert_eq!(conf.as_deref(), bound, "{port}");
            assert_eq!(problem.as_ref().map(|p| p.text.as_str()), text, "{port}");
        }
        let mut input = input("0");
        input.set("listenPortFileName", Value::Str(b"/run/port".to_vec()));
        assert_eq!(conf(&module(), &input).port, "0");
    }

    #[test]
    fn values_out_of_range_are_named() {
        for size in [0, -1, 200_000_001] {
            let mut input = input("1");
            input.set("maxFrameSize", Value::Int(size));
            let problem = Conf::new(&module(), &input, (8096, &Kit::default())).unwrap_err();
            let text = format!(
                "imtcp: invalid value for 'maxFrameSize' parameter given is {size}, valid range is 1..200000000"
            );
            assert_eq!(problem.text, text);
        }
        let mut regex = input("1");
        regex.set("framing.delimiter.regex", Value::Str(b"^<[".to_vec()));
        let problem = Conf::new(&module(), &regex, (8096, &Kit::default())).unwrap_err();
        assert!(problem.text.starts_with("imtcp: error in framing.delimiter.regex expansion: "));

        let mut input = input("1");
        input.set("defaultTZ", Value::Str(b"Europe/Berlin".to_vec()));
        let (conf, problems) = Conf::new(&module(), &input, (8096, &Kit::default())).unwrap();
        assert_eq!((conf.default_tz, problems.len()), (None, 1));
    }

    #[test]
    fn the_inputs_list_of_senders_replaces_the_modules_and_that_the_legacy_one() {
        let list = |entry: &str| Value::Array(vec![entry.into()]);
        let senders = |module: &Args, input: &Args| conf(module, input).allowed_senders;
        let (mut module, mut input) = (module(), input("1"));
        assert_eq!(senders(&module, &input), None);
        input.set_default(ALLOWED_SENDER, Some(list("legacy")));
        assert_eq!(senders(&module, &input), Some(vec![b"legacy".to_vec()]));
        module.set(ALLOWED_SENDER, list("module"));
        assert_eq!(senders(&module, &input), Some(vec![b"module".to_vec()]));
        input.set(ALLOWED_SENDER, list("input"));
        assert_eq!(senders(&module, &input), Some(vec![b"input".to_vec()]));
        input.set(ALLOWED_SENDER, Value::Array(Vec::new()));
        let problem = Conf::new(&module, &input, (8096, &Kit::default())).unwrap_err();
        assert_eq!(problem.text, "imtcp: allowedSender array must not be empty");
    }

    #[test]
    fn the_backlog_has_room_for_every_session_unless_configured() {
        for (configured, sessions, expected) in [
            (0, 200, 200),
            (0, 2, 5),
            (0, 1000, 1000),
            (0, 10_000, 4096),
            (0, 100_000, 10_005),
            (7, 1000, 7),
        ] {
            assert_eq!(backlog(configured, sessions), expected, "{configured} {sessions}");
        }
    }
}
