//! Messages that are compressed one by one: a `z`, then a zlib stream (RFC 1950 and 1951).
//!
//! A few hundred bytes are unpacked per message, so plain bit-by-bit decoding will do.

/// zlib's return code, which the reference shows, for a stream that is broken or ends early.
const DATA_ERROR: i32 = -3;
/// The same for a text that does not fit.
const BUFFER_ERROR: i32 = -5;

/// Unpacks the zlib stream at the start of `stream` into `out`; returns the text's length.
///
/// # Errors
/// zlib's return code.
pub(super) fn inflate(stream: &[u8], out: &mut [u8]) -> Result<usize, i32> {
    let (head, rest) = stream.split_first_chunk::<2>().ok_or(DATA_ERROR)?;
    let [method, flags] = *head;
    let deflated = method & 15 == 8 && method >> 4 <= 7 && flags & 0x20 == 0;
    if !deflated || u16::from_be_bytes(*head) % 31 != 0 {
        return Err(DATA_ERROR);
    }
    let mut input = Bits { bytes: rest, held: 0, count: 0 };
    let mut out = Output { out, len: 0 };
    loop {
        let is_last = input.take(1)? == 1;
        match input.take(2)? {
            0 => stored(&mut input, &mut out)?,
            1 => {
                let (literals, distances) = fixed()?;
                compressed(&mut input, &mut out, &literals, &distances)?;
            }
            2 => {
                let (literals, distances) = dynamic(&mut input)?;
                compressed(&mut input, &mut out, &literals, &distances)?;
            }
            _ => return Err(DATA_ERROR),
        }
        if is_last {
            break;
        }
    }
    let (sum, _) = input.bytes.split_first_chunk::<4>().ok_or(DATA_ERROR)?;
    if u32::from_be_bytes(*sum) == out.adler32() { Ok(out.len) } else { Err(DATA_ERROR) }
}

/// The stream, bit by bit, lowest first.
struct Bits<'a> {
    bytes: &'a [u8],
    held: u32,
    /// Bits held, fewer than eight between calls.
    count: u32,
}

impl Bits<'_> {
    /// The next `n` bits, 16 at most.
    fn take(&mut self, n: u32) -> Result<usize, i32> {
        while self.count < n {
            let (byte, rest) = self.bytes.split_first().ok_or(DATA_ERROR)?;
            self.held |= u32::from(*byte) << self.count;
            self.count += 8;
            self.bytes = rest;
        }
        let value = self.held & ((1 << n) - 1);
        self.held >>= n;
        self.count -= n;
        usize::try_from(value).map_err(|_| DATA_ERROR)
    }

    /// Drops the rest of a byte.
    fn align(&mut self) {
        (self.held, self.count) = (0, 0);
    }
}

/// The text so far, in a room of fixed size.
struct Output<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Output<'_> {
    fn push(&mut self, byte: u8) -> Result<(), i32> {
        *self.out.get_mut(self.len).ok_or(BUFFER_ERROR)? = byte;
        self.len += 1;
        Ok(())
    }

    /// Repeats `len` bytes from `distance` bytes back; they may reach into the copy itself.
    fn repeat(&mut self, distance: usize, len: usize) -> Result<(), i32> {
        for _ in 0..len {
            let from = self.len.checked_sub(distance).ok_or(DATA_ERROR)?;
            let byte = *self.out.get(from).ok_or(DATA_ERROR)?;
            self.push(byte)?;
        }
        Ok(())
    }

    fn adler32(&self) -> u32 {
        let (mut a, mut b) = (1, 0);
        for byte in self.out.iter().take(self.len) {
            a = (a + u32::from(*byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        b << 16 | a
    }
}

/// A canonical Huffman code: how many codes there are of each length, and what they mean, in their order.
struct Code {
    counts: [usize; 16],
    symbols: [usize; 288],
}

impl Code {
    /// The code whose symbol `n` has `lengths[n]` bits; 0: there is none. Codes of one bit need not be used up
    /// where `may_lack` says so.
    fn new(lengths: &[u8], may_lack: bool) -> Result<Self, i32> {
        let mut counts = [0; 16];
        for length in lengths {
            *counts.get_mut(usize::from(*length)).ok_or(DATA_ERROR)? += 1;
        }
        counts[0] = 0;
        let mut free = 1_usize;
        for count in &counts[1..] {
            free = (2 * free).checked_sub(*count).ok_or(DATA_ERROR)?;
        }
        let is_short = counts.iter().skip(2).all(|count| *count == 0);
        if free > 0 && !(may_lack && is_short) {
            return Err(DATA_ERROR);
        }
        let mut symbols = [0; 288];
        let ordered = (1..=15).flat_map(|wanted| {
            lengths.iter().enumerate().filter(move |(_, length)| **length == wanted)
        });
        for (slot, (symbol, _)) in symbols.iter_mut().zip(ordered) {
            *slot = symbol;
        }
        Ok(Self { counts, symbols })
    }

    fn next(&self, input: &mut Bits<'_>) -> Result<usize, i32> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= input.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code - first).copied().ok_or(DATA_ERROR);
            }
            index += count;
            first = 2 * (first + count);
            code *= 2;
        }
        Err(DATA_ERROR)
    }
}

fn stored(input: &mut Bits<'_>, out: &mut Output<'_>) -> Result<(), i32> {
    input.align();
    let (len, complement) = (input.take(16)?, input.take(16)?);
    if len != complement ^ 0xffff {
        return Err(DATA_ERROR);
    }
    let (text, rest) = input.bytes.split_at_checked(len).ok_or(DATA_ERROR)?;
    input.bytes = rest;
    text.iter().try_for_each(|byte| out.push(*byte))
}

/// The codes of a block that brings none of its own.
fn fixed() -> Result<(Code, Code), i32> {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    Ok((Code::new(&lengths, false)?, Code::new(&[5; 32], false)?))
}

/// The codes at the start of a block, themselves compressed.
fn dynamic(input: &mut Bits<'_>) -> Result<(Code, Code), i32> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (input.take(5)? + 257, input.take(5)? + 1);
    let used = input.take(4)? + 4;
    if literals > 286 || distances > 30 {
        return Err(DATA_ERROR);
    }
    let mut lengths = [0; 19];
    for symbol in ORDER.iter().take(used) {
        *lengths.get_mut(*symbol).ok_or(DATA_ERROR)? =
            u8::try_from(input.take(3)?).map_err(|_| DATA_ERROR)?;
    }
    let code = Code::new(&lengths, false)?;
    let mut lengths = [0; 286 + 30];
    let lengths = lengths.get_mut(..literals + distances).ok_or(DATA_ERROR)?;
    let mut at = 0;
    while at < lengths.len() {
        let before = at.checked_sub(1).and_then(|i| lengths.get(i)).copied();
        let (length, times) = match code.next(input)? {
            16 => (before.ok_or(DATA_ERROR)?, 3 + input.take(2)?),
            17 => (0, 3 + input.take(3)?),
            18 => (0, 11 + input.take(7)?),
            length => (u8::try_from(length).map_err(|_| DATA_ERROR)?, 1),
        };
        lengths.get_mut(at..at + times).ok_or(DATA_ERROR)?.fill(length);
        at += times;
    }
    let (literals, distances) = lengths.split_at_checked(literals).ok_or(DATA_ERROR)?;
    if literals.get(256) == Some(&0) {
        return Err(DATA_ERROR); // no end
    }
    Ok((Code::new(literals, true)?, Code::new(distances, true)?))
}

/// A block of bytes and repetitions.
fn compressed(
    input: &mut Bits<'_>,
    out: &mut Output<'_>,
    literals: &Code,
    distances: &Code,
) -> Result<(), i32> {
    loop {
        match literals.next(input)? {
            256 => return Ok(()),
            symbol @ 257.. => {
                let len = number(input, &LENGTHS, symbol - 257)?;
                let symbol = distances.next(input)?;
                let distance = number(input, &DISTANCES, symbol)?;
                out.repeat(distance, len)?;
            }
            byte => out.push(u8::try_from(byte).map_err(|_| DATA_ERROR)?)?,
        }
    }
}

/// The number that starts at a row's base and has its extra bits in the stream.
fn number(input: &mut Bits<'_>, table: &[(usize, u32)], row: usize) -> Result<usize, i32> {
    let (base, extra) = *table.get(row).ok_or(DATA_ERROR)?;
    Ok(base + input.take(extra)?)
}

/// Lengths of repetitions: base, extra bits.
const LENGTHS: [(usize, u32); 29] = {
    let mut table = [(258, 0); 29];
    let (mut row, mut base) = (0, 3);
    while row < 28 {
        let extra = if row < 8 { 0 } else { row / 4 - 1 };
        table[row as usize] = (base, extra);
        base += 1 << extra;
        row += 1;
    }
    table
};

/// Distances: base, extra bits.
const DISTANCES: [(usize, u32); 30] = {
    let mut table = [(0, 0); 30];
    let (mut row, mut base) = (0, 1);
    while row < 30 {
        let extra = if row < 4 { 0 } else { row / 2 - 1 };
        table[row as usize] = (base, extra);
        base += 1 << extra;
        row += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"<13>Oct 11 22:14:15 host app: hello hello hello hello";
    /// What zlib makes of it: stored, and with the fixed codes.
    const STORED: &[u8] =
        b"\x78\x01\x01\x35\x00\xca\xff<13>Oct 11 22:14:15 host app: hello hello hello \
        hello\x90\x16\x10\x93";
    const FIXED: &[u8] = b"\x78\xda\xb3\x31\x34\xb6\xf3\x4f\x2e\x51\x30\x34\x54\x30\x32\xb2\x32\x34\xb1\x32\
        \x34\x55\xc8\xc8\x2f\x2e\x51\x48\x2c\x28\xb0\x52\xc8\x48\xcd\xc9\xc9\xc7\x24\x01\x90\x16\x10\x93";
    /// `0,0;1,1;4,2;9,3;…`, as `n * n,n in hex;` for 60 numbers, with codes of its own.
    const DYNAMIC: &[u8] = include_bytes!("../../tests/data/squares.zlib");

    fn unpacked(stream: &[u8]) -> Result<Vec<u8>, i32> {
        let mut out = vec![0; 418];
        inflate(stream, &mut out).map(|len| out[..len].to_vec())
    }

    fn squares() -> Vec<u8> {
        (0..60).map(|n| format!("{},{n:x};", n * n)).collect::<String>().into_bytes()
    }

    #[test]
    fn every_kind_of_block() {
        assert_eq!(unpacked(STORED).as_deref(), Ok(TEXT));
        assert_eq!(unpacked(FIXED).as_deref(), Ok(TEXT));
        assert_eq!(unpacked(DYNAMIC), Ok(squares()));
        assert_eq!(unpacked(&[FIXED, b"behind"].concat()).as_deref(), Ok(TEXT));
    }

    #[test]
    fn broken_streams_have_zlibs_codes() {
        let mut out = [0; TEXT.len() - 1];
        assert_eq!(inflate(FIXED, &mut out), Err(BUFFER_ERROR));
        assert_eq!(inflate(STORED, &mut out), Err(BUFFER_ERROR));
        for text in ["", "x", "ebra crossing"] {
            assert_eq!(unpacked(text.as_bytes()), Err(DATA_ERROR), "{text}");
        }
        for whole in [STORED, FIXED, DYNAMIC] {
            for end in 0..whole.len() {
                assert_eq!(unpacked(&whole[..end]), Err(DATA_ERROR), "{end}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_found() {
        for whole in [STORED, FIXED, DYNAMIC] {
            let text = unpacked(whole);
            // Bits of the first byte may stand for another window, which nobody asks for; so those of the
            // padding before the checksum.
            for bit in 16..whole.len() * 8 {
                let mut stream = whole.to_vec();
                stream[bit / 8] ^= 1 << (bit % 8);
                let result = unpacked(&stream);
                assert!(result.is_err() || result == text, "{bit}");
            }
        }
    }
}
