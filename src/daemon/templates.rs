//! The templates of a configuration, compiled, and what `compatibility.defaults.secure` says of those that make the names
//! of files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::config::diagnostic::did_you_mean;
use crate::config::{Config, Diagnostics, Element, ObjectArgs, TemplateDecl, TemplateKind};
use crate::message::Property;
use crate::param::{About, Args, Problem, SecureDefaults};
use crate::template::{self, Template};

/// All templates a configuration can name.
#[derive(Debug, Default)]
pub(super) struct Templates(HashMap<Vec<u8>, Arc<Template>>);

impl Templates {
    /// Compiles the templates of the configuration. One that does not compile does not exist.
    pub(super) fn build(
        config: &Config,
        secure: SecureDefaults,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut compiled = HashMap::new();
        let uses = TemplateUses::of(config);
        for decl in &config.templates {
            let body = ObjectArgs::new(Args::default(), decl.body);
            let paths = uses.paths(decl, secure, diagnostics);
            let mut report = |index, problem: Problem| {
                let problem =
                    Problem { help: problem.help.or(near_property(&problem.text)), ..problem };
                diagnostics.push(element_at(decl, index).unwrap_or(&body).diagnose(&problem));
            };
            if let Some(template) = compile(decl, paths, &mut report) {
                compiled.insert(decl.name.clone().into_bytes(), Arc::new(template));
            }
        }
        Self(compiled)
    }

    /// The template of this name. Built-in ones were there first, so their names cannot be taken.
    pub(super) fn find(&self, name: &[u8]) -> Option<Arc<Template>> {
        template::builtin(name).or_else(|| self.0.get(name).cloned())
    }
}

/// Names of templates by what actions make of them: the names of files, or something else.
struct TemplateUses<'a> {
    paths: HashSet<&'a [u8]>,
    others: HashSet<&'a [u8]>,
}

impl<'a> TemplateUses<'a> {
    fn of(config: &'a Config) -> Self {
        let names = |param: &'static str| {
            let args = config.actions.iter().map(|action| &action.args.args);
            args.filter(|args| args.param(param).is_some())
                .filter_map(|args| args.str(param))
                .collect()
        };
        Self { paths: names("dynaFile"), others: names("template") }
    }

    /// What becomes of slashes in a template's properties.
    fn paths(
        &self,
        decl: &TemplateDecl,
        secure: SecureDefaults,
        diagnostics: &mut Diagnostics,
    ) -> template::Paths {
        if !self.paths.contains(decl.name.as_bytes()) {
            return template::Paths::Keep;
        }
        if self.others.contains(decl.name.as_bytes()) {
            let how = match secure {
                SecureDefaults::Strict => {
                    "strict secure dynafile defaults apply to the shared template,"
                }
                _ => "in strict mode, secure dynafile defaults apply to the shared template,",
            };
            let text = format!(
                "template '{}' is used both as an omfile dynafile template and for other output; {how} use separate \
             templates if literal slashes must be preserved outside dynafile paths",
                decl.name
            );
            let problem = Problem::warning(text).code(2207);
            let problem = Problem { about: About::Insecure, ..problem };
            diagnostics.push(ObjectArgs::new(Args::default(), decl.body).diagnose(&problem));
        }
        match secure {
            SecureDefaults::Strict => template::Paths::Replace,
            SecureDefaults::Warn => template::Paths::Warn,
            SecureDefaults::Compatible => template::Paths::Keep,
        }
    }
}

fn compile(
    decl: &TemplateDecl,
    paths: template::Paths,
    report: template::Report<'_>,
) -> Option<Template> {
    let options = template::Options {
        sql: decl.options.sql,
        stdsql: decl.options.stdsql,
        json: decl.options.json,
        jsonf: decl.options.jsonf,
        jsonftree: decl.options.jsonftree,
        case_sensitive: decl.options.case_sensitive,
        paths,
    };
    let elements: Vec<template::Element<'_>>;
    let content = match &decl.kind {
        TemplateKind::String { text, legacy } => {
            template::Content::String { text, legacy: *legacy }
        }
        TemplateKind::List(list) => {
            elements = list.iter().map(element).collect();
            template::Content::List(&elements)
        }
        TemplateKind::Subtree(path) => template::Content::Subtree(path),
        TemplateKind::Plugin(name) => template::Content::Plugin(name),
    };
    Template::compile(&decl.name, &content, options, report)
}

/// The object with this number in the body of a list template.
fn element_at(decl: &TemplateDecl, index: Option<usize>) -> Option<&ObjectArgs> {
    match (&decl.kind, index) {
        (TemplateKind::List(list), Some(index)) => list.get(index).map(|element| match element {
            Element::Property(object) | Element::Constant(object) => object,
        }),
        _ => None,
    }
}

fn element(element: &Element) -> template::Element<'_> {
    match element {
        Element::Property(object) => template::Element::Property(&object.args),
        Element::Constant(object) => template::Element::Constant(&object.args),
    }
}

/// The nearest name, where the text says that a property does not exist.
fn near_property(text: &str) -> Option<String> {
    let name = text.strip_prefix("invalid property '")?.strip_suffix('\'')?;
    did_you_mean(name, Property::names())
}
