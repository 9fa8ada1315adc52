//! The texts of the pages, and which language a person gets.

use std::collections::HashMap;
use std::sync::Arc;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use fluent_langneg::{LanguageIdentifier, NegotiationStrategy, negotiate_languages};
use fluent_syntax::ast::{Entry, Pattern};
use minijinja::value::{Kwargs, Object, ObjectRepr, ValueKind, from_args};
use minijinja::{ErrorKind, State, Value};

use crate::error::Error;
use crate::escape::escaped;

/// What the templates may give to a text. A text that refers to anything else is refused at once
/// rather than shown with a hole in it.
const ARGUMENTS: [&str; 3] = ["account", "client", "host"];

/// No browser sends more languages than this; the header may have been written by somebody else.
const MOST_LOCALES: usize = 16;

/// Languages that are written from right to left.
const RIGHT_TO_LEFT: [&str; 9] = ["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ur", "yi"];

/// A language that the pages speak.
#[derive(Debug, Clone)]
pub(crate) struct Language {
    id: LanguageIdentifier,
    /// For `<html lang>`.
    pub(crate) tag: Value,
    /// For `<html dir>`.
    pub(crate) dir: &'static str,
    pub(crate) texts: Arc<Texts>,
    /// `t` of the templates.
    pub(crate) t: Value,
}

impl AsRef<LanguageIdentifier> for Language {
    fn as_ref(&self) -> &LanguageIdentifier {
        &self.id
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Language {
    /// Reads the texts of a language; later sources override single texts of earlier ones.
    pub(crate) fn new(
        tag: &str,
        sources: &[String],
        fallback: Option<Arc<Texts>>,
    ) -> Result<Self, Error> {
        let id = LanguageIdentifier::try_from_bytes(tag.as_bytes()).map_err(|source| {
            Error::LanguageTag { tag: tag.into(), source: format!("{source:?}").into() }
        })?;
        let texts = Arc::new(Texts::new(tag, sources, fallback)?);
        let dir = if RIGHT_TO_LEFT.contains(&id.language.as_str()) { "rtl" } else { "ltr" };
        let t = Value::from_dyn_object(Arc::clone(&texts));
        Ok(Self { tag: Value::from(id.to_string()), id, dir, texts, t })
    }
}

/// The best language of those there are; the first one if none is wanted.
pub(crate) fn negotiate<'a>(wanted: &[String], languages: &'a [Language]) -> Option<&'a Language> {
    let wanted: Vec<_> = wanted
        .iter()
        .take(MOST_LOCALES)
        .filter_map(|tag| LanguageIdentifier::try_from_bytes(tag.as_bytes()).ok())
        .collect();
    let strategy = NegotiationStrategy::Lookup;
    negotiate_languages(&wanted, languages, languages.first(), strategy).first().copied()
}

/// The texts of one language: `t(id, name=value)` in the templates. An attribute of a text is
/// `t("id.attribute")`.
pub(crate) struct Texts {
    bundle: FluentBundle<FluentResource>,
    /// The texts without variables, formatted once and for all.
    fixed: HashMap<String, Value>,
    /// Has the texts that this language lacks.
    fallback: Option<Arc<Self>>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texts").field("locales", &self.bundle.locales).finish_non_exhaustive()
    }
}

impl Texts {
    fn new(tag: &str, sources: &[String], fallback: Option<Arc<Self>>) -> Result<Self, Error> {
        let locale = tag.parse().map_err(|source: unic_langid::LanguageIdentifierError| {
            Error::LanguageTag { tag: tag.into(), source: source.into() }
        })?;
        let mut bundle = FluentBundle::new_concurrent(vec![locale]);
        // The arguments are put into `<bdi>`, which does the same where HTML is wanted.
        bundle.set_use_isolating(false);
        bundle.set_transform(Some(escaped));
        let mut ids = Vec::new();
        for source in sources {
            let resource = parse(tag, source)?;
            ids.extend(ids_of(tag, &resource)?);
            bundle.add_resource_overriding(resource);
        }
        let mut texts = Self { bundle, fixed: HashMap::new(), fallback };
        texts.fixed = texts.format_fixed(tag, &ids)?;
        Ok(texts)
    }

    /// Formats every text that needs no arguments, and finds the faults of those that do.
    fn format_fixed(&self, tag: &str, ids: &[String]) -> Result<HashMap<String, Value>, Error> {
        let given: FluentArgs<'_> = ARGUMENTS.iter().map(|&name| (name, name)).collect();
        let mut fixed = HashMap::new();
        for id in ids {
            let Some(pattern) = self.pattern(id) else { continue };
            let mut errors = Vec::new();
            let text = self.bundle.format_pattern(pattern, None, &mut errors);
            if errors.is_empty() {
                fixed.insert(id.clone(), Value::from_safe_string(text.into_owned()));
                continue;
            }
            errors.clear();
            self.bundle.format_pattern(pattern, Some(&given), &mut errors);
            if let Some(error) = errors.first() {
                let problem = format!("{error}; it may refer to ${}", ARGUMENTS.join(", $"));
                return Err(Error::Text { tag: tag.into(), id: id.clone(), problem });
            }
        }
        Ok(fixed)
    }

    fn pattern(&self, id: &str) -> Option<&Pattern<&str>> {
        match id.split_once('.') {
            None => self.bundle.get_message(id)?.value(),
            Some((id, name)) => Some(self.bundle.get_message(id)?.get_attribute(name)?.value()),
        }
    }

    /// A text without arguments, if this language or the one it falls back to has it.
    pub(crate) fn fixed(&self, id: &str) -> Option<Value> {
        let here = self.fixed.get(id).cloned();
        here.or_else(|| self.fallback.as_ref().and_then(|texts| texts.fixed(id)))
    }

    fn format(&self, id: &str, kwargs: &Kwargs) -> Result<Value, minijinja::Error> {
        if let Some(text) = self.fixed.get(id) {
            return Ok(text.clone());
        }
        let Some(pattern) = self.pattern(id) else {
            return match &self.fallback {
                Some(fallback) => fallback.format(id, kwargs),
                None => Err(fault(format!("there is no text {id:?} in any language"))),
            };
        };
        let mut arguments = FluentArgs::new();
        for name in kwargs.args() {
            arguments.set(name.to_owned(), argument(&kwargs.peek::<Value>(name)?));
        }
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&arguments), &mut errors);
        match errors.first() {
            Some(error) => Err(fault(format!("text {id:?}: {error}"))),
            None => Ok(Value::from_safe_string(text.into_owned())),
        }
    }
}

impl Object for Texts {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        args: &[Value],
    ) -> Result<Value, minijinja::Error> {
        let (id, kwargs): (&str, Kwargs) = from_args(args)?;
        self.format(id, &kwargs)
    }
}

/// A value for a text: numbers stay numbers, so that plurals work; all else becomes HTML whose
/// direction cannot affect what surrounds it.
fn argument(value: &Value) -> FluentValue<'static> {
    if value.kind() == ValueKind::Number
        && let Ok(number) = f64::try_from(value.clone())
    {
        return number.into();
    }
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("<bdi>{}</bdi>", escaped(&text)).into()
}

fn fault(detail: String) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, detail)
}

fn parse(tag: &str, source: &str) -> Result<FluentResource, Error> {
    FluentResource::try_new(source.to_owned()).map_err(|(_, errors)| {
        let (at, problem) = errors.first().map_or((0, "cannot be read".into()), |error| {
            (error.pos.start, error.kind.to_string())
        });
        let line = 1 + source.bytes().take(at).filter(|&byte| byte == b'\n').count();
        Error::Language { tag: tag.into(), line, problem }
    })
}

/// The ids in a source, each of which may be there once.
fn ids_of(tag: &str, resource: &FluentResource) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for entry in resource.entries() {
        let Entry::Message(message) = entry else { continue };
        let id = message.id.name;
        let attributes = message.attributes.iter().map(|one| format!("{id}.{}", one.id.name));
        let value = message.value.iter().map(|_| id.to_owned());
        for id in value.chain(attributes) {
            if ids.contains(&id) {
                return Err(Error::Text { tag: tag.into(), id, problem: "is there twice".into() });
            }
            ids.push(id);
        }
    }
    Ok(ids)
}
