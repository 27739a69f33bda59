//! The actions that old selector lines end in: `/path`, `?template`, `|pipe`, `@host`, `^program`, `user,user`,
//! `:module:parameter;template`, `~`.

use super::ast::{ObjectKind, Span};
use super::check::Checker;
use super::checked::{ActionId, ObjectArgs, Stmt};
use super::diagnostic::{Diagnostic, did_you_mean};
use super::forward_target::Target;
use super::legacy::{Setting, apply};
use super::tables;
use crate::param::{Args, Class, FACILITIES, Module, Value};

/// Defaults of legacy action queues that differ from those of `action()`.
const LEGACY_ACTION_QUEUE: [(&str, i64); 2] =
    [("queue.timeoutShutdown", 0), ("queue.timeoutEnqueue", 50)];

/// The only modifier that has a place in selector lines.
const LEGACY_MODIFIER: &str = "mmjsonparse";

/// Words that statements begin with.
const STATEMENTS: [&str; 4] = ["stop", "call", "if", "set"];

fn is_statement(word: &str) -> bool {
    STATEMENTS.contains(&word) || word == "continue"
}

impl Checker<'_> {
    /// An action as selector lines end in.
    pub(super) fn legacy_action(
        &mut self,
        text: &[u8],
        span: Span,
        line: u32,
        body: &mut Vec<Stmt>,
    ) {
        match text {
            [b'~', ..] => {
                let text =
                    "warning: ~ action is deprecated, consider using the 'stop' statement instead";
                let diagnostic = Diagnostic::plain(span, text).warning().code(2307);
                self.diagnostics.push(diagnostic.help("write 'stop'"));
                self.actions_counted += 1;
                self.config.discards = true;
                // What was to go for the next action only is gone, though it means nothing here.
                self.legacy_core(span);
                body.push(Stmt::Stop);
            }
            [b'/' | b'.' | b'?' | b'-', ..] => {
                let accepted =
                    text[0] != b'-' || matches!(text.get(1), Some(b'/' | b'.' | b'?' | b'$'));
                if !accepted {
                    let error = self.action_error_text(span, line);
                    let help = "the path stands right behind the '-'";
                    return self.diagnostics.push(error.help(help));
                }
                let action = self.file_action(text, span, line);
                self.legacy_result(action, span, line, body);
            }
            [b':', rest @ ..] => self.module_action(rest, span, line, body),
            [b'@', ..] => self.forward_action(text, span, line, body),
            [b'|', path @ ..] => {
                self.path_action(tables::PIPE_MODULE, "pipe", path, span, line, body);
            }
            [b'^', program @ ..] => {
                self.path_action(tables::SHELL_MODULE, "program", program, span, line, body);
            }
            [first, ..] if first.is_ascii_alphanumeric() || matches!(first, b'_' | b'.' | b'*') => {
                self.bare_users_action(text, span, line, body);
            }
            _ => self.legacy_result(None, span, line, body),
        }
    }

    /// Login names without `:omusrmsg:` in front of them.
    fn bare_users_action(&mut self, text: &[u8], span: Span, line: u32, body: &mut Vec<Stmt>) {
        let help = self.not_a_user(&String::from_utf8_lossy(text));
        let file = self.diagnostics.source(span);
        let file = file.map_or_else(String::new, |source| source.name().to_owned());
        let text_of = format!("warnings occurred in file '{file}' around line {line}");
        self.users_action(text, span, line, body);
        self.diagnostics.push(Diagnostic::parsing(span, text_of).line(line).help(help));
    }

    /// What a word may have been meant as that stands where an action does.
    fn not_a_user(&self, word: &str) -> String {
        let facility = FACILITIES.iter().any(|(name, _)| name.eq_ignore_ascii_case(word));
        if facility {
            return format!("a selector is written {word}.* or {word}.info, without blanks");
        }
        if let Some(directive) = self.directive_named(word) {
            return format!("a directive begins with a dollar sign: ${directive}");
        }
        if let Some(plain) = word.strip_suffix(';').filter(|word| is_statement(word)) {
            return format!("write '{plain}' without the semicolon");
        }
        if ["elseif", "elsif", "elif"].contains(&word.to_ascii_lowercase().as_str()) {
            return "write 'else if'".to_owned();
        }
        let near = ObjectKind::ALL.iter().map(|(name, _)| *name);
        did_you_mean(word, near.chain(STATEMENTS))
            .unwrap_or_else(|| format!("to show messages to users, write ':omusrmsg:{word}'"))
    }

    /// `user,user;template` or `*;template`.
    fn users_action(&mut self, text: &[u8], span: Span, line: u32, body: &mut Vec<Stmt>) {
        let (users, rest) = match text {
            [b'*', rest @ ..] => (&text[..1], rest),
            _ => text.split_at(text.iter().position(|byte| *byte == b';').unwrap_or(text.len())),
        };
        let users = ("users", Value::Str(users.trim_ascii_end().to_vec()));
        self.named_action(tables::USERS_MODULE, &[users], rest, span, line, body);
    }

    /// A path up to a blank or `;`, then `;template`.
    fn path_action(
        &mut self,
        module: &str,
        param: &'static str,
        text: &[u8],
        span: Span,
        line: u32,
        body: &mut Vec<Stmt>,
    ) {
        let end = text.iter().position(|byte| matches!(byte, b';' | b' ')).unwrap_or(text.len());
        let path = (param, Value::Str(text[..end].to_vec()));
        self.named_action(module, &[path], &text[end..], span, line, body);
    }

    /// `@host:port` (UDP) or `@@(options)host:port` (TCP).
    fn forward_action(&mut self, text: &[u8], span: Span, line: u32, body: &mut Vec<Stmt>) {
        let target = Target::parse(text);
        for text in &target.wrong {
            self.diagnostics.push(Diagnostic::plain(span, text.as_str()));
        }
        let settings = target.settings();
        self.named_action(tables::FORWARD_MODULE, &settings, target.rest, span, line, body);
    }

    fn named_action(
        &mut self,
        module: &str,
        settings: &[(&'static str, Value)],
        rest: &[u8],
        span: Span,
        line: u32,
        body: &mut Vec<Stmt>,
    ) {
        let Some(module) = self.catalogue.modules.iter().find(|known| known.name == module) else {
            return self.missing(span, &format!("module '{module}'"));
        };
        let stored = self.legacy.instances.get(module.name).cloned().unwrap_or_default();
        let action = self.with_template(rest, span, module, &stored, settings);
        self.legacy_result(action, span, line, body);
    }

    fn missing_action(&mut self, module: &str, text: &[u8], span: Span) {
        let shown = String::from_utf8_lossy(text);
        let what = format!("action '{}' ({module})", shown.trim_end());
        self.missing(span, &what);
    }

    fn legacy_result(
        &mut self,
        action: Option<ActionId>,
        span: Span,
        line: u32,
        body: &mut Vec<Stmt>,
    ) {
        match action {
            Some(id) => body.push(self.action_statement(id)),
            None => self.action_error(span, line),
        }
    }

    /// `:module:parameter;template`
    fn module_action(&mut self, text: &[u8], span: Span, line: u32, body: &mut Vec<Stmt>) {
        let end = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
        let (name, rest) = (&text[..end], text.get(end + 1..).unwrap_or_default());
        let name = Self::module_name(name);
        if name == tables::FILE_MODULE {
            let action = self.file_action(rest, span, line);
            return self.legacy_result(action, span, line, body);
        }
        if name == tables::USERS_MODULE {
            return self.users_action(rest, span, line, body);
        }
        let known = self.catalogue.modules.iter().find(|module| module.name == name);
        if known.is_none() && tables::REFERENCE_MODULES.contains(&name.as_str()) {
            return self.missing_action(&name, &[b":", text].concat(), span);
        }
        let Some(module) = self.loaded_module(name.as_bytes(), Class::Output, span) else {
            return self.action_error(span, line);
        };
        if module.name == tables::DISCARD_MODULE {
            let text = self.action_error_text(span, line);
            return self.diagnostics.push(text.help("write 'stop'"));
        }
        if module.class == Class::Modifier && module.name != LEGACY_MODIFIER {
            let help = format!("write action(type=\"{name}\")");
            let text = format!("module '{name}' cannot be used in a selector line");
            self.diagnostics.push(Diagnostic::parsing(span, text).help(help));
            return self.action_error(span, line);
        }
        let action = self.with_template(rest, span, module, &[], &[]);
        self.legacy_result(action, span, line, body);
    }

    /// `[-]/path`, `?template`, `$channel`, each with `;template` behind it.
    fn file_action(&mut self, text: &[u8], span: Span, line: u32) -> Option<ActionId> {
        let module = self.loaded_module(tables::FILE_MODULE.as_bytes(), Class::Output, span)?;
        let (unsynced, text) = text.strip_prefix(b"-").map_or((false, text), |text| (true, text));
        let end =
            text.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t')).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let mut settings = Vec::new();
        match name {
            [b'?', template @ ..] => settings.push(("dynaFile", Value::Str(template.to_vec()))),
            [b'$', channel @ ..] => settings.extend(self.channel_settings(channel, span, line)?),
            [b'/' | b'.', ..] => settings.push(("file", Value::Str(name.to_vec()))),
            _ => return None,
        }
        if unsynced {
            settings.push(("sync", Value::Bool(false)));
        }
        let stored = self.legacy.instances.get(module.name).cloned().unwrap_or_default();
        self.with_template(rest, span, module, &stored, &settings)
    }

    fn channel_settings(
        &mut self,
        channel: &[u8],
        span: Span,
        line: u32,
    ) -> Option<Vec<(&'static str, Value)>> {
        let shown = String::from_utf8_lossy(channel);
        let wrong = match self.config.out_channels.iter().find(|known| known.name == shown) {
            None => format!("outchannel '{shown}' not found - ignoring action line"),
            Some(found) if found.path.is_empty() => {
                format!("outchannel '{shown}' has no file name template - ignoring action line")
            }
            Some(found) => {
                let mut settings = vec![
                    ("file", Value::Str(found.path.clone())),
                    ("rotation.sizeLimit", Value::Size(found.size_limit)),
                    ("rotation.sizeLimitCommandPassFileName", Value::Bool(false)),
                ];
                if !found.command.is_empty() {
                    settings.push(("rotation.sizeLimitCommand", Value::Str(found.command.clone())));
                }
                return Some(settings);
            }
        };
        let known = self.config.out_channels.iter().map(|channel| channel.name.as_str());
        let help = self.diagnostics.suggest(&shown, known);
        self.diagnostics.push(Diagnostic::parsing(span, wrong).line(line).maybe_help(help));
        None
    }

    /// Makes the action; `rest`, the end of its text, may hold `;template` and a comment.
    fn with_template(
        &mut self,
        rest: &[u8],
        span: Span,
        module: &'static Module,
        stored: &[Setting],
        settings: &[(&'static str, Value)],
    ) -> Option<ActionId> {
        let rest = rest.trim_ascii_start();
        let place = end_of(span, rest.len().saturating_sub(1));
        let template = match rest.first() {
            None | Some(b'#') => &[],
            Some(b';') => {
                let name = rest[1..].trim_ascii_start();
                let end = name.iter().position(|byte| *byte == b'#' || byte.is_ascii_whitespace());
                &name[..end.unwrap_or(name.len())]
            }
            Some(_) => {
                let text = "invalid character in selector line - ';template' expected";
                let help = match rest.first() {
                    Some(b'&') => "a further action, and '& stop', stand on a line of their own",
                    _ => "behind the action only ;template may stand",
                };
                self.diagnostics.push(Diagnostic::plain(span, text).help(help));
                return None;
            }
        };
        let mut args = ObjectArgs::new(Args::defaults(&[module.params]), span);
        apply(stored, &mut args);
        for (name, value) in settings {
            args.args.set(name, value.clone());
        }
        // Modifiers have always accepted one, and made nothing of it.
        if !template.is_empty() && module.class != Class::Modifier {
            if args.args.param("template").is_none() {
                let text = format!("{} takes no template", module.name);
                self.diagnostics.push(Diagnostic::plain(span, text));
                return None;
            }
            args.args.set("template", Value::Str(template.to_vec()));
            args.note("template", place);
        }
        let (core, queue) = self.legacy_core(span);
        let id = self.add_action(module, core, queue, args)?;
        self.config.actions[id.0].own_defaults = true;
        Some(id)
    }

    /// What directives have set for the next action.
    fn legacy_core(&mut self, span: Span) -> (ObjectArgs, ObjectArgs) {
        let mut core = ObjectArgs::new(Args::defaults(&[tables::ACTION]), span);
        apply(&self.legacy.action, &mut core);
        let only_next =
            ["name", "action.execOnlyEveryNthTime", "action.execOnlyEveryNthTimeTimeout"];
        self.legacy.action.retain(|(row, ..)| !only_next.contains(&row.name));
        let mut queue = ObjectArgs::new(Args::defaults(&[tables::QUEUE_ACTION]), span);
        for (name, value) in LEGACY_ACTION_QUEUE {
            queue.args.set_default(name, Some(Value::Int(value)));
        }
        apply(&std::mem::take(&mut self.legacy.action_queue), &mut queue);
        self.check_queue_type(&mut queue);
        (core, queue)
    }
}

/// The last `len` bytes of a span.
fn end_of(span: Span, len: usize) -> Span {
    let len = u32::try_from(len).unwrap_or(u32::MAX).min(span.len);
    Span { offset: span.offset + span.len - len, len: len.max(1), ..span }
}
