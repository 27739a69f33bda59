//! Where one message ends and the next begins in a stream: pure decoders, bytes in, frames out.
//!
//! - [`decoder`]: the state machine of one session. Each frame shows by its first byte whether it is
//!   counted (`11 <13>hi there`) or delimited (`<13>hi there\n`).
//! - [`options`]: what a listener's configuration says about framing.
//! - [`fault`]: what can be wrong with a stream, and how the log puts it.
//! - [`record`]: the state machine of listeners whose frames begin with a line that matches an expression.
//! - [`raw`]: the state machine of imrawtcp: delimiters of any length, large messages.
//! - [`tls_hello`]: notices a peer that speaks TLS to a plain listener.
//!
//! ```text
//! input of one receive   |…rest of a\n|<13>b\n|<13>c\n|<13>beginning of d|
//! Sink calls             joined(partial, ..) frame(..) frame(..)    copied to the partial buffer
//! ```

pub mod decoder;
pub mod fault;
pub mod options;
pub mod raw;
pub mod record;
pub mod tls_hello;

pub use decoder::{Decoder, Sink};
pub use fault::Fault;
pub use options::Options;
pub use raw::{RawDecoder, RawSink};
pub use record::{Boundary, RecordDecoder};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use crate::testing::framing::{Event, Model, decode, fuzz, go_on, model};

    /// A row of `spec/imtcp.md` section 12: number, options, bytes, frames and faults.
    type Row = (u8, Options, Vec<u8>, Vec<Event>);

    fn row(number: u8, options: Options, stream: &[u8], events: &[Event]) -> Row {
        (number, options, stream.to_vec(), events.to_vec())
    }

    fn frame(text: &[u8]) -> Event {
        Event::Frame(text.to_vec(), false)
    }

    fn oversize(text: &[u8]) -> Event {
        Event::Frame(text.to_vec(), true)
    }

    /// A line of `n` bytes in all.
    fn long(n: usize) -> Vec<u8> {
        let mut line = b"<13>a: ".to_vec();
        line.extend((line.len()..n).map(|i| b'a' + u8::try_from(i % 26).unwrap()));
        line
    }

    fn rows() -> Vec<Row> {
        let mut rows = delimited_and_counted();
        rows.extend(oversize_frames());
        rows.extend(options());
        rows
    }

    fn delimited_and_counted() -> Vec<Row> {
        use Event::Fault as F;
        let plain = Options::default();
        let row =
            |number, stream: &[u8], events: &[Event]| row(number, plain.clone(), stream, events);
        let mut date = b"2024-01-01 hello\n".to_vec();
        date.resize(17 + 3000, b'x');
        let taken = &date[5..5 + 2024];
        let rest = &date[5 + 2024..];
        let incomplete = |received, missing| F(Fault::Incomplete { received, missing });
        vec![
            row(1, b"<13>a: b\n<13>c: d\n", &[frame(b"<13>a: b"), frame(b"<13>c: d")]),
            row(2, b"8 <13>a: b9 <13>c: dd", &[frame(b"<13>a: b"), frame(b"<13>c: dd")]),
            row(
                3,
                b"10 <13>a: bcd<14>x: y\n10 <13>a: bcd",
                &[frame(b"<13>a: bcd"), frame(b"<14>x: y"), frame(b"<13>a: bcd")],
            ),
            row(
                4,
                b"10 <13>a: bcd\n10 <13>a: bcd\n",
                &[frame(b"<13>a: bcd"), frame(b"<13>a: bcd")],
            ),
            row(5, b"0010 <13>a: bcd", &[frame(b"<13>a: bcd")]),
            row(6, b"0 <13>a: b\n", &[F(Fault::ZeroCount), frame(b"<13>a: b")]),
            row(7, b"5X<13>a: b\n", &[F(Fault::NotSpace(b'X')), frame(b"<13>a"), frame(b": b")]),
            row(
                8,
                b"7\n<13>a:b<13>rest: x\n",
                &[F(Fault::NotSpace(10)), frame(b"<13>a:b"), frame(b"<13>rest: x")],
            ),
            row(9, b"20 <13>a: x", &[incomplete(8, Some(12))]),
            row(10, b"123", &[incomplete(3, None)]),
            row(11, b"<13>a: nolf", &[frame(b"<13>a: nolf")]),
            row(12, b"\n\n<13>a: b\n\n", &[frame(b"<13>a: b")]),
            row(13, b"<13>a: b\r\n", &[frame(b"<13>a: b\r")]),
            row(14, b"<13>a: b\0c\0\n", &[frame(b"<13>a: b\0c\0")]),
            row(
                15,
                b"13 <13>a: b\ncde\n<13>x: y\n",
                &[frame(b"<13>a: b\ncde\n"), frame(b"<13>x: y")],
            ),
            row(
                21,
                b"99999999999999999999 <13>a: z\n",
                &[
                    F(Fault::Oversize { size: 999_999_999, limit: 8096 }),
                    F(Fault::TooLarge(999_999_999)),
                    oversize(b"99999999999999999999<13>a: z"),
                ],
            ),
            row(22, &date, &[F(Fault::NotSpace(b'-')), frame(taken), frame(rest)]),
        ]
    }

    fn oversize_frames() -> Vec<Row> {
        let small = Options { message_bytes: 128, ..Options::default() };
        let cut = Options { discard_truncated: true, ..small.clone() };
        let line = long(307);
        let stream = [&line[..], b"\n<13>x: y\n"].concat();
        let counted = [b"307 ", &line[..], b"8 <13>a: b"].concat();
        let pieces = [oversize(&line[..128]), oversize(&line[128..256]), frame(&line[256..])];
        let next = frame(b"<13>x: y");
        let fault = Event::Fault(Fault::Oversize { size: 307, limit: 128 });
        let exact = long(129);
        let just = [&line[..128], b"\n<13>x: y\n"].concat();
        let digits = Options { max_frame_size: 100, ..Options::default() };
        vec![
            row(16, small.clone(), &stream, &[&pieces[..], std::slice::from_ref(&next)].concat()),
            row(17, cut.clone(), &stream, &[pieces[0].clone(), next.clone()]),
            row(
                18,
                small.clone(),
                &counted,
                &[std::slice::from_ref(&fault), &pieces[..], &[frame(b"<13>a: b")]].concat(),
            ),
            row(18, cut, &counted, &[fault, pieces[0].clone(), frame(b"<13>a: b")]),
            row(
                19,
                small.clone(),
                &[&exact[..], b"\n"].concat(),
                &[oversize(&exact[..128]), frame(&exact[128..])],
            ),
            row(19, small, &just, &[frame(&line[..128]), next]),
            row(
                20,
                digits,
                b"1005 <13>a: hello\n",
                &[Event::Fault(Fault::TooLarge(1005)), frame(b"1005<13>a: hello")],
            ),
        ]
    }

    fn options() -> Vec<Row> {
        let plain = Options::default();
        let delimiter = |c| Options { delimiter: Some(c), ..Options::default() };
        let multi = Options { multi_line: true, ..Options::default() };
        let (b, d) = (frame(b"<13>a: b"), frame(b"<13>c: d"));
        vec![
            row(
                23,
                Options { octet_counting: false, ..plain.clone() },
                b"8 <13>a: b\n",
                &[frame(b"8 <13>a: b")],
            ),
            row(24, delimiter(0), b"<13>a: b\0<13>c: d\0", &[b.clone(), d.clone()]),
            row(25, delimiter(200), b"<13>a: b\xc8<13>c: d\n", &[b.clone(), d.clone()]),
            row(
                26,
                Options { lf: false, ..plain.clone() },
                b"<13>a\n<13>b",
                &[frame(b"<13>a\n<13>b")],
            ),
            row(27, plain.clone(), b"<13>a: b\n <13>c: d\n", &[b.clone(), frame(b" <13>c: d")]),
            row(27, Options { cisco_fix: true, ..plain }, b"<13>a: b\n  <13>c: d\n", &[b, d]),
            row(28, multi.clone(), b"<13>a\n b\n<13>c\n", &[frame(b"<13>a\n b"), frame(b"<13>c")]),
            row(29, multi.clone(), b"<13>a\n x\n", &[frame(b"<13>a\n x")]),
            row(
                29,
                Options { delimiter: Some(b';'), ..multi },
                b"\n\n<13>a;b\n;<13>c",
                &[frame(b"\n"), frame(b"<13>a;b\n"), frame(b"<13>c")],
            ),
        ]
    }

    /// Row 31: every row also byte by byte, and cut at every point.
    #[test]
    fn edge_cases_however_cut() {
        for (number, options, stream, events) in rows() {
            assert_eq!(decode(&options, [&stream[..]]), events, "row {number}, whole");
            assert_eq!(decode(&options, stream.chunks(1)), events, "row {number}, byte by byte");
            for at in 0..stream.len() {
                let (head, tail) = stream.split_at(at);
                assert_eq!(decode(&options, [head, tail]), events, "row {number}, cut at {at}");
            }
            assert_eq!(model(&options, &stream), events, "row {number}, the model");
        }
    }

    /// Row 28: what a delimiter followed by another byte has shown complete is not held back.
    #[test]
    fn only_the_last_multi_line_record_is_held() {
        #[derive(Default)]
        struct Frames(usize);
        impl Sink for Frames {
            fn frame(&mut self, _: std::ops::Range<usize>, _: bool) {
                self.0 += 1;
            }
            fn joined(&mut self, _: &[u8], _: std::ops::Range<usize>, _: bool) {
                self.0 += 1;
            }
            fn fault(&mut self, _: Fault) {}
        }
        let options = Options { multi_line: true, ..Options::default() };
        let (mut decoder, mut frames) = (Decoder::default(), Frames::default());
        for (input, seen) in [(&b"<13>a\n b\n<13>c\n"[..], 1), (b"<13>d", 2), (b"\n", 2)] {
            decoder.feed(&options, input, &mut frames);
            assert_eq!(frames.0, seen);
        }
        decoder.finish(&mut frames);
        assert_eq!(frames.0, 3);
    }

    /// CVE-2022-24903: a count of every length up to 100,000 digits, one byte at a time, whatever comes behind it.
    /// One stream grows by a digit at a time, and at each length copies of it come to their ends.
    #[test]
    fn octet_counts_of_1_to_100_000_digits_byte_by_byte() {
        const ENDS: [&[u8]; 3] = [b" <13>a: b\n<13>c: d\n", b"X<1", b""];
        // A copy costs what is held of the digits: the usual size up to where they exceed it.
        for (message_bytes, most) in [(128, 100_000), (limits::MESSAGE_BYTES_DEFAULT, 9_000)] {
            let options = Options { message_bytes, ..Options::default() };
            for digit in [b'0', b'1', b'7'] {
                let (mut decoder, mut model) = (Decoder::default(), Model::default());
                for digits in 1..=most {
                    decoder.feed(&options, &[digit], &mut Nothing);
                    model.byte(&options, digit, &mut 0);
                    for end in ENDS {
                        let (mut copy, mut last) = (model.clone(), 0);
                        end.iter().for_each(|byte| copy.byte(&options, *byte, &mut last));
                        let events = go_on(&mut decoder.clone(), &options, end.chunks(1));
                        assert!(events == copy.finish(), "{digits} times {digit}, then {end:?}");
                    }
                }
            }
        }
    }

    /// Digits are no frame and no fault.
    struct Nothing;

    impl Sink for Nothing {
        fn frame(&mut self, _: std::ops::Range<usize>, _: bool) {
            unreachable!();
        }
        fn joined(&mut self, _: &[u8], _: std::ops::Range<usize>, _: bool) {
            unreachable!();
        }
        fn fault(&mut self, fault: Fault) {
            unreachable!("{fault:?}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(2000))]

        /// Streams of the bytes that mean something to framing.
        #[test]
        fn agrees_with_the_model(
            head: [u8; 3],
            stream in proptest::collection::vec(
                proptest::sample::select(b"\n\n\n<<  0123459;ab".to_vec()), 0..60),
        ) {
            let delimiter = if head[1] % 2 == 0 { b';' } else { head[1] };
            fuzz(&[&[head[0], delimiter, head[2]][..], &stream].concat());
        }

        #[test]
        fn agrees_with_the_model_on_any_bytes(data: Vec<u8>) {
            fuzz(&data);
        }
    }
}
