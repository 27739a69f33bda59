//! Ids of documents: 20 characters, ordered by time, which is how Elasticsearch stores them best.
//!
//! ```text
//! |ms of reception, 6 bytes|worker's random number, 4 bytes|number in the worker, 5 bytes|  in base64url
//! ```

use crate::sys::machine;

/// The ids that one worker gives.
#[derive(Debug)]
pub(super) struct Ids {
    worker: [u8; 4],
    next: u64,
}

impl Ids {
    pub(super) fn new() -> Self {
        Self { worker: machine::random_bytes(), next: 0 }
    }

    /// Appends the id of the next document, received at this time (microseconds since the epoch).
    pub(super) fn write(&mut self, received: i64, out: &mut Vec<u8>) {
        let msec = u64::try_from(received / 1000).unwrap_or(0);
        let [_, _, t1, t2, t3, t4, t5, t6] = msec.to_be_bytes();
        let [_, _, _, n1, n2, n3, n4, n5] = self.next.to_be_bytes();
        let [w1, w2, w3, w4] = self.worker;
        self.next += 1;
        for [a, b, c] in [[t1, t2, t3], [t4, t5, t6], [w1, w2, w3], [w4, n1, n2], [n3, n4, n5]] {
            let bits = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
            out.extend([18, 12, 6, 0].map(|shift| digit(bits >> shift & 63)));
        }
    }
}

/// Of the URL-safe alphabet (RFC 4648 section 5).
fn digit(value: u32) -> u8 {
    let value = u8::try_from(value).unwrap_or(0);
    match value {
        0..=25 => b'A' + value,
        26..=51 => b'a' + (value - 26),
        52..=61 => b'0' + (value - 52),
        62 => b'-',
        _ => b'_',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_20_characters() {
        let (mut one, mut two) = (Ids::new(), Ids::new());
        let id = |ids: &mut Ids, at| {
            let mut out = Vec::new();
            ids.write(at, &mut out);
            assert_eq!(out.len(), 20);
            assert!(out.iter().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(c)));
            out
        };
        let at = 1_785_585_600_123_000;
        let all = [id(&mut one, at), id(&mut one, at), id(&mut two, at), id(&mut two, at + 1000)];
        for (index, id) in all.iter().enumerate() {
            assert!(!all[..index].contains(id));
        }
        // 1785585600123 ms is 0x019FBCCD067B.
        assert!(all[0].starts_with(&all[1][..8]) && all[0] != all[3]);
    }
}
