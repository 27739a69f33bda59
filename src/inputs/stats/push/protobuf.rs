//! The few messages of Prometheus remote write 1.0, as protocol buffers lay them out.
//!
//! `WriteRequest { repeated TimeSeries 1 }`, `TimeSeries { repeated Label 1; repeated Sample 2 }`,
//! `Label { string 1; string 2 }`, `Sample { double 1; int64 2 }`.

use super::series::Pair;

/// Tag of a field of bytes, and of numbers of 8 bytes and of variable length.
const fn bytes_tag(field: u8) -> u8 {
    field << 3 | 2
}
const DOUBLE_TAG_1: u8 = 1 << 3 | 1;
const VARINT_TAG_2: u8 = 2 << 3;

/// One series with one sample at `time`, milliseconds since the epoch, as a field of a `WriteRequest`.
pub(super) fn time_series(labels: &[Pair<'_>], value: f64, time: i64) -> Vec<u8> {
    let mut series = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        field(1, name, &mut label);
        field(2, value, &mut label);
        field(1, &label, &mut series);
    }
    let mut sample = vec![DOUBLE_TAG_1];
    sample.extend_from_slice(&value.to_le_bytes());
    sample.push(VARINT_TAG_2);
    varint(u64::from_ne_bytes(time.to_ne_bytes()), &mut sample);
    field(2, &sample, &mut series);
    let mut request = Vec::new();
    field(1, &series, &mut request);
    request
}

fn field(number: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(bytes_tag(number));
    varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// Seven bits per byte, the lowest first; the top bit says that more follow.
fn varint(mut n: u64, out: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(n & 0x7f).unwrap_or_default();
        n >>= 7;
        if n == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_byte_by_byte() {
        let expected = [
            &[0x0a, 0x15][..],                                             // timeseries
            &[0x0a, 0x06, 0x0a, 0x01, b'a', 0x12, 0x01, b'b'],             // label a=b
            &[0x12, 0x0b, 0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x10, 0x05], // sample 1.5 at 5
        ];
        assert_eq!(time_series(&[(b"a", b"b")], 1.5, 5), expected.concat());
    }

    #[test]
    fn numbers_of_variable_length() {
        let cases: [(u64, &[u8]); 4] =
            [(0, &[0]), (127, &[127]), (128, &[0x80, 1]), (300, &[0xac, 2])];
        for (n, expected) in cases {
            let mut out = Vec::new();
            varint(n, &mut out);
            assert_eq!(out, expected);
        }
        let mut out = Vec::new();
        varint(u64::MAX, &mut out);
        assert_eq!(out.len(), 10);
    }
}
