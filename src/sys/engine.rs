//! OpenSSL's engines (`global(defaultOpensslEngine)`): deprecated, and left out of some builds of the library, so that its
//! functions are looked up when they are asked for.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem;

use openssl::error::ErrorStack;

/// `ENGINE`, which nobody looks into.
#[repr(C)]
struct Engine {
    _opaque: [u8; 0],
}

type Take = unsafe extern "C" fn(*mut Engine) -> c_int;

/// Loads the engine of this name and takes what it has for DSA and ciphers, as the reference does. It stays for as long
/// as the process runs.
///
/// # Errors
/// There is no such engine, it cannot be initialised, or the library knows no engines; with the library's reasons.
pub fn set_default(name: &str) -> Result<(), String> {
    let failed = || {
        let stack = ErrorStack::get();
        let why =
            if stack.errors().is_empty() { "no such engine".into() } else { stack.to_string() };
        format!("error: ENGINE_init failed to load Engine '{name}': {why}")
    };
    let c_name = CString::new(name).map_err(|why| why.to_string())?;
    let by_id = symbol(c"ENGINE_by_id")?;
    let init = take(c"ENGINE_init")?;
    let defaults = [take(c"ENGINE_set_default_DSA")?, take(c"ENGINE_set_default_ciphers")?];
    let finish = take(c"ENGINE_finish")?;
    let free = take(c"ENGINE_free")?;
    // SAFETY: ENGINE_by_id(3): "ENGINE *ENGINE_by_id(const char *id);"
    let by_id: unsafe extern "C" fn(*const c_char) -> *mut Engine =
        unsafe { mem::transmute(by_id) };
    // SAFETY: the name ends in NUL and lives through the call, which returns a structural reference or null.
    let engine = unsafe { by_id(c_name.as_ptr()) };
    if engine.is_null() {
        return Err(failed());
    }
    // SAFETY: the reference is valid; the call adds a functional one if it succeeds.
    let ready = unsafe { init(engine) } == 1;
    if ready {
        for default in defaults {
            // SAFETY: the engine is initialised; the call takes a reference of its own where it has the algorithm.
            unsafe { default(engine) };
        }
        // SAFETY: gives the functional reference back that ENGINE_init has made.
        unsafe { finish(engine) };
    }
    // SAFETY: gives the structural reference back that ENGINE_by_id has made.
    unsafe { free(engine) };
    if ready { Ok(()) } else { Err(failed()) }
}

/// A function of the library that takes an engine and returns whether it could do its part.
fn take(name: &CStr) -> Result<Take, String> {
    // SAFETY: ENGINE_add(3) lists all of them as "int ENGINE_…(ENGINE *e);".
    symbol(name).map(|function| unsafe { mem::transmute::<*mut c_void, Take>(function) })
}

/// A function of a library that is linked.
fn symbol(name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the name ends in NUL; RTLD_DEFAULT looks among what is loaded already.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    let missing = "this OpenSSL has no engines: defaultOpensslEngine has no effect";
    (!found.is_null()).then_some(found).ok_or_else(|| missing.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_does_not_exist_is_named() {
        let why = set_default("nosuch").unwrap_err();
        assert!(why.contains("'nosuch'") || why.contains("no engines"), "{why}");
        assert!(set_default("a\0b").is_err());
    }
}
