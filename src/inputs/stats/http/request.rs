//! Bytes to a request. Only what a GET of a known path needs is looked at; everything else is refused by number.

use crate::limits;

/// What bytes received so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The beginning of a request.
    Incomplete,
    /// A request.
    Request(Request<'a>),
    /// None that is answered otherwise than with this.
    Refused(Status),
}

/// A GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What stands before a `?`.
    pub path: &'a str,
    /// What stands behind it.
    pub query: &'a str,
}

/// How requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200
    Ok,
    /// 400
    BadRequest,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 408
    Timeout,
    /// 421
    Misdirected,
    /// 431
    TooLarge,
    /// 503
    Unavailable,
}

impl Status {
    /// Number and words of the status line.
    #[must_use]
    pub fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Timeout => "408 Request Timeout",
            Self::Misdirected => "421 Misdirected Request",
            Self::TooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// Reads a request. With `address_only`, its `Host` must be an address or `localhost`.
#[must_use]
pub fn parse(bytes: &[u8], address_only: bool) -> Outcome<'_> {
    let mut headers = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if bytes.len() >= limits::HTTP_REQUEST_BYTES => {
            return Outcome::Refused(Status::TooLarge);
        }
        Ok(httparse::Status::Partial) => return Outcome::Incomplete,
        Err(httparse::Error::TooManyHeaders) => return Outcome::Refused(Status::TooLarge),
        Err(_) => return Outcome::Refused(Status::BadRequest),
    }
    if request.method != Some("GET") {
        return Outcome::Refused(Status::MethodNotAllowed);
    }
    let named = |name: &'static str| {
        let headers = request.headers.iter();
        headers.filter(move |header| header.name.eq_ignore_ascii_case(name))
    };
    let has_body = named("transfer-encoding").next().is_some()
        || named("content-length").any(|header| header.value.trim_ascii() != b"0");
    let mut hosts = named("host");
    let host = hosts.next().map(|header| header.value);
    if has_body || hosts.next().is_some() || (request.version == Some(1) && host.is_none()) {
        return Outcome::Refused(Status::BadRequest);
    }
    if address_only && !host.is_none_or(is_address) {
        return Outcome::Refused(Status::Misdirected);
    }
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Outcome::Request(Request { path, query })
}

/// Whether a `Host`, with or without port, is an address or the name of this machine to itself.
fn is_address(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host.trim_ascii()) else { return false };
    let (is_known, rest) = match host.strip_prefix('[').map(|host| host.split_once(']')) {
        Some(None) => return false,
        Some(Some((address, rest))) => (address.parse::<std::net::Ipv6Addr>().is_ok(), rest),
        None => {
            let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
            let is_local = name.eq_ignore_ascii_case("localhost");
            (is_local || name.parse::<std::net::Ipv4Addr>().is_ok(), rest)
        }
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    is_known && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

impl Request<'_> {
    /// The value of a number in the query, within bounds; `otherwise` if it is not there or none.
    #[must_use]
    pub fn number(&self, name: &str, otherwise: usize, most: usize) -> usize {
        let mut fields = self.query.split('&').filter_map(|field| field.split_once('='));
        let value =
            fields.find(|(field, _)| *field == name).and_then(|(_, value)| value.parse().ok());
        value.unwrap_or(otherwise).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:9153\r\nX: y\r\n\r\n")
    }

    #[test]
    fn a_get_is_a_request_when_it_is_complete() {
        let text = get("/senders.json?top=7&x");
        let request = Request { path: "/senders.json", query: "top=7&x" };
        assert_eq!(parse(text.as_bytes(), true), Outcome::Request(request));
        for len in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..len], true), Outcome::Incomplete, "{len}");
        }
        assert_eq!(
            parse(b"GET / HTTP/1.0\r\n\r\n", true),
            Outcome::Request(Request { path: "/", query: "" })
        );
        assert_eq!(request.number("top", 5, 100), 7);
        assert_eq!(request.number("top", 5, 6), 6);
        for query in ["", "top", "top=", "top=-1", "top=x", "atop=9", "top=99999999999999999999"] {
            assert_eq!(Request { path: "", query }.number("top", 5, 100), 5, "{query}");
        }
    }

    #[test]
    fn what_is_no_get_is_refused() {
        let cases: [(&[u8], Status); 15] = [
            (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Status::MethodNotAllowed),
            (b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Status::MethodNotAllowed),
            (b"get / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Status::MethodNotAllowed),
            (b"GET / HTTP/1.1\r\n\r\n", Status::BadRequest),
            (b"GET / HTTP/2.0\r\n\r\n", Status::BadRequest),
            (b"GET / HTTP/1.1\r\nHost: 1.1.1.1\r\nHost: 1.1.1.1\r\n\r\n", Status::BadRequest),
            (b"GET / HTTP/1.1\r\nHost: 1.1.1.1\r\nContent-Length: 5\r\n\r\n", Status::BadRequest),
            (
                b"GET / HTTP/1.1\r\nHost: 1.1.1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Status::BadRequest,
            ),
            (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", Status::Misdirected),
            (b"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", Status::Misdirected),
            (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", Status::Misdirected),
            (b"GET / HTTP/1.1\r\nHost: [::1]9153\r\n\r\n", Status::Misdirected),
            (b"GET / HTTP/1.1\r\nHost: localhost:x\r\n\r\n", Status::Misdirected),
            (b"\x16\x03\x01\x02\x00\x01\x00", Status::BadRequest),
            (b"<13>Oct 11 22:14:15 h t: m\n", Status::BadRequest),
        ];
        for (bytes, wanted) in cases {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(parse(bytes, true), Outcome::Refused(wanted), "{shown}");
        }
        for host in ["localhost", "LOCALHOST:80", "[::1]:9153", "10.0.0.1:1"] {
            assert!(is_address(host.as_bytes()), "{host}");
        }
        let other = b"GET / HTTP/1.1\r\nHost: proxy.example\r\n\r\n";
        assert!(matches!(parse(other, false), Outcome::Request(_)));
    }

    #[test]
    fn requests_are_bounded() {
        let head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n";
        let many = format!("{head}{}\r\n", "a: b\r\n".repeat(limits::HTTP_HEADERS));
        assert_eq!(parse(many.as_bytes(), true), Outcome::Refused(Status::TooLarge));
        let mut long = format!("{head}a: ").into_bytes();
        long.resize(limits::HTTP_REQUEST_BYTES - 1, b'x');
        assert_eq!(parse(&long, true), Outcome::Incomplete);
        long.push(b'x');
        assert_eq!(parse(&long, true), Outcome::Refused(Status::TooLarge));
    }
}
