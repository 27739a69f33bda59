//! What the configuration says about parsing: `global()` and `parser()` parameters become options.

use super::rfc3164::{Headerless, Rfc3164Options};
use super::sanitise::SanitiseOptions;
use super::{Parser, ParserKind, ParserOptions};
use crate::limits;
use crate::param::{Args, Class, Kind, Module, Param};

static RFC5424: Module = Module {
    name: "pmrfc5424",
    class: Class::Parser,
    builtin: true,
    summary: "Parses messages in the format of RFC 5424.",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &["ruleset(name=\"r\" parser=[\"rsyslog.rfc5424\"]) {\n\
         \x20   action(type=\"omfile\" file=\"/var/log/devices\")\n}"],
};

static RFC3164: Module = Module {
    name: "pmrfc3164",
    class: Class::Parser,
    builtin: true,
    summary: "Parses messages in the format of RFC 3164 and in whatever else devices send.",
    module_params: &[],
    params: RFC3164_PARAMS,
    legacy_create: None,
    counters: &[],
    examples: &["ruleset(name=\"r\" parser=[\"rsyslog.rfc3164\"]) {\n\
         \x20   action(type=\"omfile\" file=\"/var/log/devices\")\n}"],
};

/// The RFC 5424 parser.
pub static RFC5424_KIND: ParserKind = ParserKind {
    module: &RFC5424,
    name: "rsyslog.rfc5424",
    instances: false,
    build: |_, _| Parser::Rfc5424,
};

/// The RFC 3164 parser.
pub static RFC3164_KIND: ParserKind = ParserKind {
    module: &RFC3164,
    name: "rsyslog.rfc3164",
    instances: true,
    build: |args, _| Parser::Rfc3164(Rfc3164Options::new(args)),
};

const RFC3164_PARAMS: &[Param] = &[
    Param::new(
        "detect.yearAfterTimestamp",
        Kind::Bool,
        Some("off"),
        "A number 2000 to 2099 behind the timestamp is its year.",
    ),
    Param::new(
        "permit.squareBracketsInHostname",
        Kind::Bool,
        Some("off"),
        "A host name may stand in square brackets.",
    ),
    Param::new(
        "permit.slashesInHostname",
        Kind::Bool,
        Some("off"),
        "A host name may contain slashes.",
    ),
    Param::new(
        "permit.atSignsInHostname",
        Kind::Bool,
        Some("off"),
        "A host name may contain at signs.",
    ),
    Param::new(
        "force.tagEndingByColon",
        Kind::Bool,
        Some("off"),
        "A tag without a colon belongs to the text; the tag is - then.",
    ),
    Param::new(
        "remove.msgFirstSpace",
        Kind::Bool,
        Some("off"),
        "Drop the blank at the start of the text.",
    ),
    Param::new(
        "detect.headerless",
        Kind::Bool,
        Some("off"),
        "Treat a message without a timestamp as one without any header.",
    ),
    Param::new(
        "headerless.hostname",
        Kind::Str,
        None,
        "Host name of a message without header; the sender's name by default.",
    ),
    Param::new("headerless.tag", Kind::Str, Some("headerless"), "Tag of a message without header."),
    Param::new(
        "headerless.ruleset",
        Kind::Str,
        None,
        "Ruleset that gets the messages without header.",
    ),
    Param::new(
        "headerless.errorfile",
        Kind::Str,
        None,
        "File that messages without header are appended to as they came.",
    ),
    Param::new("headerless.drop", Kind::Bool, Some("off"), "Drop messages without header."),
];

impl ParserOptions {
    /// The options of a ruleset: the arguments of `global()` and the parsers of its chain.
    #[must_use]
    pub fn new(globals: &Args, chain: Vec<Parser>) -> Self {
        Self {
            sanitise: SanitiseOptions::new(globals),
            unpack: globals.bool("parser.supportCompressionExtension"),
            permit_slash_in_program_name: globals.bool("parser.permitSlashInProgramName"),
            parse_hostname_and_tag: globals.bool("parser.parseHostnameAndTag"),
            chain,
        }
    }
}

impl SanitiseOptions {
    /// From the arguments of `global()`.
    fn new(globals: &Args) -> Self {
        let message_bytes = globals.size("maxMessageSize").map(usize::try_from);
        let message_bytes = message_bytes.and_then(Result::ok);
        let prefix = globals.str("parser.controlCharacterEscapePrefix").unwrap_or_default();
        Self {
            message_bytes: message_bytes.unwrap_or(limits::MESSAGE_BYTES_DEFAULT),
            drop_trailing_lf: globals.bool("parser.dropTrailingLFOnReception"),
            drop_trailing_cr: globals.bool("parser.dropTrailingCROnReception"),
            space_lf: globals.bool("parser.spaceLFOnReceive"),
            escape_control: globals.bool("parser.escapeControlCharactersOnReceive"),
            escape_tab: globals.bool("parser.escapeControlCharacterTab"),
            escape_8bit: globals.bool("parser.escape8BitCharactersOnReceive"),
            c_style: globals.bool("parser.escapeControlCharactersCStyle"),
            prefix: prefix.first().copied().unwrap_or(b'#'),
        }
    }
}

impl Parser {
    /// The chain of a ruleset that names no parsers.
    #[must_use]
    pub fn default_chain() -> Vec<Self> {
        vec![Self::Rfc5424, Self::Rfc3164(Rfc3164Options::default())]
    }
}

impl Rfc3164Options {
    /// From the arguments of a `parser(type="pmrfc3164")` object.
    fn new(args: &Args) -> Self {
        let name = |param| args.str(param).map(|text| String::from_utf8_lossy(text).into());
        let headerless = || Headerless {
            hostname: args.str("headerless.hostname").map(Box::from),
            tag: args.str("headerless.tag").unwrap_or_default().into(),
            ruleset: name("headerless.ruleset"),
            error_file: name("headerless.errorfile"),
            drop: args.bool("headerless.drop"),
        };
        Self {
            year_after_timestamp: args.bool("detect.yearAfterTimestamp"),
            square_brackets_in_hostname: args.bool("permit.squareBracketsInHostname"),
            slashes_in_hostname: args.bool("permit.slashesInHostname"),
            at_signs_in_hostname: args.bool("permit.atSignsInHostname"),
            tag_ending_by_colon: args.bool("force.tagEndingByColon"),
            remove_msg_first_space: args.bool("remove.msgFirstSpace"),
            headerless: args.bool("detect.headerless").then(headerless),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tables::GLOBAL;
    use crate::param::Value;

    #[test]
    fn defaults_are_the_tables_defaults() {
        let options = ParserOptions::new(&Args::defaults(&[GLOBAL]), Parser::default_chain());
        assert_eq!(options, ParserOptions::default());
        let own = Rfc3164Options::new(&Args::defaults(&[RFC3164.params]));
        assert_eq!(own, Rfc3164Options::default());
    }

    #[test]
    fn every_global_is_obeyed() {
        let mut globals = Args::defaults(&[GLOBAL]);
        let flipped = [
            ("parser.permitSlashInProgramName", true),
            ("parser.parseHostnameAndTag", false),
            ("parser.dropTrailingLFOnReception", false),
            ("parser.dropTrailingCROnReception", true),
            ("parser.spaceLFOnReceive", true),
            ("parser.supportCompressionExtension", false),
            ("parser.escapeControlCharactersOnReceive", false),
            ("parser.escapeControlCharacterTab", false),
            ("parser.escape8BitCharactersOnReceive", true),
            ("parser.escapeControlCharactersCStyle", true),
        ];
        for (name, value) in flipped {
            globals.set(name, Value::Bool(value));
        }
        globals.set("maxMessageSize", Value::Size(128));
        globals.set("parser.controlCharacterEscapePrefix", Value::Str(b"%".to_vec()));
        let expected = ParserOptions {
            sanitise: SanitiseOptions {
                message_bytes: 128,
                drop_trailing_lf: false,
                drop_trailing_cr: true,
                space_lf: true,
                escape_control: false,
                escape_tab: false,
                escape_8bit: true,
                c_style: true,
                prefix: b'%',
            },
            unpack: false,
            permit_slash_in_program_name: true,
            parse_hostname_and_tag: false,
            chain: vec![Parser::Rfc5424],
        };
        assert_eq!(ParserOptions::new(&globals, vec![Parser::Rfc5424]), expected);
    }

    #[test]
    fn every_parameter_of_the_rfc3164_parser_is_obeyed() {
        let mut args = Args::defaults(&[RFC3164.params]);
        for param in RFC3164.params.iter().filter(|param| param.kind == Kind::Bool) {
            args.set(param.name, Value::Bool(true));
        }
        for param in RFC3164.params.iter().filter(|param| param.kind == Kind::Str) {
            args.set(param.name, Value::Str(param.name.into()));
        }
        let expected = Rfc3164Options {
            year_after_timestamp: true,
            square_brackets_in_hostname: true,
            slashes_in_hostname: true,
            at_signs_in_hostname: true,
            tag_ending_by_colon: true,
            remove_msg_first_space: true,
            headerless: Some(Headerless {
                hostname: Some(b"headerless.hostname".as_slice().into()),
                tag: b"headerless.tag".as_slice().into(),
                ruleset: Some("headerless.ruleset".into()),
                error_file: Some("headerless.errorfile".into()),
                drop: true,
            }),
        };
        assert_eq!(Rfc3164Options::new(&args), expected);
    }
}
