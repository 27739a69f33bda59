//! HTTP requests: the fuzz target.

use crate::inputs::stats::http::request::{Outcome, parse};
use crate::limits;

/// Fuzz target: any bytes are a request, the beginning of one, or refused; more bytes never make a refusal or a
/// request something else, and no beginning is without an end.
///
/// # Panics
/// Where the parser is wrong.
pub fn fuzz(data: &[u8]) {
    for address_only in [false, true] {
        let cuts = (0..=data.len()).step_by(1 + data.len() / 64);
        let first =
            cuts.map(|cut| parse(&data[..cut], address_only)).find(|o| *o != Outcome::Incomplete);
        let whole = parse(data, address_only);
        match (first, whole) {
            (None, Outcome::Incomplete) => assert!(data.len() < limits::HTTP_REQUEST_BYTES),
            (Some(Outcome::Incomplete), _) | (Some(_), Outcome::Incomplete) => {
                panic!("{first:?} became {whole:?}")
            }
            (Some(Outcome::Request(early)), Outcome::Request(late)) => assert_eq!(early, late),
            _ => {}
        }
        if let Outcome::Request(request) = whole {
            assert!(request.number("top", 1, 10) <= 10);
            assert!(!request.path.contains(['?', ' ', '\r', '\n', '\0']));
        }
    }
}
