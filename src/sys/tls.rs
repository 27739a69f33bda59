//! OpenSSL calls that the `openssl` crate has no wrapper for. The crate links the library.

use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_long, c_uint};
use std::ptr;

use foreign_types::ForeignTypeRef as _;
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslRef};
use openssl_sys::{SSL, SSL_CTX, SSL_CTX_ctrl, SSL_CTX_set_dh_auto};

/// `SSL_CONF_CTX`, which nobody looks into.
#[repr(C)]
struct ConfCtx {
    _opaque: [u8; 0],
}

/// "recognise options intended for use in configuration files", e.g. `MinProtocol`.
const CONF_FLAG_FILE: c_uint = 0x2;
/// "recognise options intended for servers".
const CONF_FLAG_SERVER: c_uint = 0x8;
/// "indicate errors relating to unrecognised options or missing arguments in the error queue".
const CONF_FLAG_SHOW_ERRORS: c_uint = 0x10;

/// `SSL_CTRL_BUILD_CERT_CHAIN`.
const CTRL_BUILD_CERT_CHAIN: c_int = 105;
/// `SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR` "verification errors are ignored", `SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR`.
const BUILD_CHAIN_LENIENT: c_long = 0x8 | 0x10;

// SAFETY: as in <openssl/ssl.h> of version 3.
unsafe extern "C" {
    fn SSL_has_pending(ssl: *const SSL) -> c_int;
    fn SSL_new_session_ticket(ssl: *mut SSL) -> c_int;
    fn SSL_CTX_set_default_read_buffer_len(ctx: *mut SSL_CTX, len: usize);
    fn SSL_CTX_set_timeout(ctx: *mut SSL_CTX, seconds: c_long) -> c_long;
    fn SSL_CONF_CTX_new() -> *mut ConfCtx;
    fn SSL_CONF_CTX_free(conf: *mut ConfCtx);
    fn SSL_CONF_CTX_set_flags(conf: *mut ConfCtx, flags: c_uint) -> c_uint;
    fn SSL_CONF_CTX_set_ssl_ctx(conf: *mut ConfCtx, ctx: *mut SSL_CTX);
    fn SSL_CONF_CTX_finish(conf: *mut ConfCtx) -> c_int;
    fn SSL_CONF_cmd(conf: *mut ConfCtx, name: *const c_char, value: *const c_char) -> c_int;
}

/// Whether bytes lie in the library that were received but not read, decrypted or not.
#[must_use]
pub fn has_pending(ssl: &SslRef) -> bool {
    // SAFETY: the object lives through the call, which only looks.
    (unsafe { SSL_has_pending(ssl.as_ptr()) }) != 0
}

/// Has a session ticket sent by the next handshake step of a TLS 1.3 server; false where there is none to send.
pub fn new_session_ticket(ssl: &SslRef) -> bool {
    // SAFETY: the object lives through the call, which counts up what is to be sent.
    (unsafe { SSL_new_session_ticket(ssl.as_ptr()) }) == 1
}

/// How many bytes one read of the socket may bring where read-ahead is on.
pub fn set_read_buffer(context: &mut SslContextBuilder, bytes: usize) {
    // SAFETY: the context lives through the call, which stores the number.
    unsafe { SSL_CTX_set_default_read_buffer_len(context.as_ptr(), bytes) }
}

/// How long a session can be resumed.
pub fn set_session_timeout(context: &mut SslContextBuilder, seconds: u16) {
    // SAFETY: the context lives through the call, which stores the number.
    unsafe { SSL_CTX_set_timeout(context.as_ptr(), seconds.into()) };
}

/// Looks up who vouches for the certificate, among those that are trusted, and has all of them sent along. Without
/// this, or an explicit chain, the library does so in every handshake.
pub fn build_chain(context: &mut SslContextBuilder) {
    // SAFETY: the context lives through the call, which takes no pointer. What it returns is whether it has come to a
    // root, which need not be among them; it leaves no errors behind.
    unsafe {
        SSL_CTX_ctrl(context.as_ptr(), CTRL_BUILD_CERT_CHAIN, BUILD_CHAIN_LENIENT, ptr::null_mut())
    };
}

/// Lets the library choose parameters for Diffie-Hellman that fit the key.
pub fn set_dh_auto(context: &mut SslContextBuilder) {
    // SAFETY: the context lives through the call, which stores a flag.
    unsafe { SSL_CTX_set_dh_auto(context.as_ptr(), 1) };
}

/// Commands of `SSL_CONF_cmd(3)` for one server context.
pub struct Commands<'a> {
    conf: *mut ConfCtx,
    /// Borrowed, because the configuration points to it.
    _context: &'a mut SslContextBuilder,
}

impl<'a> Commands<'a> {
    /// # Errors
    /// No memory.
    pub fn new(context: &'a mut SslContextBuilder) -> Result<Self, ErrorStack> {
        // SAFETY: takes nothing; null is an error.
        let conf = unsafe { SSL_CONF_CTX_new() };
        if conf.is_null() {
            return Err(ErrorStack::get());
        }
        let flags = CONF_FLAG_FILE | CONF_FLAG_SERVER | CONF_FLAG_SHOW_ERRORS;
        // SAFETY: `conf` was made above.
        unsafe { SSL_CONF_CTX_set_flags(conf, flags) };
        // SAFETY: both live; the context outlives `conf` because it is borrowed.
        unsafe { SSL_CONF_CTX_set_ssl_ctx(conf, context.as_ptr()) };
        Ok(Self { conf, _context: context })
    }

    /// Carries out one command, e.g. `MinProtocol` `TLSv1.2`.
    ///
    /// # Errors
    /// What the library says: "-2" for a command it does not know, 0 for a value it cannot use.
    pub fn command(&mut self, name: &CStr, value: &CStr) -> Result<(), (i32, ErrorStack)> {
        // SAFETY: the strings end in NUL and live through the call, which copies what it keeps.
        let rc = unsafe { SSL_CONF_cmd(self.conf, name.as_ptr(), value.as_ptr()) };
        if rc > 0 { Ok(()) } else { Err((rc, ErrorStack::get())) }
    }

    /// "must be called after all commands".
    ///
    /// # Errors
    /// The commands do not go together.
    pub fn finish(self) -> Result<(), ErrorStack> {
        // SAFETY: `conf` is valid until drop.
        let rc = unsafe { SSL_CONF_CTX_finish(self.conf) };
        if rc == 1 { Ok(()) } else { Err(ErrorStack::get()) }
    }
}

impl Drop for Commands<'_> {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once, here.
        unsafe { SSL_CONF_CTX_free(self.conf) };
    }
}
