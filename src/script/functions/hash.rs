//! fmhash: hash functions for distributing messages. Not cryptographic; the same as the reference's when it is built
//! without xxHash, as Debian's is.

use super::{Call, Function, Kind, Returned};
use crate::param::{Class, Module};

/// The module that these functions come with.
pub(super) static MODULE: Module = Module {
    name: "fmhash",
    class: Class::Function,
    builtin: false,
    summary: "The functions hash32(), hash32mod(), hash64() and hash64mod().",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="fmhash")
if hash64mod($hostname, 2) == 0 then action(type="omfile" file="/var/log/even")
else action(type="omfile" file="/var/log/odd")"#],
};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "hash32",
        args: 1..=2,
        doc: "A hash of a text with 32 bits, with a number to begin from; 0 where that is none.",
        examples: &[("hash32('x')", "120"), ("hash32('hello world', 7)", "4087331421")],
        kind: Kind::Plain(|call, _| number(hash(call, fnv, 1))),
    },
    Function {
        name: "hash32mod",
        args: 2..=3,
        doc: "The same, modulo a number; 0 where that is 0 or none.",
        examples: &[("hash32mod(' text', 100, 3)", "64"), ("hash32mod('x', 0)", "0")],
        kind: Kind::Plain(|call, _| number(modulo(call, fnv))),
    },
    Function {
        name: "hash64",
        args: 1..=2,
        doc: "A hash of a text with 64 bits, as hash32().",
        examples: &[("hash64('')", "5381"), ("hash64('hello world', 7)", "-4677384763180952756")],
        kind: Kind::Plain(|call, _| number(hash(call, bernstein, 1))),
    },
    Function {
        name: "hash64mod",
        args: 2..=3,
        doc: "The same, modulo a number; 0 where that is 0 or none.",
        examples: &[("hash64mod('x', 100)", "29"), ("hash64mod('x', 'y')", "0")],
        kind: Kind::Plain(|call, _| number(modulo(call, bernstein))),
    },
];

type Hash = fn(&[u8], u32) -> u64;

fn number(hash: Option<u64>) -> Returned {
    Returned::Number(hash.map_or(0, |hash| i64::from_ne_bytes(hash.to_ne_bytes())))
}

/// The hash of the first argument; `seed` is the index of the argument it begins from.
fn hash(call: &mut Call<'_, '_>, function: Hash, seed: usize) -> Option<u64> {
    let start = match call.len() > seed {
        true => count(call, seed)?,
        false => 0,
    };
    let [b0, b1, b2, b3, ..] = start.to_le_bytes();
    let start = u32::from_le_bytes([b0, b1, b2, b3]);
    Some(call.text(0, |text| {
        let end = memchr::memchr(0, text).unwrap_or(text.len());
        function(text.get(..end).unwrap_or_default(), start)
    }))
}

fn modulo(call: &mut Call<'_, '_>, function: Hash) -> Option<u64> {
    let by = count(call, 1)?;
    hash(call, function, 2)?.checked_rem(by)
}

/// An argument that is a number, as C takes it for an unsigned one.
fn count(call: &mut Call<'_, '_>, index: usize) -> Option<u64> {
    let (number, is_number) = call.number(index);
    is_number.then(|| u64::from_ne_bytes(number.to_ne_bytes()))
}

/// FNV-1.
fn fnv(text: &[u8], seed: u32) -> u64 {
    text.iter().fold(seed, |hash, c| hash.wrapping_mul(0x0100_0193) ^ u32::from(*c)).into()
}

/// Bernstein's hash, modified: with exclusive or, and with bytes that have a sign.
fn bernstein(text: &[u8], seed: u32) -> u64 {
    let signed = |c: u8| u64::from_ne_bytes(i64::from(i8::from_ne_bytes([c])).to_ne_bytes());
    let hash = text.iter().fold(5381_u64, |hash, c| hash.wrapping_mul(33) ^ signed(*c));
    hash.wrapping_add(seed.into())
}
