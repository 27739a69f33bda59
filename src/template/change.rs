//! How the bytes of a property change: case, control characters, slashes, blanks.

/// How a value changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Becomes a blank, or nothing if it begins with one.
    pub(super) blank_only: bool,
    /// Case of letters.
    pub(super) case: Case,
    /// Control characters.
    pub(super) control: Control,
    /// Made safe as part of a file name.
    pub(super) path: Path,
    /// Loses an LF at its end.
    pub(super) drop_last_lf: bool,
    /// Several blanks in a row become one.
    pub(super) compress_space: bool,
}

/// What happens to letters (ASCII).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Case {
    /// Nothing.
    #[default]
    Keep,
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
}

/// What happens to control characters: below 0x20, and 0x7f.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Control {
    /// Nothing.
    #[default]
    Keep,
    /// `#` and three decimal digits.
    Escape,
    /// `#` and three octal digits.
    EscapeOctal,
    /// A blank.
    Space,
    /// Dropped.
    Drop,
}

/// What happens to slashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Path {
    /// Nothing.
    #[default]
    Keep,
    /// Dropped.
    Drop,
    /// `_`
    Replace,
}

impl Change {
    /// Changes `text`; `spare` is overwritten.
    pub(super) fn apply(self, text: &mut Vec<u8>, spare: &mut Vec<u8>) {
        if self.blank_only && !text.is_empty() {
            let blank = text.first() != Some(&b' ');
            text.clear();
            text.extend(blank.then_some(b' '));
        }
        match self.case {
            Case::Keep => {}
            Case::Lower => text.make_ascii_lowercase(),
            Case::Upper => text.make_ascii_uppercase(),
        }
        match self.control {
            Control::Keep => {}
            Control::Drop => text.retain(|c| !c.is_ascii_control()),
            Control::Space => replace(text, |c| c.is_ascii_control(), b' '),
            Control::Escape => escape_control(text, spare, 10),
            Control::EscapeOctal => escape_control(text, spare, 8),
        }
        match self.path {
            Path::Keep => {}
            Path::Drop => text.retain(|c| *c != b'/'),
            Path::Replace => replace(text, |c| *c == b'/', b'_'),
        }
        if self.path != Path::Keep {
            match text.as_mut_slice() {
                [] => text.push(b'_'),
                [first @ b'.'] | [first @ b'.', b'.'] => *first = b'_',
                _ => {}
            }
        }
        if self.drop_last_lf && self.control != Control::Escape && text.ends_with(b"\n") {
            text.pop();
        }
        if self.compress_space {
            text.dedup_by(|next, before| *next == b' ' && *before == b' ');
        }
    }
}

fn replace(text: &mut [u8], wanted: impl Fn(&u8) -> bool, by: u8) {
    text.iter_mut().filter(|c| wanted(c)).for_each(|c| *c = by);
}

fn escape_control(text: &mut Vec<u8>, spare: &mut Vec<u8>, base: u8) {
    if !text.iter().any(u8::is_ascii_control) {
        return;
    }
    spare.clear();
    for c in text.iter().copied() {
        if c.is_ascii_control() {
            let digit = |value: u8| b'0' + value % base;
            spare.extend([b'#', digit(c / base / base), digit(c / base), digit(c)]);
        } else {
            spare.push(c);
        }
    }
    std::mem::swap(text, spare);
}
