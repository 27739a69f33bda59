//! POSIX regular expressions: `regcomp(3)` and `regexec(3)` of the C library, which set the semantics of
//! configurations written for rsyslog (leftmost-longest, back references, BRE and ERE).
//!
//! The process never calls `setlocale`, so patterns and texts are bytes of the C locale. One compiled
//! expression must not serve two threads at a time: glibc takes a lock inside, so each thread keeps its own.

mod required;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use libc::{c_int, regex_t, regmatch_t, regoff_t};
use memchr::memmem;

/// Captures that a template can name, the whole match included.
pub const CAPTURES_MAX: usize = 10;

/// Most captures that one match can report, the whole match included.
pub const GROUPS_MAX: usize = 50;

/// Which of the two POSIX syntaxes a pattern is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// `\(…\)`, `\{…\}`; `+ ? |` are literal.
    #[default]
    Basic,
    /// `(…)`, `{…}`, `+ ? |`.
    Extended,
}

/// A compiled expression.
pub struct Regex {
    /// Boxed, because the C library may keep its address.
    compiled: Box<regex_t>,
}

// SAFETY: the expression owns all memory it points to and nothing in it belongs to a thread; `&Regex` is
// not shared between threads because `Sync` is not implemented.
unsafe impl Send for Regex {}

impl Regex {
    /// Compiles `pattern`; `icase` ignores the case of ASCII letters.
    ///
    /// # Errors
    /// The C library's description of what is wrong.
    pub fn new(pattern: &[u8], flavour: Flavour, icase: bool) -> Result<Self, String> {
        let pattern = CString::new(pattern).map_err(|_| "NUL in regular expression".to_owned())?;
        let mut flags = 0;
        if flavour == Flavour::Extended {
            flags |= libc::REG_EXTENDED;
        }
        if icase {
            flags |= libc::REG_ICASE;
        }
        let mut compiled = Box::new(MaybeUninit::<regex_t>::zeroed());
        // SAFETY: "regcomp() is supplied with preg, a pointer to a pattern buffer storage area; regex, a
        // pointer to the null-terminated string and cflags"; all three live through the call.
        let status = unsafe { libc::regcomp(compiled.as_mut_ptr(), pattern.as_ptr(), flags) };
        // SAFETY: all zeroes is a valid `regex_t` (integers and null pointers), and regcomp only writes
        // valid values over them.
        let compiled = unsafe { compiled.assume_init() };
        if status != 0 {
            // "if regcomp fails, the contents of preg are undefined": it must not be freed.
            return Err(describe(status, &compiled));
        }
        Ok(Self { compiled })
    }

    /// Whether the expression matches anywhere in `text`. NUL bytes are ordinary bytes, but no `.` matches one.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.execute(text, &mut [NO_MATCH])
    }

    /// Finds the leftmost longest match and fills `groups`: index 0 is the whole match, then one per pair
    /// of parentheses; `None` where a group took no part. At most [`GROUPS_MAX`] are filled, the rest
    /// becomes `None`. Without a match `groups` is left alone and the result is `false`.
    pub fn captures(&self, text: &[u8], groups: &mut [Option<Range<usize>>]) -> bool {
        let mut found = [NO_MATCH; GROUPS_MAX];
        let wanted = groups.len().clamp(1, GROUPS_MAX);
        let Some(found) = found.get_mut(..wanted) else { return false };
        if !self.execute(text, found) {
            return false;
        }
        for (index, group) in groups.iter_mut().enumerate() {
            *group = found.get(index).and_then(range);
        }
        true
    }

    fn execute(&self, text: &[u8], found: &mut [regmatch_t]) -> bool {
        let (Some(first), Ok(len)) = (found.first_mut(), regoff_t::try_from(text.len())) else {
            return false; // longer than the interface can express, hence than any message
        };
        *first = regmatch_t { rm_so: 0, rm_eo: len };
        // ThreadSanitizer takes it that regexec reads up to a NUL, REG_STARTEND or not.
        #[cfg(races)]
        let text = &*[text, b"\0"].concat();
        // SAFETY: `compiled` came from a successful regcomp; REG_STARTEND: "match the string starting at
        // string + pmatch[0].rm_so and ending before string + pmatch[0].rm_eo", which is exactly `text`;
        // `found.len()` is the number of elements at `found`.
        let status = unsafe {
            libc::regexec(
                &raw const *self.compiled,
                text.as_ptr().cast(),
                found.len(),
                found.as_mut_ptr(),
                libc::REG_STARTEND,
            )
        };
        status == 0
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: the expression was compiled by regcomp and is freed only here.
        unsafe { libc::regfree(&raw mut *self.compiled) };
    }
}

impl std::fmt::Debug for Regex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Regex").finish_non_exhaustive()
    }
}

/// An expression for any number of threads: each compiles an instance of its own when it first uses it.
#[derive(Clone, Debug)]
pub struct SharedRegex {
    source: Arc<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    /// Of this pattern alone, for as long as the process lives.
    number: u64,
    text: Box<[u8]>,
    flavour: Flavour,
    icase: bool,
    /// What each match contains.
    literal: Option<memmem::Finder<'static>>,
}

/// The number of the next pattern.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// The expressions a thread has compiled.
#[derive(Default)]
struct Instances {
    known: HashMap<u64, (Weak<Pattern>, Regex)>,
    /// With so many, those of patterns that are gone are removed: half of them, if it is time again.
    sweep_at: usize,
}

/// Instances before the first sweep.
const SWEEP_MIN: usize = 64;

thread_local! {
    static INSTANCES: RefCell<Instances> = RefCell::default();
}

impl SharedRegex {
    /// As [`Regex::new`].
    ///
    /// # Errors
    /// As [`Regex::new`].
    pub fn new(pattern: &[u8], flavour: Flavour, icase: bool) -> Result<Self, String> {
        Regex::new(pattern, flavour, icase)?;
        let literal = if icase { None } else { required::literal(pattern, flavour) };
        let literal = literal.map(|literal| memmem::Finder::new(&literal).into_owned());
        // Relaxed: the numbers only have to differ.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let source = Pattern { number, text: pattern.into(), flavour, icase, literal };
        Ok(Self { source: Arc::new(source) })
    }

    /// As [`Regex::is_match`].
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.may_match(text) && self.with(|regex| regex.is_match(text))
    }

    /// As [`Regex::captures`].
    pub fn captures(&self, text: &[u8], groups: &mut [Option<Range<usize>>]) -> bool {
        self.may_match(text) && self.with(|regex| regex.captures(text, groups))
    }

    fn may_match(&self, text: &[u8]) -> bool {
        self.source.literal.as_ref().is_none_or(|literal| literal.find(text).is_some())
    }

    /// No match where the C library has no memory for another instance.
    fn with(&self, search: impl FnOnce(&Regex) -> bool) -> bool {
        INSTANCES.with_borrow_mut(|Instances { known, sweep_at }| {
            let Pattern { number, text, flavour, icase, .. } = &*self.source;
            if let Some((_, regex)) = known.get(number) {
                return search(regex);
            }
            if known.len() >= *sweep_at {
                known.retain(|_, (source, _)| source.strong_count() > 0);
                *sweep_at = SWEEP_MIN.max(2 * known.len());
            }
            let Ok(regex) = Regex::new(text, *flavour, *icase) else { return false };
            let found = search(&regex);
            known.insert(*number, (Arc::downgrade(&self.source), regex));
            found
        })
    }
}

const NO_MATCH: regmatch_t = regmatch_t { rm_so: -1, rm_eo: -1 };

fn range(found: &regmatch_t) -> Option<Range<usize>> {
    let start = usize::try_from(found.rm_so).ok()?;
    let end = usize::try_from(found.rm_eo).ok()?;
    Some(start..end)
}

fn describe(status: c_int, compiled: &regex_t) -> String {
    let mut text = [0u8; 128];
    // SAFETY: "regerror() is passed the error code, the pattern buffer, a pointer to a character string
    // buffer and the size of the string buffer"; it writes at most that many bytes.
    let len = unsafe {
        libc::regerror(status, &raw const *compiled, text.as_mut_ptr().cast(), text.len())
    };
    // The returned size counts the terminating NUL and may exceed the buffer.
    let text = text.get(..len.min(text.len()).saturating_sub(1)).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(pattern: &str, flavour: Flavour, text: &[u8]) -> Option<Range<usize>> {
        let regex = Regex::new(pattern.as_bytes(), flavour, false).expect("compiles");
        let mut groups = [None];
        regex.captures(text, &mut groups).then(|| groups[0].clone()).flatten()
    }

    #[test]
    fn posix_semantics() {
        use Flavour::{Basic, Extended};
        let cases = [
            ("a|ab|abc", Extended, b"xabcd".as_slice(), Some(1..4)),
            ("a+", Basic, b"aa+", Some(1..3)),
            ("\\(a\\)\\1", Basic, b"baa", Some(1..3)),
            ("^$", Extended, b"", Some(0..0)),
            ("b$", Extended, b"a\0b", Some(2..3)),
            ("a.b", Extended, b"a\0b", None), // POSIX: a dot matches no NUL
            ("\\xff", Extended, b"\xff", None),
            ("[^a]", Extended, b"a\xff", Some(1..2)),
            ("x", Extended, b"abc", None),
        ];
        for (pattern, flavour, text, expected) in cases {
            assert_eq!(whole(pattern, flavour, text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn groups_and_case() {
        let regex = Regex::new(b"(a)|(B)", Flavour::Extended, true).expect("compiles");
        let mut groups = [const { None }; CAPTURES_MAX + 2];
        assert!(regex.captures(b"xb", &mut groups));
        assert_eq!(groups[0], Some(1..2));
        assert_eq!(groups[1], None);
        assert_eq!(groups[2], Some(1..2));
        assert!(groups[3..].iter().all(Option::is_none));
        assert!(regex.is_match(b"A"));
        assert!(!regex.captures(b"-", &mut groups));
    }

    #[test]
    fn shared_by_threads_and_forgotten() {
        let shared = SharedRegex::new(b"^a", Flavour::Basic, false).expect("compiles");
        std::thread::scope(|scope| {
            let search = || assert!(shared.is_match(b"ab") && !shared.is_match(b"ba"));
            let threads = [scope.spawn(search), scope.spawn(search)];
            // The scope alone does not wait for thread-local destructors.
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        });
        assert!(shared.is_match(b"ab"));
        for _ in 0..10 * SWEEP_MIN {
            let other = SharedRegex::new(b"b", Flavour::Basic, false).expect("compiles");
            assert!(other.is_match(b"b"));
        }
        assert!(INSTANCES.with_borrow(|instances| instances.known.len()) <= SWEEP_MIN);
        assert!(shared.is_match(b"ab"));
    }

    proptest::proptest! {
        /// Looking for a literal first makes no difference.
        #[test]
        fn the_literal_decides_nothing(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "a", "b", "ab", "ba", "a", "b", ".", "*", "+", "?", "|", "(", ")", "[ab]", "[^a]",
                    "[]a]", "[[:alpha:]]", "{0}", "{1}", "{0,2}", "^", "$", "\\.", "\\(", "\\)",
                    "\\{1\\}", "\\{0,2\\}", "\\+", "\\?", "\\|", "\\*", "\\\\", "\\b",
                    "\\w", "\\1", "{", "}", "[", "]", "\\<", "\\'", "\\a",
                ]),
                1..8,
            ),
            texts in proptest::collection::vec("[ab.(){}|+?*\\\\]{0,8}", 8),
        ) {
            let pattern = pieces.concat();
            for flavour in [Flavour::Basic, Flavour::Extended] {
                let Ok(shared) = SharedRegex::new(pattern.as_bytes(), flavour, false) else { continue };
                let regex = Regex::new(pattern.as_bytes(), flavour, false).expect("compiled before");
                for text in &texts {
                    let text = text.as_bytes();
                    proptest::prop_assert_eq!(
                        shared.is_match(text), regex.is_match(text),
                        "{} {:?} {}", pattern, flavour, text.escape_ascii()
                    );
                }
            }
        }
    }

    #[test]
    fn errors_are_described() {
        let error = |pattern: &[u8]| Regex::new(pattern, Flavour::Extended, false).unwrap_err();
        assert_eq!(error(b"("), "Unmatched ( or \\(");
        assert_eq!(error(b"a{1"), "Unmatched \\{");
        assert_eq!(error(b"a\0b"), "NUL in regular expression");
    }
}
