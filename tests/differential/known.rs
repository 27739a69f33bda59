//! Differences that are there on purpose, or only to the older rsyslogd that Debian has: told, but not counted.
//!
//! A finding is looked up here when it is as small as it gets, so that what is named is what makes the difference.

use crate::round::newer;

/// A difference, cut down.
pub(crate) struct Finding<'f> {
    /// The statement.
    pub(crate) item: &'f str,
    /// What the reference wrote.
    pub(crate) theirs: &'f [u8],
}

/// A kind of difference.
struct Known {
    why: &'static str,
    /// Whether the rsyslogd that we follow does the same as we do.
    only_debian: bool,
    is: fn(&Finding<'_>) -> bool,
}

const KNOWN: [Known; 8] = [
    Known {
        why: "get_property() of what is not there is a NUL byte to the reference; a number it finds is JSON to Debian's, \
              which compares that in another way",
        only_debian: false,
        is: |finding| finding.item.contains("get_property("),
    },
    Known {
        why: "of several ways to treat control characters Debian's takes the first it knows, 8.2610 the last one",
        only_debian: true,
        is: |finding| {
            let ways = ["drop-cc", "space-cc", "escape-cc"];
            ways.iter().filter(|way| finding.item.contains(**way)).count() > 1
        },
    },
    Known {
        why: "a template object with a bad regular expression is refused by 8.2610",
        only_debian: true,
        is: |finding| {
            let text = b"**BAD REGULAR EXPRESSION**";
            finding.item.contains("regex.expression=")
                && finding.theirs.windows(text.len()).any(|window| window == text)
        },
    },
    Known {
        why: "numbers and containers in variables are JSON, which Debian's compares in another way",
        only_debian: true,
        is: |finding| {
            EQUALITY.iter().any(|operator| finding.item.contains(operator))
                && ["$!", "$.", "$/"].iter().any(|scope| finding.item.contains(scope))
        },
    },
    Known {
        why: "a condition that is a number holds to Debian's if its lowest byte is not 0",
        only_debian: true,
        is: |finding| {
            finding.item.starts_with("if ")
                && !COMPARISONS.iter().any(|operator| finding.item.contains(operator))
        },
    },
    Known {
        why: "prifilt() in arithmetic is not 0 or 1 to Debian's",
        only_debian: true,
        is: |finding| finding.item.contains("prifilt("),
    },
    Known {
        why: "behind the end of a text Debian's re_extract() still finds a match of nothing",
        only_debian: true,
        is: |finding| finding.item.contains("re_extract"),
    },
    Known {
        why: "an object that is set where there is one becomes part of the root of the tree in Debian's",
        only_debian: true,
        is: |finding| finding.item.contains("parse_json("),
    },
];

const EQUALITY: [&str; 3] = [" == ", ") != (", ") <> ("];

const COMPARISONS: [&str; 7] = [" == ", " != ", " <> ", " < ", " <= ", " > ", " >= "];

/// Why that difference is none, if it is known.
pub(crate) fn known(finding: &Finding<'_>) -> Option<&'static str> {
    let applies = |known: &&Known| !(known.only_debian && newer()) && (known.is)(finding);
    KNOWN.iter().find(applies).map(|known| known.why)
}
