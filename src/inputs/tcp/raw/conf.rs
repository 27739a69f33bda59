//! From the arguments of a statement to the configuration of the server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem::Finder;

use crate::framing::raw::{Mode, Options, Oversize};
use crate::inputs::tcp::conf::{Conf, Excess, Framing, backlog};
use crate::limits;
use crate::message::labels::{Format, LogZone, Syslog};
use crate::message::zoneinfo::Zoneinfo;
use crate::message::{FlowControl, Labels};
use crate::param::{Args, Problem};
use crate::ratelimit::Kit;

/// Checks a statement; what comes with the result are problems it survives.
///
/// # Errors
/// What is wrong with it; each costs the input.
pub(super) fn conf(args: &Args, limits_kit: &Kit) -> Result<(Conf, Vec<Problem>), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut note = |problem| problems.push(problem);
    let framing = framing(args).map_err(&mut note);
    let timeout = timeout(args).map_err(&mut note);
    let labels = labels(args, &mut note);
    let budget = budget(args).map_err(&mut note);
    let mut remarks = Vec::new();
    let rate = limits_kit.of_input("imrawtcp", args, &mut remarks).map_err(&mut note);
    let (Ok(framing), Ok(timeout), Ok(budget), Ok(rate), true) =
        (framing, timeout, budget, rate, problems.is_empty())
    else {
        return Err(problems);
    };
    let limit = |name| match args.count(name).unwrap_or(0) {
        0 => usize::MAX,
        n => n,
    };
    let max_sessions = limit("maxConnections");
    let conf = Conf {
        module: "imrawtcp",
        name: args.text("name").unwrap_or_default(),
        port: args.text("port").unwrap_or_default(),
        address: args.text("address").filter(|address| address != "*"),
        namespace: args.text("networkNamespace"),
        port_file: args.text("listenPortFileName").map(PathBuf::from),
        default_tz: None,
        preserve_case: true,
        backlog: backlog(
            args.count("socketBacklog").unwrap_or(0),
            // Those beyond maxConnections wait there as well.
            limits::BACKLOG_MAX,
        ),
        max_sessions,
        excess: Excess::Wait,
        timeout,
        budget,
        max_listeners: LISTENERS_MAX,
        workers: args.count("workerThreads").unwrap_or(1),
        max_reads: limit("starvationProtection.maxReads"),
        flow: FlowControl::Light,
        notify_open: false,
        notify_close: false,
        keep_alive: None,
        rate,
        compression: None,
        proxies: None,
        address_sessions: 0,
        allowed_senders: None,
        framing: Framing::Raw(Box::new(framing)),
        labels,
    };
    Ok((conf, remarks))
}

/// Addresses that one host name may stand for.
const LISTENERS_MAX: usize = 20;

fn framing(args: &Args) -> Result<Options, Problem> {
    let name = args.text("framing").unwrap_or_default();
    let mode = match name.to_ascii_lowercase().as_str() {
        "delimiter" => Mode::Delimiter,
        "rfc6587" => Mode::Rfc6587,
        _ => {
            let text = format!(
                "imrawtcp: invalid framing type \"{name}\", the supported types are [delimiter, rfc6587]"
            );
            return Err(Problem::error(text).at("framing"));
        }
    };
    let delimiter = unescape(args.str("lineDelimiter").unwrap_or_default());
    if delimiter.is_empty() {
        return Err(Problem::error("imrawtcp: lineDelimiter must not be empty")
            .at("lineDelimiter")
            .help("write what ends a message, e.g. \"\\n\""));
    }
    Ok(Options {
        mode,
        delimiter: Finder::new(&delimiter).into_owned(),
        message_bytes: bytes(args, "maxMessageSize"),
        oversize: match args.str("oversize") {
            Some(b"truncate") => Oversize::Truncate,
            _ => Oversize::Close,
        },
        strip_cr: args.bool("stripCr"),
        skip_empty: args.bool("skipEmpty"),
        own_bytes: limits::LARGE_BYTES,
    })
}

fn bytes(args: &Args, name: &str) -> usize {
    usize::try_from(args.size(name).unwrap_or(0)).unwrap_or(usize::MAX)
}

fn budget(args: &Args) -> Result<usize, Problem> {
    let (budget, message) = (bytes(args, "memoryBudget"), bytes(args, "maxMessageSize"));
    if budget < message {
        let text = format!(
            "imrawtcp: memoryBudget ({budget} bytes) is smaller than maxMessageSize ({message} bytes)"
        );
        return Err(Problem::error(text)
            .at("memoryBudget")
            .help("the longest message must fit; raise memoryBudget or lower maxMessageSize"));
    }
    Ok(budget)
}

/// A duration as Go writes it: `300s`, `1m30s`, `1.5h`, `250ms`; a bare number is seconds.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match rest.get(..letters)? {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "" if digits == text.len() => 1.0,
                _ => return None,
            };
        rest = rest.get(letters..)?;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(total).ok()).flatten()
}

fn timeout(args: &Args) -> Result<Option<Duration>, Problem> {
    let text = args.text("timeout").unwrap_or_default();
    match duration(&text) {
        Some(duration) => Ok((!duration.is_zero()).then_some(duration)),
        None => Err(Problem::error(format!("imrawtcp: timeout \"{text}\" is not a duration"))
            .at("timeout")
            .help("write e.g. 300s, 5m or 1m30s")),
    }
}

fn labels(args: &Args, note: &mut dyn FnMut(Problem)) -> Labels {
    let mut name = |param: &'static str| {
        let name = args.text(param).unwrap_or_default();
        if let Err(why) = check_name(&name) {
            let text = format!("imrawtcp: {param} \"{name}\" {why}");
            note(Problem::error(text).at(param).help("e.g. \"nginx.access\""));
        }
        name.into()
    };
    let (dataset, namespace) = (name("dataset"), name("namespace"));
    let zone = zone(args).unwrap_or_else(|problem| {
        note(problem);
        LogZone::Local
    });
    let syslog = Syslog {
        format: match args.str("syslog.format") {
            Some(b"rfc3164") => Format::Rfc3164,
            Some(b"rfc5424") => Format::Rfc5424,
            _ => Format::Auto,
        },
        zone,
        field: args.text("syslog.field").unwrap_or_default().into(),
        year_rollover: args.bool("syslog.yearRollover"),
        overwrite_keys: args.bool("syslog.overwriteKeys"),
        ignore_missing: args.bool("syslog.ignoreMissing"),
        ignore_failure: args.bool("syslog.ignoreFailure"),
        outcomes: Arc::default(),
    };
    Labels {
        input: "tcp",
        tags: args
            .array("tags")
            .unwrap_or_default()
            .iter()
            .map(|tag| tag.as_slice().into())
            .collect(),
        dataset,
        namespace,
        // As Beats does.
        pipeline: args.text("pipeline").map(|pipeline| pipeline.to_lowercase().into()),
        preserve_original: args.bool("preserveOriginalEvent"),
        keep_null: args.bool("keepNull"),
        syslog: args.bool("syslog").then_some(syslog),
    }
}

/// Whether a name may be a part of a data stream's.
fn check_name(name: &str) -> Result<(), &'static str> {
    let bad = |c: char| {
        matches!(c, '-' | '\\' | '/' | '*' | '?' | '"' | '<' | '>' | '|' | ' ' | ',' | '#' | ':')
    };
    match name {
        "" => Err("must not be empty"),
        _ if name.len() > 100 => Err("has more than 100 bytes"),
        _ if name.starts_with(['_', '+']) => Err("must not begin with _ or +"),
        _ if name.contains(bad) => Err("has a character that names of data streams must not have"),
        _ if name.contains(char::is_control) => Err("has a control character"),
        _ if name.chars().any(char::is_uppercase) => Err("must be lower case"),
        _ => Ok(()),
    }
}

fn zone(args: &Args) -> Result<LogZone, Problem> {
    let text = args.text("syslog.timezone").unwrap_or_default();
    let fail = |why: &str| {
        Problem::error(format!("imrawtcp: syslog.timezone \"{text}\": {why}"))
            .at("syslog.timezone")
            .help("write Local, UTC, a name such as Europe/Berlin, or an offset such as +0200")
    };
    match text.as_str() {
        "" | "Local" | "local" => return Ok(LogZone::Local),
        "UTC" | "Z" => return Ok(LogZone::Fixed(0)),
        _ => {}
    }
    if text.starts_with(['+', '-']) {
        return offset(text.as_bytes()).map(LogZone::Fixed).ok_or_else(|| fail("not an offset"));
    }
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(fail("not the name of a zone"));
    }
    let file = std::fs::read(format!("/usr/share/zoneinfo/{text}"))
        .map_err(|why| fail(&format!("no such zone on this machine ({why})")))?;
    Zoneinfo::parse(&file).map(LogZone::Named).map_err(fail)
}

/// `+hhmm`, `+hh:mm` or `+hh` as seconds.
fn offset(text: &[u8]) -> Option<i32> {
    let (sign, digits) = text.split_first()?;
    let digits: Vec<i32> = match digits {
        [h1, h2] => vec![*h1, *h2, b'0', b'0'],
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => vec![*h1, *h2, *m1, *m2],
        _ => return None,
    }
    .into_iter()
    .map(|digit| digit.is_ascii_digit().then(|| i32::from(digit - b'0')))
    .collect::<Option<_>>()?;
    let [h1, h2, m1, m2] = digits[..] else { return None };
    let (hours, minutes) = (h1 * 10 + h2, m1 * 10 + m2);
    let seconds = (hours * 60 + minutes) * 60;
    (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
}

/// Decodes the escapes of a delimiter.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let hex = |digit: &u8| char::from(*digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
        let (byte, used) = match (first, after) {
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'0', ..]) => (0, 2),
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'x', high, low, ..]) => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => (b'\\', 1),
            },
            _ => (*first, 1),
        };
        out.push(byte);
        rest = rest.get(used..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::parameters::MODULE;
    use super::*;
    use crate::param::Value;

    fn with(name: &str, value: &[u8]) -> Args {
        let mut args = Args::defaults(&[MODULE.params]);
        args.set(name, Value::Str(value.to_vec()));
        args
    }

    #[test]
    fn defaults_are_the_integrations() {
        let (conf, _) = conf(&Args::defaults(&[MODULE.params]), &Kit::default()).unwrap();
        assert_eq!((conf.address.as_deref(), conf.port.as_str()), (Some("localhost"), "8080"));
        assert_eq!(conf.timeout, Some(Duration::from_secs(300)));
        assert_eq!((conf.max_sessions, conf.excess), (usize::MAX, Excess::Wait));
        let Framing::Raw(options) = &conf.framing else { panic!("{:?}", conf.framing) };
        assert_eq!((options.mode, options.oversize), (Mode::Delimiter, Oversize::Close));
        assert_eq!((options.delimiter.needle(), options.message_bytes), (&b"\n"[..], 20 << 20));
        assert_eq!(conf.labels.data_stream(), "logs-tcp.generic-default");
        assert!(conf.labels.syslog.is_none() && !conf.labels.preserve_original);
    }

    /// Rows 7 and 38 of the specification, and others.
    #[test]
    fn what_is_refused_is_named() {
        let long = "x".repeat(101);
        for (name, value, text) in [
            ("lineDelimiter", "", "lineDelimiter must not be empty"),
            (
                "framing",
                "x",
                "invalid framing type \"x\", the supported types are [delimiter, rfc6587]",
            ),
            ("dataset", "my-data", "dataset \"my-data\" has a character"),
            ("dataset", "UPPER", "dataset \"UPPER\" must be lower case"),
            ("dataset", long.as_str(), "has more than 100 bytes"),
            ("dataset", "a b", "has a character"),
            ("dataset", "_a", "must not begin with"),
            ("dataset", "a\nb", "has a control character"),
            ("namespace", "", "must not be empty"),
            ("timeout", "5 minutes", "is not a duration"),
            ("syslog.timezone", "Nowhere/Land", "no such zone"),
            ("syslog.timezone", "../../etc/passwd", "not the name of a zone"),
            ("syslog.timezone", "+25", "not an offset"),
        ] {
            let problems = conf(&with(name, value.as_bytes()), &Kit::default()).unwrap_err();
            assert_eq!(problems.len(), 1, "{name}");
            assert!(problems[0].text.contains(text), "{:?}", problems[0]);
            assert_eq!(problems[0].param, Some(name));
        }
        let mut args = Args::defaults(&[MODULE.params]);
        args.set("memoryBudget", Value::Size(1000));
        assert!(
            conf(&args, &Kit::default()).unwrap_err()[0]
                .text
                .contains("smaller than maxMessageSize")
        );
    }

    #[test]
    fn durations_as_go_writes_them() {
        for (text, msec) in [
            ("300s", 300_000),
            ("5m", 300_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("250ms", 250),
            ("7", 7000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(msec)), "{text}");
        }
        for text in ["", "s", "5x", "5m3", "-1s", "1e400s", "."] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn zones_and_escapes() {
        for (text, seconds) in [(&b"+0200"[..], 7200), (b"-07:00", -25200), (b"+05", 18000)] {
            assert_eq!(offset(text), Some(seconds));
        }
        let mut args = with("syslog.timezone", b"Europe/Berlin");
        assert!(conf(&args, &Kit::default()).unwrap().0.labels.syslog.is_none(), "it is off");
        args.set("syslog", Value::Bool(true));
        let syslog = conf(&args, &Kit::default()).unwrap().0.labels.syslog.unwrap();
        let LogZone::Named(zone) = syslog.zone else { panic!("{:?}", syslog.zone) };
        // Noon of 1 January and of 1 July 2026.
        assert_eq!([1_767_268_800, 1_782_907_200].map(|at| zone.offset_at(at)), [3600, 7200]);
        assert_eq!(unescape(br"a\r\n\x41\0\\n\q"), b"a\r\nA\0\\n\\q");
    }
}
