//! The templates: those built in, and those put in their place.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior, Value};

use crate::error::Error;
use crate::escape;
use crate::theme::Theme;

/// Everything that can be replaced.
pub(crate) const BUILT_IN: [(&str, &str); 11] = [
    ("account.html", include_str!("../templates/account.html")),
    ("client.html", include_str!("../templates/client.html")),
    ("consent.html", include_str!("../templates/consent.html")),
    ("error.html", include_str!("../templates/error.html")),
    ("form_post.html", include_str!("../templates/form_post.html")),
    ("layout.html", include_str!("../templates/layout.html")),
    ("links.html", include_str!("../templates/links.html")),
    ("logged_out.html", include_str!("../templates/logged_out.html")),
    ("login.html", include_str!("../templates/login.html")),
    ("logout.html", include_str!("../templates/logout.html")),
    (STYLE, include_str!("../templates/style.css")),
];

const STYLE: &str = "style.css";

/// Compiles the templates, with `replaced` in the place of the built-in ones of the same names.
pub(crate) fn compile(
    theme: &Theme,
    replaced: &BTreeMap<String, String>,
) -> Result<Environment<'static>, Error> {
    if let Some(name) = replaced.keys().find(|name| BUILT_IN.iter().all(|(known, _)| known != name))
    {
        let known = BUILT_IN.map(|(known, _)| known).join(", ");
        return Err(Error::UnknownTemplate { name: name.clone(), known });
    }
    let mut environment = Environment::new();
    // Errors then name the variable; the builder turns it off once everything has been tried.
    environment.set_debug(true);
    // A misspelt variable is an error that the builder sees, not a gap that the person sees.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(escape::write);
    environment.add_global("theme", theme.value());
    for (name, source) in BUILT_IN {
        match replaced.get(name) {
            None => environment.add_template(name, source).map_err(|error| refused(name, error))?,
            Some(own) => {
                environment
                    .add_template_owned(name, own.clone())
                    .map_err(|error| refused(name, error))?;
                // So that the own one can extend it and replace single blocks.
                environment
                    .add_template_owned(format!("default/{name}"), source)
                    .map_err(|error| refused(name, error))?;
            }
        }
    }
    let style = environment
        .get_template(STYLE)
        .and_then(|template| template.render(()))
        .map_err(|error| refused(STYLE, error))?;
    environment.add_global("style", Value::from_safe_string(compact(&style)));
    Ok(environment)
}

/// A style sheet without comments and indentation: every page carries it.
fn compact(style: &str) -> String {
    let mut bare = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, comment)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    bare.push_str(rest);
    let lines: Vec<_> = bare.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// Why a template was refused. Errors of included and extended templates come wrapped in those of
/// the page: the innermost one knows what is wrong, and the innermost one with a place knows where.
pub(crate) fn refused(rendered: &str, error: minijinja::Error) -> Error {
    let mut place = (rendered, None);
    let mut what = String::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        match cause.downcast_ref::<minijinja::Error>() {
            Some(cause) => {
                what = told(cause);
                if let Some(name) = cause.name() {
                    place = (name, cause.line());
                }
            }
            None => what = cause.to_string(),
        }
        next = cause.source();
    }
    let (name, line) = place;
    let problem = line.map_or_else(|| what.clone(), |line| format!("line {line}: {what}"));
    Error::Template { name: name.to_owned(), problem, source: Box::new(error) }
}

/// An error of the engine without its place.
fn told(error: &minijinja::Error) -> String {
    error
        .detail()
        .map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_sheet_is_compacted() {
        assert_eq!(
            compact("/* a\n b */\n  p {\n\n    color: red; /* c */\n  }\n"),
            "p {\ncolor: red;\n}"
        );
        assert_eq!(compact("p {} /* open"), "p {}");
    }
}
