//! omusrmsg: messages onto the terminals of users who are logged in.
//!
//! A terminal that does not take a message at once does not get it, as with wall(1): nobody waits for a user
//! who has pressed Ctrl-S.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use super::{Failure, Lost, Output, OutputEnv, OutputKind, OutputWorker};
use crate::message::Msg;
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::sys::logins::logins;
use crate::template::Template;

/// Most users of one action, and the longest login name in bytes, as in the reference.
const USERS_MAX: usize = 20;
const NAME_MAX: usize = 32;

static MODULE: Module = Module {
    name: "omusrmsg",
    class: Class::Output,
    builtin: true,
    summary: "Shows messages to users who are logged in.",
    module_params: &[],
    params: &[
        Param::required(
            "users",
            Kind::Str,
            "Login names, with commas between them, or * for everybody.",
        ),
        Param::new("template", Kind::Word, None, "Template of the messages."),
        Param::new("ratelimit.interval", Kind::INT, None, "Seconds of a rate limit.").missing(),
        Param::new("ratelimit.burst", Kind::INT, None, "Messages in ratelimit.interval.").missing(),
        Param::new("ratelimit.name", Kind::Str, None, "Name of a rate limit.").missing(),
    ],
    legacy_create: None,
    counters: &[],
    examples: &["*.emerg :omusrmsg:*", r#"*.crit action(type="omusrmsg" users="root,admin")"#],
};

/// The omusrmsg module.
pub static KIND: OutputKind = OutputKind { module: &MODULE, build };

fn build(args: &Args, _: &Args, env: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let users = args.str("users").unwrap_or_default();
    let everybody = users == b"*";
    let default: &[u8] = if everybody { b" WallFmt" } else { b" StdUsrMsgFmt" };
    let template = env.template_or_problem(0, args.str("template").unwrap_or(default));
    let users = (!everybody).then(|| names(users, env.report));
    Ok(Arc::new(Users { template: template.map_err(|problem| vec![problem])?, users }))
}

/// The names of a list, without those that cannot be any.
fn names(list: &[u8], report: &dyn Fn(Problem)) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    if list.is_empty() {
        return names;
    }
    for name in list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii_start) {
        let text = if name.is_empty() {
            "no user name given - ignored".to_owned()
        } else if name.len() > NAME_MAX {
            let shown = String::from_utf8_lossy(&name[..NAME_MAX]);
            format!("user name '{shown}...' too long - ignored")
        } else if names.len() == USERS_MAX {
            report(Problem::warning(format!(
                "omusrmsg supports only up to {USERS_MAX} user names in a single action - all others have been \
                 ignored"
            )));
            break;
        } else {
            names.push(name.to_vec());
            continue;
        };
        report(Problem::warning(text));
    }
    names
}

struct Users {
    template: Arc<Template>,
    /// `None`: everybody.
    users: Option<Vec<Vec<u8>>>,
}

impl Output for Users {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Worker { output: self, text: Vec::new() })
    }
}

struct Worker {
    output: Arc<Users>,
    text: Vec<u8>,
}

impl OutputWorker for Worker {
    fn push(&mut self, msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        self.text.clear();
        self.output.template.render(msg, &mut self.text);
        let wanted = |user| self.output.users.as_ref().is_none_or(|users| users.contains(user));
        for login in logins().iter().filter(|login| wanted(&login.user)) {
            show(&Path::new("/dev").join(OsStr::from_bytes(&login.terminal)), &self.text);
        }
        Ok(())
    }
}

/// Writes to a terminal whose owner has not turned messages off (mesg(1)).
fn show(terminal: &Path, text: &[u8]) {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let Ok(mut file) = OpenOptions::new().write(true).custom_flags(flags).open(terminal) else {
        return;
    };
    if file.metadata().is_ok_and(|meta| meta.mode() & libc::S_IWUSR != 0) {
        // What does not fit is not shown; see above.
        let _ = file.write(text);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn lists_of_users() {
        let texts = RefCell::new(Vec::new());
        let report = |problem: Problem| texts.borrow_mut().push(problem.text);
        let long = "x".repeat(33);
        let some = names(format!("root,, bob,{long},{}", "y".repeat(32)).as_bytes(), &report);
        assert_eq!(some, [&b"root"[..], b"bob", "y".repeat(32).as_bytes()]);
        let expected = [
            "no user name given - ignored".to_owned(),
            format!("user name '{}...' too long - ignored", "x".repeat(32)),
        ];
        assert_eq!(*texts.borrow(), expected);
        assert_eq!(names(&b"u,".repeat(30), &|_| ()).len(), USERS_MAX);
    }

    #[test]
    fn a_terminal_gets_the_text_unless_its_owner_does_not_want_it() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("tty");
        std::fs::write(&path, "").expect("file");
        show(&path, b"hello");
        assert_eq!(std::fs::read(&path).expect("read"), b"hello");
        show(&dir.path().join("gone"), b"hello");
    }
}
