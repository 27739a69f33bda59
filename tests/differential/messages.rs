//! Random messages: put together from the parts of both syslog formats, then damaged a little.

use crate::random::Random;

/// A message as a sender might build it, or nearly.
pub(crate) fn message(random: &mut Random) -> Vec<u8> {
    let mut bytes = if random.chance(25) { rfc5424(random) } else { rfc3164(random) };
    if random.chance(35) {
        for _ in 0..=random.below(3) {
            damage(&mut bytes, random);
        }
    }
    if bytes.is_empty() || !comparable(&bytes) { b"<13>x".to_vec() } else { bytes }
}

/// Not a PRI of four digits and more, or none, which the reference's versions read differently; no compressed
/// message; not `<=`, of which the reference makes a property with a negative length; no fraction of a second with
/// more than six digits, of which Debian's makes a stray byte.
pub(crate) fn comparable(message: &[u8]) -> bool {
    let digits = message.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let closed = message.first() == Some(&b'<') && message.get(digits + 1) == Some(&b'>');
    let long = message.split(|byte| *byte == b'.').skip(1);
    if long
        .map(|part| part.iter().take_while(|byte| byte.is_ascii_digit()).count())
        .any(|digits| digits > 6)
    {
        return false;
    }
    !(closed && !(1..=3).contains(&digits)
        || message.starts_with(b"z")
        || message.starts_with(b"<="))
}

fn rfc3164(random: &mut Random) -> Vec<u8> {
    let mut bytes = pri(random).into_bytes();
    if random.chance(90) {
        bytes.extend_from_slice(timestamp(random).as_bytes());
        bytes.push(b' ');
    }
    if random.chance(85) {
        bytes.extend_from_slice(host(random).as_bytes());
        bytes.push(b' ');
    }
    bytes.extend_from_slice(tag(random).as_bytes());
    if random.chance(80) {
        bytes.push(b' ');
    }
    text(&mut bytes, random);
    bytes
}

fn rfc5424(random: &mut Random) -> Vec<u8> {
    let mut bytes = pri(random).into_bytes();
    bytes.extend_from_slice(random.pick(&["1 ", "1 ", "1 ", "1 ", "2 ", "1"]).as_bytes());
    let stamp = if random.chance(80) { rfc3339(random) } else { timestamp(random) };
    let name = |random: &mut Random, names: &[&str]| random.pick(names).to_owned();
    let parts = [
        stamp,
        host(random),
        name(random, &["app", "-", "su/do", "a:b", "evntslog", "app[3]", "p\u{e4}"]),
        name(random, &["77", "-", "1", "[5]", "proc:1", ""]),
        name(random, &["id", "-", "ID47", "a=b", ""]),
        name(
            random,
            &[
                "-",
                "[x y=\"z\"]",
                "[exampleSDID@32473 iut=\"3\" eventSource=\"App\\]l\"][b c=\"d\"]",
                "[a b=\"c d\"] x",
                "[a b=\"\\\"q\\\"\"]",
                "[open",
                "[]",
                "none",
                "[a][b]",
            ],
        ),
    ];
    bytes.extend_from_slice(parts.join(" ").as_bytes());
    if random.chance(90) {
        bytes.push(b' ');
        if random.chance(10) {
            bytes.extend_from_slice("\u{feff}".as_bytes());
        }
        text(&mut bytes, random);
    }
    bytes
}

fn pri(random: &mut Random) -> String {
    match random.below(20) {
        0 => random
            .pick(&["", "<192>", "<999>", "<034>", "<1a>", "<3", "< 3>", "<-1>", "3>"])
            .to_owned(),
        _ => format!("<{}>", random.below(192)),
    }
}

fn timestamp(random: &mut Random) -> String {
    if random.chance(25) {
        return rfc3339(random);
    }
    let month = random.pick(&[
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "dec",
        "JUN", "Foo",
    ]);
    let day = random.below(33);
    let day = match random.below(4) {
        0 => format!("{day}"),
        1 => format!("{day:02}"),
        _ => format!("{day:2}"),
    };
    let hour = match random.below(8) {
        0 => format!("{}", random.below(26)),
        _ => format!("{:02}", random.below(24)),
    };
    let year = random.pick(&["2003 ", "1999 ", "2024 ", "1970 ", "2099 ", "20 "]);
    // None before it: the reference then takes a NUL behind the message for a part of it.
    let middle = if random.chance(7) { year } else { "" };
    let end = random
        .pick(&["", "", "", "", "", "", "", ":", ".123", ".123456", " CET", " 2019", ".5:", "."]);
    let (minute, second) = (random.below(61), random.below(62));
    format!("{month} {day} {middle}{hour}:{minute:02}:{second:02}{end}")
}

fn rfc3339(random: &mut Random) -> String {
    if random.chance(5) {
        return "-".to_owned();
    }
    let year = random.pick(&["2003", "2024", "1999", "1985", "2026", "1970", "2099", "0001", "24"]);
    let (month, day) = (1 + random.below(13), 1 + random.below(32));
    let (hour, minute, second) = (random.below(25), random.below(61), random.below(62));
    let t = random.pick(&["T", "T", "T", "T", "t", " "]);
    let fraction =
        random.pick(&["", "", ".1", ".012", ".003000", ".123456", ".99", ".", ".000001"]);
    let zone = random.pick(&[
        "Z", "Z", "+00:00", "+02:00", "-07:30", "+14:00", "-12:00", "z", "", "+0200", "+25:00",
    ]);
    format!("{year}-{month:02}-{day:02}{t}{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
}

fn host(random: &mut Random) -> String {
    random
        .pick(&[
            "host",
            "host",
            "web-1",
            "ho_st.example.net",
            "10.0.0.1",
            "fe80::1",
            "[host]",
            "h@st",
            "HOST",
            "a/b",
            "-",
            "h-",
            "-h",
            "host:",
            "x",
            "h\u{f6}st",
            "1",
            "2024",
            "host,1",
            "{h}",
        ])
        .to_owned()
}

fn tag(random: &mut Random) -> String {
    random
        .pick(&[
            "app[1]:",
            "app:",
            "app",
            "sshd[12345]:",
            "su/x[77]:",
            "[tag]",
            "a b:",
            "kernel:",
            "app[1][2]:",
            "app[]:",
            ":",
            "",
            "app[1]",
            "app[x",
            "/usr/bin/foo[3]:",
            "../../etc:",
            ".:",
            "..:",
            "%ASA-6-302013:",
            "a-b_c.d:",
            "APP:",
            "{tag}:",
            "1:",
            "t\u{e4}g:",
            "a]b[c]:",
            "x=1:",
            "(tag):",
            "\"q\":",
            "a,b:",
            "app :",
        ])
        .to_owned()
}

fn text(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(9) {
        let piece = random.pick::<[u8]>(&[
            b"Failed password for root from 10.1.2.3 port 22 ssh2",
            b" ",
            b"  ",
            b" hello",
            b"world ",
            b"12",
            b"0",
            b"-7",
            b"007",
            b" 3.14",
            b"0x1f",
            b"\"q\"",
            b"'s'",
            b"\\",
            b"\\n\\\"\\u00e4\\/",
            b"/",
            b"//x",
            b"../..",
            b"\t",
            b"\n",
            b"\r\n",
            b"\x01",
            b"\x1b[0m",
            b"\x7f",
            b"\0",
            b"\xc3\xa4",
            b"\xff\xfe",
            b"\xe2\x82\xac",
            b"%",
            b"%msg%",
            b"$x",
            b",",
            b"a,b,,c",
            b":",
            b"k=v k2=\"v 2\"",
            b"{\"a\": 1, \"b\": [1, \"x\", null], \"c\": {\"d\": 2.50}}",
            b"@cee: {\"x\": \"y\"}",
            b"[UFW BLOCK] IN=eth0 OUT=",
            b"aaaa",
            b"ABCabc",
            b"user@example.net",
            b"2024-02-29T23:59:59Z",
            b"***",
            b"#011",
            b";",
            b"|x|y|",
        ]);
        bytes.extend_from_slice(piece);
        if random.chance(30) {
            bytes.push(b' ');
        }
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let odd = b" :[]<>{}\"'\\/-.,@\t\n\0\x7f\xff0129azTZ+";
    let byte = if random.chance(80) { odd[random.below(odd.len())] } else { random.byte() };
    match random.below(6) {
        0 => drop(bytes.remove(at)),
        1 => bytes.insert(at, byte),
        2 => bytes[at] = byte,
        3 => bytes.truncate(at),
        4 => bytes.insert(at, bytes[at]),
        _ => {
            let other = random.below(bytes.len());
            bytes.swap(at, other);
        }
    }
}
