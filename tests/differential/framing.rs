//! Bytes on TCP connections: frames of all kinds, broken ones too, through inputs with random options.
//!
//! Left out is what both versions of the reference do worse: a message above `maxMessageSize` that is not to be
//! discarded (the byte at the boundary is lost), and `framing.delimiter.regex` (the last record is).

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use crate::harness::daemon::program;
use crate::harness::send;
use crate::random::Random;
use crate::round::{Reference, newer, reference};

/// How many inputs one start of the programs has.
const INPUTS: usize = 40;

/// `maxMessageSize`, bytes.
const MESSAGE: usize = 128;

/// An input of its own, and all bytes of the one connection to it.
#[derive(Clone)]
struct Input {
    options: String,
    bytes: Vec<u8>,
}

/// What an input's messages were, from the reference and from ours.
type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Runs a round and describes up to `limit` differences, each cut down.
pub(crate) fn run(random: &mut Random, limit: usize) -> Vec<String> {
    let inputs: Vec<Input> = (0..INPUTS).map(|_| input(random)).collect();
    let Some(pairs) = outputs(&inputs) else {
        return vec!["one of the programs fails with this round of framing".to_owned()];
    };
    let differing = inputs.into_iter().zip(pairs).filter(|(_, (theirs, ours))| theirs != ours);
    differing.take(limit).map(|(input, pair)| describe(input, pair)).collect()
}

fn input(random: &mut Random) -> Input {
    let discard = random.chance(40);
    let mut options = String::new();
    let mut give = |percent: usize, random: &mut Random, name: &str, values: &[&str]| {
        if random.chance(percent) {
            let _ = write!(options, " {name}=\"{}\"", random.pick(values));
        }
    };
    give(25, random, "addtlFrameDelimiter", &["0", "10", "35", "46", "59", "127", "1", "32", "60"]);
    give(20, random, "disableLFDelimiter", &["on"]);
    give(30, random, "maxFrameSize", &["1", "5", "50", "100", "128", "129", "300"]);
    // Debian's makes a delimiter in front of a frame its first byte then.
    give(if newer() { 20 } else { 0 }, random, "multiLine", &["on"]);
    give(20, random, "supportOctetCountedFraming", &["off"]);
    give(15, random, "framingFix.cisco.asa", &["on"]);
    if discard {
        options.push_str(" discardTruncatedMsg=\"on\"");
    }
    let mut bytes = Vec::new();
    for _ in 0..=random.below(8) {
        piece(&mut bytes, random, discard);
    }
    if !discard {
        // Whatever the options make of it, no message of it is too long.
        bytes.truncate(MESSAGE);
    }
    Input { options, bytes }
}

fn piece(bytes: &mut Vec<u8>, random: &mut Random, long: bool) {
    let lengths: &[usize] =
        if long { &[0, 1, 9, 40, 127, 128, 129, 300] } else { &[0, 1, 3, 9, 20] };
    let len = lengths[random.below(lengths.len())];
    let mut text = b"<13>t: ".to_vec();
    while text.len() < len {
        text.extend_from_slice(
            random.pick::<[u8]>(&[
                b"abc", b"x ", b"12", b".", b"\t", b"\0", b"#", b";", b"\xe4", b"<",
            ]),
        );
    }
    text.truncate(len);
    let count = match random.below(8) {
        0..=2 => String::new(),
        3 => format!("{} ", (len + random.below(6)).saturating_sub(3)),
        4 => format!("{len}{}", random.pick(&["X", "\n", "\0", ":", "  ", ""])),
        5 => format!("000{len} "),
        _ => format!("{len} "),
    };
    bytes.extend_from_slice(count.as_bytes());
    bytes.extend_from_slice(&text);
    bytes.extend_from_slice(random.pick::<[u8]>(&[
        b"", b"\n", b"\n", b"\n", b"\n\n", b"\r\n", b"\0\n", b" ", b"0 ", b"#", b";\n", b"\n<13>",
        b"\0",
    ]));
    if random.chance(4) {
        bytes.extend_from_slice(
            random.pick(&["99999999999 ", "200000001 ", "4294967296 "]).as_bytes(),
        );
    }
}

/// What both programs write; `None` if one of them fails.
fn outputs(inputs: &[Input]) -> Option<Vec<Pair>> {
    let ours = Reference::plain(program());
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| messages(&reference(), inputs));
        (messages(&ours, inputs), theirs.join().ok().flatten())
    });
    Some(ours?.into_iter().zip(theirs?).map(|(theirs, ours)| (ours, theirs)).collect())
}

/// The file that one program writes for each input.
fn messages(which: &Reference, inputs: &[Input]) -> Option<Vec<Option<Vec<u8>>>> {
    let mut config = format!(
        "global(net.enableDNS=\"off\" maxMessageSize=\"{MESSAGE}\")\n$MainMsgQueueTimeoutShutdown 60000\n\
         module(load=\"imtcp\")\ntemplate(name=\"t\" type=\"string\" string=\"%rawmsg%<END>\\n\")\n"
    );
    for (index, Input { options, .. }) in inputs.iter().enumerate() {
        let _ = writeln!(
            config,
            "ruleset(name=\"r{index}\") {{ action(type=\"omfile\" file=\"{{dir}}/out{index}\" template=\"t\") }}\n\
             input(type=\"imtcp\" port=\"0\" address=\"127.0.0.1\" listenPortFileName=\"{{dir}}/.port{index}\" \
             ruleset=\"r{index}\"{options})"
        );
    }
    let run = || {
        let mut daemon = which.start(&config, &[]);
        for (index, Input { bytes, .. }) in inputs.iter().enumerate() {
            send::tcp(daemon.port(&format!(".port{index}")), bytes);
        }
        daemon.stop_lossy()
    };
    let stopped = std::panic::catch_unwind(AssertUnwindSafe(run)).ok()?;
    let read = |index| std::fs::read(stopped.dir.path().join(format!("out{index}"))).ok();
    Some((0..inputs.len()).map(read).collect())
}

/// Leaves out bytes as long as the programs differ, and shows the end.
fn describe(mut input: Input, mut pair: Pair) -> String {
    loop {
        let len = input.bytes.len();
        let mut candidates: Vec<Input> = Vec::new();
        let mut size = len / 2;
        while size > 0 {
            for at in (0..len).step_by(size) {
                let mut bytes = input.bytes.clone();
                bytes.drain(at..(at + size).min(len));
                candidates.push(Input { bytes, ..input.clone() });
            }
            size /= 2;
        }
        candidates.sort_by_key(|candidate| candidate.bytes.len());
        candidates.truncate(3 * INPUTS);
        let pairs = outputs(&candidates).unwrap_or_default();
        let mut differing = candidates.into_iter().zip(pairs).filter(|(_, (a, b))| a != b);
        match differing.next() {
            Some((smaller, shown)) => (input, pair) = (smaller, shown),
            None => break,
        }
    }
    let show = |bytes: &Option<Vec<u8>>| {
        bytes.as_ref().map_or("(nothing)".to_owned(), |bytes| bytes.escape_ascii().to_string())
    };
    format!(
        "input(type=\"imtcp\"{})\n--- tcp raw\n{}\n    theirs: {}\n    ours:   {}",
        input.options,
        input.bytes.escape_ascii(),
        show(&pair.0),
        show(&pair.1)
    )
}
