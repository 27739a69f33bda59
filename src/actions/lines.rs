//! Rendered lines that one thread has waiting to be written, with their boundaries.
//!
//! ```text
//! text |line one\nline two\nline three\n|
//!                 ^ ends[0]  ^ ends[1]     ^ ends[2]
//! ```

/// Lines in one buffer; kept and reused by its owner.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Lines {
    /// Lets `render` append one line, then ends it in LF if `add_lf` and it does not.
    pub(super) fn push(&mut self, add_lf: bool, render: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        render(&mut self.text);
        if add_lf && (self.text.len() == start || self.text.last() != Some(&b'\n')) {
            self.text.push(b'\n');
        }
        self.ends.push(self.text.len());
    }

    /// Number of lines.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All lines as one text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where each line ends.
    pub(super) fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Forgets all lines, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Keeps no more than `bytes` of memory for the next lines; there are none now.
    pub(super) fn shrink(&mut self, bytes: usize) {
        self.text.shrink_to(bytes);
        self.ends.shrink_to(bytes / 64);
    }

    /// Takes over all of `other`'s lines.
    pub(super) fn append(&mut self, other: &mut Self) {
        let base = self.text.len();
        self.text.append(&mut other.text);
        self.ends.extend(other.ends.drain(..).map(|end| base + end));
    }

    /// Calls `each` with every line and forgets them all.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        let mut start = 0;
        for &end in &self.ends {
            each(&self.text[start..end]);
            start = end;
        }
        self.clear();
    }

    /// Forgets the first `written` bytes. A line cut in two there is forgotten as well and returned: the
    /// whole line, and how much of it is written.
    pub(super) fn advance(&mut self, written: usize) -> Option<(Vec<u8>, usize)> {
        let whole = self.ends.partition_point(|&end| end <= written);
        let start = whole.checked_sub(1).map_or(0, |last| self.ends[last]);
        let cut = (written > start)
            .then(|| (self.text[start..self.ends[whole]].to_vec(), written - start));
        let gone = whole + usize::from(cut.is_some());
        let from = gone.checked_sub(1).map_or(0, |last| self.ends[last]);
        self.text.drain(..from);
        self.ends.drain(..gone);
        for end in &mut self.ends {
            *end -= from;
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Lines {
        let mut lines = Lines::default();
        for text in texts {
            lines.push(true, |out| out.extend_from_slice(text.as_bytes()));
        }
        lines
    }

    #[test]
    fn lf_is_added_where_it_is_missing() {
        assert_eq!(lines(&["a", "b\n", ""]).text(), b"a\nb\n\n");
        let mut plain = Lines::default();
        plain.push(false, |out| out.push(b'x'));
        assert_eq!(plain.text(), b"x");
    }

    #[test]
    fn advance_forgets_what_is_written_and_hands_out_the_cut_line() {
        for written in 0..=9 {
            let mut some = lines(&["ab", "cd", "ef"]);
            let cut = some.advance(written);
            let mut rest = Vec::new();
            some.drain(|line| rest.push(line.to_vec()));
            let done = written / 3;
            match written % 3 {
                0 => assert_eq!((cut, rest.len()), (None, 3 - done), "{written}"),
                n => {
                    let line = [&b"ab\n"[..], b"cd\n", b"ef\n"][done].to_vec();
                    assert_eq!((cut, rest.len()), (Some((line, n)), 2 - done), "{written}");
                }
            }
            assert!(rest.iter().all(|line| line.len() == 3));
        }
    }
}
