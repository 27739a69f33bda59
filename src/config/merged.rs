//! The whole configuration as one text, included files in their places, as the reference's `-o` writes it; but private
//! keys within it are not written out.

use super::diagnostic::{Diagnostics, Opened};

/// What is being written.
struct Open<'a> {
    index: usize,
    opened: &'a Opened,
    /// Bytes of the glued text that are written.
    done: usize,
}

/// All texts that were read, each between two marks. A syntax error does not cut anything off.
#[must_use]
pub fn merged(diagnostics: &Diagnostics) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = diagnostics.sources().iter().enumerate().peekable();
    let mut stack: Vec<Open<'_>> = Vec::new();
    loop {
        // What is opened at one place is put on the stack one after the other; the last one is read first.
        let place = rest.peek().map(|(_, next)| next.at);
        let top = stack.last().map(|open| open.index);
        match place {
            Some(at) if at.map(|(file, _)| usize::from(file)) == top => {
                if let (Some(open), Some((_, to))) = (stack.last_mut(), at) {
                    out.extend_from_slice(
                        open.opened.source.shown().get(open.done..to).unwrap_or_default(),
                    );
                    open.done = to;
                }
                while let Some((index, opened)) = rest.next_if(|(_, next)| next.at == at) {
                    mark(&mut out, "BEGIN CONFIG", opened, " (put on stack)");
                    stack.push(Open { index, opened, done: 0 });
                }
            }
            _ => {
                let Some(open) = stack.pop() else { return out };
                out.extend_from_slice(
                    open.opened.source.shown().get(open.done..).unwrap_or_default(),
                );
                mark(&mut out, "END   CONFIG", open.opened, "");
            }
        }
    }
}

fn mark(out: &mut Vec<u8>, what: &str, opened: &Opened, behind: &str) {
    let line = format!("\n##### {what}: {}{behind}\n", opened.source.name());
    out.extend_from_slice(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_files;
    use super::*;

    #[test]
    fn included_texts_stand_in_their_places() {
        let files = [
            ("c.conf", "# a\n$IncludeConfig b\n$IncludeConfig c\nlast /x\n"),
            ("b", "# b\n"),
            ("c", "include(file=\"d\") # c\n"),
            ("d", "# d\n"),
        ];
        let (_, diagnostics) = load_files(&files);
        let text = String::from_utf8(merged(&diagnostics)).unwrap();
        let want = "\n##### BEGIN CONFIG: c.conf (put on stack)\n# a\n$IncludeConfig b\n\
                    ##### BEGIN CONFIG: b (put on stack)\n# b\n\n##### END   CONFIG: b\n\n$IncludeConfig c\n\
                    ##### BEGIN CONFIG: c (put on stack)\ninclude(file=\"d\")\n\
                    ##### BEGIN CONFIG: d (put on stack)\n# d\n\n##### END   CONFIG: d\n # c\n\n\
                    ##### END   CONFIG: c\n\nlast /x\n\n##### END   CONFIG: c.conf\n";
        assert_eq!(text, want);
    }
}
