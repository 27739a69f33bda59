//! mmanon: makes the IP addresses in MSG anonymous.
//!
//! - `find`: finds and reads addresses.
//! - `replace`: what they become.

mod find;
mod replace;

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject};
use crate::actions::Failure;
use crate::message::Part;
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use replace::{Family, Method, Replacer};

static MODULE: Module = Module {
    name: "mmanon",
    class: Class::Modifier,
    builtin: false,
    summary: "Makes IP addresses in messages anonymous.",
    module_params: &[],
    params: PARAMS,
    legacy_create: None,
    counters: &[],
    examples: &[
        r#"module(load="mmanon")
action(type="mmanon" ipv4.bits="8" ipv6.enable="off")
action(type="omfile" file="/var/log/all")"#,
        r#"module(load="mmanon")
action(type="mmanon" ipv4.mode="random-consistent" ipv6.anonMode="random-consistent")
action(type="omfile" file="/var/log/all")"#,
    ],
};

const IPV4_MODE: &str = "zero; random; simple, which replaces digits by a character; random-consistent, where the same \
                         address always becomes the same; or random-consistent-unique, where no two become the same.";
const IPV6_MODE: &str =
    "zero, random, random-consistent or random-consistent-unique: as ipv4.mode.";
const LIMIT: &str =
    "Whether random-consistent-unique gives up after some attempts to find an unused address.";
const COUNT: &str = "After how many further attempts.";
const HANDLING: &str = "What becomes of the address then: zero, or accept-duplicates.";

const PARAMS: &[Param] = &[
    Param::new("ipv4.enable", Kind::Bool, Some("on"), "Whether IPv4 addresses are changed."),
    Param::new("ipv4.mode", Kind::Word, Some("zero"), IPV4_MODE).aliases(&["mode"]),
    Param::new(
        "ipv4.bits",
        Kind::POSITIVE,
        Some("16"),
        "Bits that are changed, from the end, up to 32.",
    ),
    Param::new("ipv4.replaceChar", Kind::Char, Some("x"), "The character that simple mode writes.")
        .aliases(&["replacementChar"]),
    Param::new("ipv4.limitUniqueMaxRetries", Kind::Bool, Some("off"), LIMIT),
    Param::new("ipv4.uniqueRetryCount", Kind::POSITIVE, Some("1000"), COUNT),
    Param::new("ipv4.maxRetryHandling", Kind::Word, Some("accept-duplicates"), HANDLING),
    Param::new("ipv6.enable", Kind::Bool, Some("on"), "Whether IPv6 addresses are changed."),
    Param::new("ipv6.anonMode", Kind::Word, Some("zero"), IPV6_MODE),
    Param::new(
        "ipv6.bits",
        Kind::POSITIVE,
        Some("96"),
        "Bits that are changed, from the end, up to 128.",
    ),
    Param::new("ipv6.limitUniqueMaxRetries", Kind::Bool, Some("off"), LIMIT),
    Param::new("ipv6.uniqueRetryCount", Kind::POSITIVE, Some("1000"), COUNT),
    Param::new("ipv6.maxRetryHandling", Kind::Word, Some("accept-duplicates"), HANDLING),
    Param::new(
        "embeddedIpv4.enable",
        Kind::Bool,
        Some("on"),
        "Whether IPv6 addresses that end in an IPv4 address are changed as such.",
    ),
    Param::new("embeddedIpv4.anonMode", Kind::Word, Some("zero"), IPV6_MODE),
    Param::new(
        "embeddedIpv4.bits",
        Kind::POSITIVE,
        Some("96"),
        "Bits that are changed, from the end, up to 128.",
    ),
    Param::new("embeddedIpv4.limitUniqueMaxRetries", Kind::Bool, Some("off"), LIMIT),
    Param::new("embeddedIpv4.uniqueRetryCount", Kind::POSITIVE, Some("1000"), COUNT),
    Param::new("embeddedIpv4.maxRetryHandling", Kind::Word, Some("accept-duplicates"), HANDLING),
];

/// The mmanon module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

fn build(args: &Args, env: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let simple = matches!(args.str("ipv4.mode"), Some(b"simple" | b"rewrite"));
    let mut bits = bits(args, env, "ipv4.bits", 32);
    if simple && !bits.is_multiple_of(8) {
        bits = bits.next_multiple_of(8);
        let text =
            format!("mmanon: invalid number of ipv4 bits in simple mode, corrected to {bits}");
        (env.report)(Problem::error(text).at("ipv4.bits").code(2312));
    }
    let mask = args.str("ipv4.replaceChar").and_then(|text| text.first()).copied();
    let settings = Settings {
        mask: mask.filter(|_| simple),
        octets: bits / 8,
        ipv4: replacer(args, env, &IPV4, bits),
        ipv6: replacer(args, env, &IPV6, self::bits(args, env, "ipv6.bits", 128)),
        embedded: replacer(args, env, &EMBEDDED, self::bits(args, env, "embeddedIpv4.bits", 128)),
    };
    Ok(super::every_thread(Anonymiser { settings, text: Vec::new() }))
}

fn bits(args: &Args, env: &ModifierEnv<'_>, param: &'static str, most: u32) -> u32 {
    let given = args.int(param).unwrap_or_default();
    u32::try_from(given).ok().filter(|bits| *bits <= most).unwrap_or_else(|| {
        let text = format!("warning: invalid number of {param} ({given}), corrected to {most}");
        (env.report)(Problem::warning(text).at(param));
        most
    })
}

/// The names of the parameters of one kind of addresses.
struct Names {
    family: Family,
    enable: &'static str,
    mode: &'static str,
    limit: &'static str,
    count: &'static str,
    handling: &'static str,
}

const IPV4: Names = Names {
    family: Family::V4,
    enable: "ipv4.enable",
    mode: "ipv4.mode",
    limit: "ipv4.limitUniqueMaxRetries",
    count: "ipv4.uniqueRetryCount",
    handling: "ipv4.maxRetryHandling",
};
const IPV6: Names = Names {
    family: Family::V6,
    enable: "ipv6.enable",
    mode: "ipv6.anonMode",
    limit: "ipv6.limitUniqueMaxRetries",
    count: "ipv6.uniqueRetryCount",
    handling: "ipv6.maxRetryHandling",
};
const EMBEDDED: Names = Names {
    family: Family::Embedded,
    enable: "embeddedIpv4.enable",
    mode: "embeddedIpv4.anonMode",
    limit: "embeddedIpv4.limitUniqueMaxRetries",
    count: "embeddedIpv4.uniqueRetryCount",
    handling: "embeddedIpv4.maxRetryHandling",
};

fn replacer(args: &Args, env: &ModifierEnv<'_>, names: &Names, bits: u32) -> Option<Replacer> {
    let unknown = |param: &'static str, used| {
        let text =
            format!("mmanon: configuration error, unknown option for {param}, will use \"{used}\"");
        (env.report)(Problem::error(text).at(param).code(2207));
    };
    let method = match args.str(names.mode).unwrap_or_default() {
        b"zero" => Method::Zero,
        b"random" => Method::Random,
        b"random-consistent" => Method::Consistent,
        b"random-consistent-unique" => Method::Unique,
        b"simple" | b"rewrite" if names.family == Family::V4 => Method::Zero,
        _ => {
            unknown(names.mode, "zero");
            Method::Zero
        }
    };
    let zero_in_the_end = match args.str(names.handling).unwrap_or_default() {
        b"zero" => true,
        b"accept-duplicates" => false,
        _ => {
            unknown(names.handling, "accept-duplicates");
            false
        }
    };
    let tries = args.count(names.count).filter(|_| args.bool(names.limit));
    let replacer = Replacer::new(names.family, method, bits, tries, zero_in_the_end);
    args.bool(names.enable).then_some(replacer)
}

#[derive(Clone)]
struct Settings {
    /// What replaces digits in simple mode.
    mask: Option<u8>,
    /// How many numbers of an IPv4 address simple mode replaces.
    octets: u32,
    ipv4: Option<Replacer>,
    ipv6: Option<Replacer>,
    embedded: Option<Replacer>,
}

#[derive(Clone)]
struct Anonymiser {
    settings: Settings,
    /// The new text.
    text: Vec<u8>,
}

impl Modifier for Anonymiser {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        if self.rewrite(subject.msg.msg()) {
            subject.change.set(Part::Msg, |out| out.extend_from_slice(&self.text));
        }
        Ok(())
    }
}

impl Anonymiser {
    /// Writes the text without its addresses to `text`; whether there was one.
    fn rewrite(&mut self, old: &[u8]) -> bool {
        let Self { settings, text } = self;
        text.clear();
        let (mut rest, mut changed) = (old, false);
        // Two bytes are left where the reference stops to look.
        while rest.len() >= 2 {
            let Some(skipped) = rest.iter().position(|c| c.is_ascii_hexdigit() || *c == b':')
            else {
                break;
            };
            text.extend_from_slice(&rest[..skipped]);
            rest = &rest[skipped..];
            if rest.len() < 2 {
                break;
            }
            changed |= settings.replace_here(&mut rest, text);
            if let Some((first, behind)) = rest.split_first() {
                text.push(*first);
                rest = behind;
            }
        }
        text.extend_from_slice(rest);
        changed
    }
}

impl Settings {
    /// Replaces the addresses that `rest` begins with, at most one of each kind. Whether the text is another one now.
    fn replace_here(&self, rest: &mut &[u8], text: &mut Vec<u8>) -> bool {
        let mut changed = false;
        if let Some(replacer) = &self.embedded
            && let Some((len, start)) = find::embedded(rest)
        {
            let (address, behind) = rest.split_at(len);
            replacer.write(find::embedded_value(address, start), text);
            (*rest, changed) = (behind, true);
        }
        if let Some(replacer) = &self.ipv4
            && let Some(len) = find::ipv4(rest)
        {
            let (address, behind) = rest.split_at(len);
            changed |= match self.mask {
                Some(mask) => {
                    text.extend_from_slice(address);
                    mask_octets(text, self.octets, mask)
                }
                None => {
                    replacer.write(find::ipv4_value(address).into(), text);
                    true
                }
            };
            *rest = behind;
        }
        if let Some(replacer) = &self.ipv6
            && let Some(len) = find::ipv6(rest)
        {
            let (address, behind) = rest.split_at(len);
            replacer.write(find::ipv6_value(address), text);
            (*rest, changed) = (behind, true);
        }
        changed
    }
}

/// Replaces the digits of the last numbers of a text; whether that changes it.
fn mask_octets(text: &mut [u8], octets: u32, mask: u8) -> bool {
    let (mut at, mut changed) = (text.len(), false);
    for octet in 0..octets {
        // The dot in front of the previous one.
        at -= usize::from(octet > 0 && at > 0);
        while let Some(c) = at.checked_sub(1).and_then(|at| text.get_mut(at)) {
            if !c.is_ascii_digit() {
                break;
            }
            changed |= *c != mask;
            *c = mask;
            at -= 1;
        }
    }
    changed
}
