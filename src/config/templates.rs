//! `template()`: what it is made from. Whether that makes sense is for the template compiler to say.

use super::args::{self, Left};
use super::ast::{Object, ObjectKind};
use super::check::Checker;
use super::checked::{Element, ObjectArgs, TemplateDecl, TemplateKind, TemplateOptions};
use super::diagnostic::{Diagnostic, did_you_mean};
use super::tables;

/// Template types whose content is the parameter of the same name.
const TEMPLATE_SOURCES: [&str; 3] = ["string", "subtree", "plugin"];

impl Checker<'_> {
    pub(super) fn template(&mut self, object: &Object) {
        let line = object.end_line;
        let template = self.checked_template(object);
        match template {
            Some(template) => self.add_template(template),
            None => {
                let text = "error processing template object";
                self.diagnostics
                    .push(Diagnostic::parsing(object.span, text).line(line).follow_up());
            }
        }
    }

    fn checked_template(&mut self, object: &Object) -> Option<TemplateDecl> {
        let Ok([args]) = args::check(object, [tables::TEMPLATE], self.diagnostics) else {
            let text = "error processing template config parameters";
            let diagnostic = Diagnostic::parsing(object.span, text).line(object.end_line);
            self.diagnostics.push(diagnostic.follow_up());
            return None;
        };
        let name = args.args.text("name").unwrap_or_default();
        let kind = args.args.text("type").unwrap_or_default();
        let source = TEMPLATE_SOURCES.iter().find(|source| **source == kind).copied();
        let text = source.and_then(|source| args.args.str(source)).map(<[u8]>::to_vec);
        let kind = match (kind.as_str(), text) {
            ("list", _) if object.elements.is_empty() => {
                let text = format!("template '{name}' of type list has no parameters specified");
                self.diagnostics.push(Diagnostic::plain(object.span, text));
                return None;
            }
            ("list", _) => TemplateKind::List(self.elements(object)?),
            ("string", Some(text)) => TemplateKind::String { text, legacy: false },
            ("subtree", Some(text)) => TemplateKind::Subtree(text),
            ("plugin", Some(text)) => TemplateKind::Plugin(text),
            (kind, _) => {
                let (text, at, help) = match source {
                    Some(_) => (
                        format!("template '{name}' of type {kind} needs {kind} parameter"),
                        object.span,
                        None,
                    ),
                    None => {
                        let known = TEMPLATE_SOURCES.iter().copied().chain(["list"]);
                        let help = did_you_mean(kind, known);
                        (format!("invalid template type '{kind}'"), args.place("type"), help)
                    }
                };
                self.diagnostics.push(Diagnostic::plain(at, text).maybe_help(help));
                return None;
            }
        };
        self.ignored_sources(object, source, &args);
        let body = source.map_or(object.span, |source| args.place(source));
        let option = |name| args.args.bool(name);
        let options = TemplateOptions {
            sql: option("option.sql"),
            stdsql: option("option.stdsql"),
            json: option("option.json"),
            jsonf: option("option.jsonf"),
            jsonftree: option("option.jsonftree"),
            case_sensitive: option("option.casesensitive"),
        };
        let options_given =
            [options.sql, options.stdsql, options.json, options.jsonf, options.jsonftree];
        if options_given.into_iter().filter(|given| *given).count() > 1 {
            let text = format!(
                "template '{name}' has multiple incompatible options of sql, stdsql, json, jsonf or jsonftree specified"
            );
            self.diagnostics.push(Diagnostic::plain(object.span, text));
            return None;
        }
        Some(TemplateDecl { name, kind, options, span: object.span, body })
    }

    /// Says which contents belong to another type.
    fn ignored_sources(
        &mut self,
        object: &Object,
        source: Option<&'static str>,
        args: &ObjectArgs,
    ) {
        let name = args.args.text("name").unwrap_or_default();
        let others = TEMPLATE_SOURCES.into_iter().filter(|other| source != Some(other));
        let others = others.filter(|other| args.args.given(other));
        let mut found: Vec<_> = others
            .map(|other| {
                let text = format!(
                    "template '{name}' is not a {other} template but has a {other} specified - ignored"
                );
                (text, args.place(other))
            })
            .collect();
        if let (Some(_), Some(element)) = (source, object.elements.first()) {
            let text = format!(
                "template '{name}' is not a list template but has parameters specified - ignored"
            );
            found.push((text, element.span));
        }
        for (text, place) in found {
            self.diagnostics.push(Diagnostic::plain(place, text));
        }
    }

    fn elements(&mut self, template: &Object) -> Option<Vec<Element>> {
        let mut elements = Vec::new();
        let mut valid = true;
        for element in &template.elements {
            let is_property = element.kind == ObjectKind::Property;
            let table = if is_property { tables::PROPERTY } else { tables::CONSTANT };
            match args::check(element, [table], self.diagnostics) {
                Ok([args]) if is_property => elements.push(Element::Property(args)),
                Ok([args]) => elements.push(Element::Constant(args)),
                Err(Left::Disabled) => {}
                Err(Left::Invalid) => {
                    let text = "error processing template entry config parameters";
                    let diagnostic = Diagnostic::parsing(element.span, text).line(element.end_line);
                    self.diagnostics.push(diagnostic.follow_up());
                    valid = false;
                }
            }
        }
        valid.then_some(elements)
    }

    /// Adds a template; of several with one name, the first counts.
    pub(super) fn add_template(&mut self, template: TemplateDecl) {
        if self.templates.insert(template.name.clone().into_bytes()) {
            self.config.templates.push(template);
        }
    }
}
