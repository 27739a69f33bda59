//! The rows on framing of `spec/elastic-tcp.md` section 10, and any stream against the model.

use memchr::memmem::Finder;
use proptest::prelude::*;

use super::*;
use crate::testing::raw_framing::{Seen, decode, fuzz, model};

fn options(mode: Mode, delimiter: &[u8]) -> Options {
    Options {
        mode,
        delimiter: Finder::new(delimiter).into_owned(),
        message_bytes: 10_000,
        oversize: Oversize::Close,
        strip_cr: false,
        skip_empty: false,
        own_bytes: usize::MAX,
    }
}

fn check(what: &str, options: &Options, stream: &[u8], expected: &Seen) {
    assert_eq!(&model(options, stream), expected, "{what}: the model");
    for own_bytes in [usize::MAX, 1, 5] {
        let options = Options { own_bytes, ..options.clone() };
        assert_eq!(&decode(&options, [stream]), expected, "{what}, whole, {own_bytes}");
        assert_eq!(&decode(&options, stream.chunks(1)), expected, "{what}, bytes, {own_bytes}");
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(&decode(&options, [head, tail]), expected, "{what}, at {at}, {own_bytes}");
        }
    }
}

fn seen(texts: &[&str], broken: Option<Broken>) -> Seen {
    Seen { frames: texts.iter().map(|text| (text.as_bytes().to_vec(), false)).collect(), broken }
}

/// The rows on framing of `spec/elastic-tcp.md` section 10.
#[test]
fn edge_cases_however_cut() {
    let lf = options(Mode::Delimiter, b"\n");
    let of = |delimiter: &[u8]| options(Mode::Delimiter, delimiter);
    let rfc = options(Mode::Rfc6587, b"\n");
    let count = |byte| Some(Broken::Count { byte });
    type Row<'a> = (&'a str, &'a Options, &'a [u8], &'a [&'a str], Option<Broken>);
    let rows: &[Row<'_>] = &[
        ("1", &lf, b"a\nb\n", &["a", "b"], None),
        ("2", &lf, b"a\r\nb", &["a", "b"], None),
        ("3", &lf, b"a\r\r\n", &["a\r"], None),
        ("4", &lf, b"\n\na\n", &["", "", "a"], None),
        ("5", &of(b"END"), b"aENDbEND", &["a", "b"], None),
        ("6", &of(b"\r\n"), b"a\nb\r\n", &["a\nb"], None),
        ("8", &rfc, b"5 hello3 abcx\n", &["hello", "abc", "x"], None),
        ("9", &rfc, b"5 he\nlo", &["he\nlo"], None),
        ("10 letters", &rfc, b"12abc \n", &[], count(b'a')),
        ("10 a letter", &rfc, b"5x ", &[], count(b'x')),
        ("10 a date", &rfc, b"2024-01-01 x\n", &[], count(b'-')),
        ("10a", &rfc, b"5 hello\n5 world\n", &["hello", "", "world"], None),
        ("10b", &rfc, b"<13>a\r\n", &["<13>a\r"], None),
        ("10c", &rfc, b"0 <13>b\n", &["", "<13>b"], None),
        ("10d", &rfc, b"x", &["x"], None),
        (
            "10e",
            &of(b"<END>"),
            b"hello<END>END>hola<END>bonjour<ENDx<END>hey",
            &["hello", "END>hola", "bonjour<ENDx", "hey"],
            None,
        ),
        ("11", &rfc, b"10 abc", &[], None),
        ("12", &rfc, b"<13>x", &["<13>x"], None),
        ("14", &lf, b"5 hello\n", &["5 hello"], None),
        ("17", &rfc, b"99999999999999999999 x", &[], count(b'9')),
        ("leading zeros", &rfc, b"0000000000000000000000005 hello", &["hello"], None),
        ("signs", &rfc, b"+5 x\n-5 y\n", &["+5 x", "-5 y"], None),
        ("an overlapping delimiter", &of(b"aab"), b"aaab!aab", &["a", "!"], None),
        ("CR at the end", &lf, b"a\r", &["a"], None),
    ];
    for (what, options, stream, texts, broken) in rows {
        check(what, options, stream, &seen(texts, *broken));
    }
    let strip = Options { strip_cr: true, ..rfc.clone() };
    check("10b, stripping", &strip, b"<13>a\r\n2 b\r\r\n", &seen(&["<13>a", "b\r", ""], None));
    let skip = |options: &Options| Options { skip_empty: true, ..options.clone() };
    check("4, skipping", &skip(&lf), b"\n\na\n", &seen(&["a"], None));
    let both = seen(&["hello", "world"], None);
    check("10a, skipping", &skip(&rfc), b"5 hello\n5 world\n", &both);
}

#[test]
fn messages_that_are_too_long() {
    let small = |mode| Options { message_bytes: 10, ..options(mode, b"\n") };
    let (lf, rfc) = (small(Mode::Delimiter), small(Mode::Rfc6587));
    let cut = |options: &Options| Options { oversize: Oversize::Truncate, ..options.clone() };
    let broken = Some(Broken::Oversize { limit: 10 });
    let first = (b"0123456789".to_vec(), true);
    let two = Seen { frames: vec![first.clone(), (b"x".to_vec(), false)], broken: None };
    let text = b"0123456789AB\nx\n";
    check("15", &lf, text, &seen(&[], broken));
    check("15, cut", &cut(&lf), text, &two);
    check("16", &lf, b"012345678\n0123456789\n", &seen(&["012345678", "0123456789"], None));
    let counted = b"12 0123456789AB1 x";
    check("counted", &rfc, counted, &seen(&[], broken));
    check("counted, cut", &cut(&rfc), counted, &two);
    let long = [b"0123456789".as_slice(), &b"abc".repeat(20), b"END", b"x"].concat();
    let end = Options { delimiter: Finder::new(b"END").into_owned(), ..cut(&lf) };
    check("a long delimiter, cut", &end, &long, &two);
    let endless = Seen { frames: vec![first], broken: None };
    check("no end, cut", &cut(&lf), &b"0123456789".repeat(5), &endless);
}

/// What a peer announces is not what is allocated.
#[test]
fn a_count_allocates_nothing() {
    struct Nothing;
    impl RawSink for Nothing {
        fn frame(&mut self, _: Range<usize>, _: bool) {
            panic!("a frame");
        }
        fn joined(&mut self, _: &[u8], _: Range<usize>, _: bool) {
            panic!("a frame");
        }
    }
    let mut decoder = RawDecoder::default();
    let options = Options { message_bytes: 1 << 30, ..options(Mode::Rfc6587, b"\n") };
    decoder.feed(&options, b"1000000000 x", &mut Nothing).unwrap();
    assert_eq!(decoder.held(), 1);
    assert!(decoder.partial.capacity() < 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_stream_in_any_parts_decodes_as_by_the_model(
        head: [u8; 4],
        stream in prop::collection::vec(
            prop::sample::select(b"\n\n\r\0<  01259;;;ababEND".to_vec()), 0..60),
    ) {
        fuzz(&[&head[..], &stream].concat());
    }
}
