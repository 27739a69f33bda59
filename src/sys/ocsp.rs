//! OCSP calls of OpenSSL that the `openssl` crate has no wrapper for. The crate links the library.

use std::os::raw::{c_int, c_uchar};
use std::ptr;

use foreign_types::ForeignTypeRef as _;
use openssl::asn1::Asn1GeneralizedTimeRef;
use openssl::error::ErrorStack;
use openssl::ocsp::{OcspBasicResponseRef, OcspRequestRef};
use openssl_sys::{ASN1_TIME_diff, OCSP_BASICRESP, OCSP_REQUEST};

// SAFETY: as in <openssl/ocsp.h> of version 3.
unsafe extern "C" {
    fn OCSP_request_add1_nonce(
        request: *mut OCSP_REQUEST,
        value: *mut c_uchar,
        len: c_int,
    ) -> c_int;
    fn OCSP_check_nonce(request: *mut OCSP_REQUEST, response: *mut OCSP_BASICRESP) -> c_int;
}

/// How the random numbers in a question and its answer compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonce {
    /// They are equal: the answer was made for this question.
    Equal,
    /// The answer has none: it may have been made earlier.
    Absent,
    /// The answer is one to another question.
    Other,
}

/// Puts a random number into a question.
///
/// # Errors
/// No memory or no randomness.
pub fn add_nonce(request: &mut OcspRequestRef) -> Result<(), ErrorStack> {
    // SAFETY: the request lives through the call. "If val is NULL a random nonce is used. If len is zero or negative a
    // default length will be used".
    let rc = unsafe { OCSP_request_add1_nonce(request.as_ptr(), ptr::null_mut(), -1) };
    if rc == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}

/// Compares the random numbers.
#[must_use]
pub fn compare_nonce(request: &OcspRequestRef, response: &OcspBasicResponseRef) -> Nonce {
    // SAFETY: both live through the call, which only looks.
    match unsafe { OCSP_check_nonce(request.as_ptr(), response.as_ptr()) } {
        1 => Nonce::Equal,
        // "-1 nonce in request only"; 2 and 3 are those where the request has none.
        -1 => Nonce::Absent,
        _ => Nonce::Other,
    }
}

/// Seconds from now until `time`, negative where it has passed; `None` where it is no time.
#[must_use]
pub fn seconds_until(time: &Asn1GeneralizedTimeRef) -> Option<i64> {
    let (mut days, mut seconds) = (0, 0);
    // SAFETY: the results are valid for writing; "If from or to is NULL the current time is used"; an ASN1_TIME is
    // "either a UTCTime or a GeneralizedTime", by its tag.
    let rc = unsafe {
        ASN1_TIME_diff(&raw mut days, &raw mut seconds, ptr::null(), time.as_ptr().cast())
    };
    (rc == 1).then(|| i64::from(days) * 86_400 + i64::from(seconds))
}
