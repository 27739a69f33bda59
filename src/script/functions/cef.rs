//! Functions that write the Common Event Format.

use super::{Function, Kind, Returned};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "tocef",
        args: 8..=8,
        doc: "A CEF line of version, vendor, product, device version, event class, name, severity and extensions; the \
              extensions are taken as they are.",
        examples: &[
            (
                "tocef('0', 'V', 'P', '1.0', 'a=b', 'x|y', 5, 'k=v')",
                "CEF:0|V|P|1.0|a\\=b|x\\|y|5|k=v",
            ),
            ("tocef('0', 'a\\\\b', '', '', '%#', '', '', '')", "CEF:0|a\\\\b|||\\%\\#|||"),
        ],
        kind: Kind::Plain(|call, out| {
            out.extend_from_slice(b"CEF:");
            call.texts(|[header @ .., extensions]: [&[u8]; 8]| {
                for (place, text) in header.into_iter().enumerate() {
                    let special: &[u8] = if place == 4 { b"\\|=%#" } else { b"\\|" };
                    for c in text {
                        out.extend(special.contains(c).then_some(b'\\'));
                        out.push(*c);
                    }
                    out.push(b'|');
                }
                out.extend_from_slice(extensions);
            });
            Returned::Text
        }),
    },
    Function {
        name: "cef_ext_escape",
        args: 1..=1,
        doc: "A text escaped as the value of a CEF extension.",
        examples: &[("cef_ext_escape('a=b\\\\c\\nd')", "a\\=b\\\\c\\nd")],
        kind: Kind::Plain(|call, out| {
            call.text(0, |text| {
                for c in text {
                    match c {
                        b'\\' | b'=' => out.extend([b'\\', *c]),
                        b'\n' => out.extend(b"\\n"),
                        b'\r' => out.extend(b"\\r"),
                        _ => out.push(*c),
                    }
                }
            });
            Returned::Text
        }),
    },
];
