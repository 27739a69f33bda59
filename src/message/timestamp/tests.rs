//! Times read, of any form, and dates back and forth.

use super::*;

const CONTEXT: Context = Context { year: 2026, offset: 3600, year_after: false, zone_after: false };

/// `YYYY-MM-DD hh:mm:ss.usec/precision offset`, and the bytes taken.
fn show(decoded: Option<(Time, usize)>) -> Option<(String, usize)> {
    decoded.map(|(t, end)| {
        let date = format!("{:04}-{:02}-{:02}", t.year, t.month, t.day);
        let clock = format!("{:02}:{:02}:{:02}", t.hour, t.minute, t.second);
        (format!("{date} {clock}.{:06}/{} {}{:?}", t.usec, t.precision, t.offset, t.sign), end)
    })
}

#[test]
fn rfc3339() {
    let rows: &[(&str, Option<(&str, usize)>)] = &[
        ("2024-01-02T03:04:05Z", Some(("2024-01-02 03:04:05.000000/0 0Zulu", 20))),
        ("2024-01-02T03:04:05Z x", Some(("2024-01-02 03:04:05.000000/0 0Zulu", 21))),
        ("2024-01-02T03:04:05.12+02:30 ", Some(("2024-01-02 03:04:05.120000/2 9000Plus", 29))),
        ("2024-01-02T03:04:05-00:00", Some(("2024-01-02 03:04:05.000000/0 0Minus", 25))),
        ("2024-01-02T03:04:05.12345678Z", Some(("2024-01-02 03:04:05.123456/6 0Zulu", 29))),
        ("2024-01-02T03:04:05.Z", Some(("2024-01-02 03:04:05.000000/0 0Zulu", 21))),
        ("2024-1-2T3:4:60Z", Some(("2024-01-02 03:04:60.000000/0 0Zulu", 16))),
        ("2024-02-31T03:04:05Z", Some(("2024-02-31 03:04:05.000000/0 0Zulu", 20))),
        ("-1-1T::Z", Some(("0000-01-01 00:00:00.000000/0 0Zulu", 8))),
        ("2024-01-02t03:04:05Z", None),
        ("2024-01-02 03:04:05Z", None),
        ("2024-01-02T03:04:05z", None),
        ("2024-01-02T03:04:05", None),
        ("2024-01-02T03:04:05 ", None),
        ("2024-01-02T03:04:05Zx", None),
        ("2024-01-02T03:04:05.9999999999Z", None),
        ("2024-01-02T03:04:05+24:00", None),
        ("2024-01-02T03:04:05+02:60", None),
        ("2024-01-02T03:04:05+0200", None),
        ("2024-01-02T03:04:61Z", None),
        ("2024-01-02T24:04:01Z", None),
        ("2024-13-02T03:04:05Z", None),
        ("2024-00-02T03:04:05Z", None),
        ("2024-01-32T03:04:05Z", None),
        ("2024-01-00T03:04:05Z", None),
        ("2100-01-01T03:04:05Z", None),
        ("12024-01-02T03:04:05Z", None),
        ("2024-01-02T03:04:055Z", Some(("2024-01-02 03:04:55.000000/0 0Zulu", 21))),
        ("", None),
    ];
    for (text, expected) in rows {
        let got = show(Time::decode_rfc3339(text.as_bytes()));
        assert_eq!(got, expected.map(|(t, end)| (t.to_owned(), end)), "{text}");
    }
}

#[test]
fn rfc3164() {
    let rows: &[(&str, Option<(&str, usize)>)] = &[
        ("Oct 11 22:14:15", Some(("2026-10-11 22:14:15.000000/0 3600Plus", 15))),
        ("Oct 11 22:14:15 h", Some(("2026-10-11 22:14:15.000000/0 3600Plus", 16))),
        ("Oct  1 22:14:15 h", Some(("2026-10-01 22:14:15.000000/0 3600Plus", 16))),
        ("Oct 1 2:14:15 host", Some(("2026-10-01 02:14:15.000000/0 3600Plus", 14))),
        ("oCT 11 22:14:15: h", Some(("2026-10-11 22:14:15.000000/0 3600Plus", 17))),
        ("Oct 11 22:14:15:", Some(("2026-10-11 22:14:15.000000/0 3600Plus", 16))),
        ("Oct 11 22:14:15.5 h", Some(("2026-10-11 22:14:15.500000/1 3600Plus", 18))),
        ("Oct 11 22:14:60 h", Some(("2026-10-11 22:14:60.000000/0 3600Plus", 16))),
        ("2024 Jan  2 03:04:05 h", Some(("2024-01-02 03:04:05.000000/0 3600Plus", 21))),
        ("1970 Jan  2 03:04:05 h", Some(("1970-01-02 03:04:05.000000/0 3600Plus", 21))),
        ("Jan  2 2024 03:04:05.123: h", Some(("2024-01-02 03:04:05.123000/3 3600Plus", 26))),
        ("Jan  2 1970 03:04:05 h", None),
        ("2100 Jan  2 03:04:05 ", Some(("2100-01-02 03:04:05.000000/0 3600Plus", 21))),
        ("2024 Jan  2 03:04:05: ", Some(("2024-01-02 03:04:05.000000/0 3600Plus", 22))),
        ("2024 Jan  2 03:04:05", None),
        ("2024 Jan  2 03:04:05:", None),
        ("1969 Jan  2 03:04:05 h", None),
        ("2101 Jan  2 03:04:05 h", None),
        ("2024 Jan  2 2024 03:04:05 h", None),
        ("Oct   1 22:14:15 h", None),
        ("Oct 11  22:14:15 h", None),
        ("Oct 32 22:14:15 h", None),
        ("Oct 00 22:14:15 h", None),
        ("Oct 11 24:14:15 h", None),
        ("Oct 11 22:60:15 h", None),
        ("Oct 11 22:14:61 h", None),
        ("Oct 11 22:14 h", None),
        ("Oct 11 22:14:15h", None),
        ("Okt 11 22:14:15 h", None),
        ("October 11 22:14:15 h", None),
        ("Oc", None),
        ("", None),
    ];
    for (text, expected) in rows {
        let got = show(Time::decode_rfc3164(text.as_bytes(), &CONTEXT));
        assert_eq!(got, expected.map(|(t, end)| (t.to_owned(), end)), "{text}");
    }
}

#[test]
fn year_after_the_time() {
    let context = Context { year_after: true, ..CONTEXT };
    let rows = [
        ("Oct 11 22:14:15 2024 h", Some((2024, 21))),
        ("Oct 11 22:14:15 2024 ", Some((2024, 21))),
        ("Oct 11 22:14:15 2024: h", Some((2026, 16))),
        ("Oct 11 22:14:15 2024:", Some((2024, 21))),
        ("Oct 11 22:14:15 2024x", None),
        ("Oct 11 22:14:15 2024", Some((2026, 16))),
        ("Oct 11 22:14:15 1999 h", Some((2026, 16))),
        ("Oct 11 22:14:15 2100 h", Some((2026, 16))),
        ("Oct 11 22:14:15.5 2024 h", Some((2024, 23))),
        ("2023 Oct 11 22:14:15 2024 h", Some((2023, 21))),
    ];
    for (text, expected) in rows {
        let got = Time::decode_rfc3164(text.as_bytes(), &context).map(|(t, end)| (t.year, end));
        assert_eq!(got, expected, "{text}");
    }
}

/// What a parser found is found again in exactly the bytes it took.
#[test]
fn the_bytes_taken_decode_alike() {
    let texts = [
        "Oct 11 22:14:15 2024 h",
        "Oct 11 22:14:15 2024:",
        "Oct 11 22:14:15 2024",
        "Oct 11 22:14:15: h",
        "2024-01-02T03:04:05Z x",
    ];
    for text in texts.map(str::as_bytes) {
        for year_after in [false, true] {
            let first = Time::decode(text, &Context { year_after, ..CONTEXT });
            let taken = &text[..first.expect("is a time").1];
            assert_eq!(first, Time::decode(taken, &Context { year_after: true, ..CONTEXT }));
        }
    }
}

#[test]
fn calendar() {
    let rows: &[(i64, &str, u8, u16)] = &[
        (0, "1970-01-01 00:00:00.000000/6 0Plus", 4, 1),
        (-1, "1969-12-31 23:59:59.999999/6 0Plus", 3, 365),
        (951_782_400_000_000, "2000-02-29 00:00:00.000000/6 0Plus", 2, 60),
        (1_735_689_599_500_000, "2024-12-31 23:59:59.500000/6 0Plus", 2, 366),
        (4_102_444_799_000_000, "2099-12-31 23:59:59.000000/6 0Plus", 4, 365),
    ];
    for (usec, expected, weekday, ordinal) in rows {
        let time = Time::from_epoch_usec(*usec, &Zone::UTC);
        assert_eq!(show(Some((time, 0))).unwrap().0, *expected);
        assert_eq!((time.weekday(), time.ordinal()), (*weekday, *ordinal), "{expected}");
        assert_eq!(time.to_epoch(), usec.div_euclid(1_000_000), "{expected}");
    }
}

#[test]
fn zones() {
    let west = Zone { offset: -12_600, ..Zone::UTC };
    let time = Time::from_epoch_usec(0, &west);
    assert_eq!(show(Some((time, 0))).unwrap().0, "1969-12-31 20:30:00.000000/6 -12600Minus");
    assert_eq!(time.to_epoch(), 0);
    assert_eq!(time.to_utc(), Time::from_epoch_usec(0, &Zone::UTC));
    let summer = Zone { offset: 3600, from: 0, until: 100, lookup: |_| 7200 };
    assert_eq!(Time::from_epoch_usec(99_000_000, &summer).offset, 3600);
    assert_eq!(Time::from_epoch_usec(100_000_000, &summer).offset, 7200);
}

proptest::proptest! {
    #[test]
    fn dates_come_back(epoch in -62_135_596_800_i64..4_102_444_800) {
        let time = Time::from_epoch(epoch);
        proptest::prop_assert_eq!(time.to_epoch(), epoch);
    }

    #[test]
    fn any_bytes(text: Vec<u8>) {
        let context = Context { year_after: true, ..CONTEXT };
        if let Some((_, end)) = Time::decode(&text, &context) {
            proptest::prop_assert!(end <= text.len());
        }
    }
}
