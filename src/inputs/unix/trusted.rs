//! What the kernel knows of a process that has sent a message: as text behind it, or as variables.
//!
//! Who reads this trusts it, because the sender cannot make it up; but a process may have ended by now, or become
//! another one. What cannot be read is left out.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};

use crate::limits::TRUSTED_BYTES;
use crate::message::json::{Case, Json, Object};
use crate::sys::local::Credentials;

/// Reads what is to be known of processes.
#[derive(Default)]
pub(super) struct Trusted {
    path: String,
    value: Vec<u8>,
    text: Vec<u8>,
}

impl Trusted {
    /// ` @[_PID=1 _UID=0 _GID=0 _COMM=init _EXE=/sbin/init _CMDLINE="/sbin/init"]`
    pub(super) fn text(&mut self, sender: Credentials) -> &[u8] {
        let Credentials { pid, uid, gid } = sender;
        self.text.clear();
        // Writing to memory does not fail.
        let _ = write!(self.text, " @[_PID={pid} _UID={uid} _GID={gid}");
        if self.read(pid, "comm") {
            self.text.extend_from_slice(b" _COMM=");
            self.text.extend_from_slice(&self.value);
        }
        if self.read_exe(pid) {
            self.text.extend_from_slice(b" _EXE=");
            self.text.extend_from_slice(&self.value);
        }
        if self.read(pid, "cmdline") {
            self.text.extend_from_slice(b" _CMDLINE=\"");
            for byte in &self.value {
                if matches!(byte, b'"' | b'\\') {
                    self.text.push(b'\\');
                }
                self.text.push(*byte);
            }
            self.text.push(b'"');
        }
        self.text.push(b']');
        &self.text
    }

    /// `{"pid": 1, "uid": 0, "gid": 0, "appname": "init", "exe": "/sbin/init", "cmd": "/sbin/init "}`
    pub(super) fn variables(&mut self, sender: Credentials) -> Json {
        let Credentials { pid, uid, gid } = sender;
        let mut object = Object::default();
        let mut set = |name: &str, value| object.set(name.as_bytes(), value, Case::Sensitive);
        set("pid", Json::Int(pid.into()));
        set("uid", Json::Int(uid.into()));
        set("gid", Json::Int(gid.into()));
        if self.read(pid, "comm") {
            set("appname", Json::text(&self.value));
        }
        if self.read_exe(pid) {
            set("exe", Json::text(&self.value));
        }
        if self.read(pid, "cmdline") {
            set("cmd", Json::text(&self.value));
        }
        Json::Object(object)
    }

    fn locate(&mut self, pid: i32, property: &str) {
        self.path.clear();
        // Writing to memory does not fail.
        let _ = write!(self.path, "/proc/{pid}/{property}");
    }

    /// Takes the first line of a file, with blanks for control characters; whether it can be read.
    fn read(&mut self, pid: i32, property: &str) -> bool {
        self.locate(pid, property);
        self.value.resize(TRUSTED_BYTES, 0);
        let Ok(read) = File::open(&self.path).and_then(|mut file| file.read(&mut self.value))
        else {
            return false;
        };
        self.value.truncate(read);
        if let Some(end) = memchr::memchr(b'\n', &self.value) {
            self.value.truncate(end);
        }
        self.value.iter_mut().filter(|c| c.is_ascii_control()).for_each(|c| *c = b' ');
        true
    }

    fn read_exe(&mut self, pid: i32) -> bool {
        use std::os::unix::ffi::OsStrExt as _;
        self.locate(pid, "exe");
        let Ok(path) = std::fs::read_link(&self.path) else { return false };
        let path = path.as_os_str().as_bytes();
        self.value.clear();
        self.value.extend_from_slice(path.get(..TRUSTED_BYTES).unwrap_or(path));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_one_that_is_gone() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let mut trusted = Trusted::default();
        let sender = Credentials { pid, uid: 5, gid: 6 };
        let text = String::from_utf8_lossy(trusted.text(sender)).into_owned();
        assert!(text.starts_with(&format!(" @[_PID={pid} _UID=5 _GID=6 _COMM=")), "{text}");
        let exe = std::env::current_exe().unwrap();
        assert!(text.contains(&format!(" _EXE={} _CMDLINE=\"", exe.display())), "{text}");
        assert!(text.ends_with(" \"]"), "{text}");

        let Json::Object(known) = trusted.variables(sender) else { panic!("no object") };
        let names = |object: &Object| {
            object
                .iter()
                .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&known), ["pid", "uid", "gid", "appname", "exe", "cmd"]);

        let gone = Credentials { pid: i32::MAX, uid: 0, gid: u32::MAX };
        let text = String::from_utf8_lossy(trusted.text(gone)).into_owned();
        assert_eq!(text, " @[_PID=2147483647 _UID=0 _GID=4294967295]");
        let Json::Object(known) = trusted.variables(gone) else { panic!("no object") };
        assert_eq!(names(&known), ["pid", "uid", "gid"]);
    }
}
