//! Setting how the pages look and what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_core::page::PageView;

use crate::error::Error;
use crate::escape;
use crate::language::Language;
use crate::pages::{Compiled, DefaultPages};
use crate::specimen;
use crate::templates;
use crate::theme::{DEFAULT_ACCENT, Rgb, Theme};

const ENGLISH: &str = "en";

/// The languages built in; the first one has every text.
const BUILT_IN: [(&str, &str); 2] =
    [(ENGLISH, include_str!("../locales/en.ftl")), ("ko", include_str!("../locales/ko.ftl"))];

/// Builds [`DefaultPages`]; from [`DefaultPages::builder`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct DefaultPagesBuilder {
    product: Option<String>,
    logo: Option<String>,
    accent: Option<String>,
    templates: BTreeMap<String, String>,
    languages: Vec<(String, String)>,
}

impl DefaultPagesBuilder {
    /// The name that people know the provider by: above the card and in the title of the window.
    pub fn product(mut self, name: impl Into<String>) -> Self {
        self.product = Some(name.into());
        self
    }

    /// The picture beside the name: an `https` URL, or an absolute path such as `/logo.svg`.
    pub fn logo(mut self, url: impl Into<String>) -> Self {
        self.logo = Some(url.into());
        self
    }

    /// The colour of the main button, as `#rgb` or `#rrggbb`. Links, symbols and focus rings have it
    /// too, lighter or darker where it would not stand out enough, also in the dark scheme.
    pub fn accent(mut self, colour: impl Into<String>) -> Self {
        self.accent = Some(colour.into());
        self
    }

    /// Replaces a template. It can extend the one it replaces as `default/NAME`:
    ///
    /// ```
    /// # use auth_ui::DefaultPages;
    /// let pages = DefaultPages::builder()
    ///     .template("login.html", r#"{% extends "default/login.html" %}
    /// {% block footer %}<footer><a href="/help">Help</a></footer>{% endblock %}"#)
    ///     .build()?;
    /// # Ok::<(), auth_ui::Error>(())
    /// ```
    ///
    /// The crate's documentation lists the templates and what they are given.
    pub fn template(mut self, name: impl Into<String>, source: impl Into<String>) -> Self {
        self.templates.insert(name.into(), source.into());
        self
    }

    /// Adds a language, or overrides single texts of one that is there, in
    /// [Fluent](https://projectfluent.org/) syntax. Texts that it lacks are shown in English.
    pub fn language(mut self, tag: impl Into<String>, source: impl Into<String>) -> Self {
        self.languages.push((tag.into(), source.into()));
        self
    }

    /// Compiles everything. What was set is tried with a page of every kind in every language.
    ///
    /// # Errors
    /// [`Error`] names the setting, template or language and what is wrong with it.
    pub fn build(self) -> Result<DefaultPages, Error> {
        let theme = self.theme()?;
        let environment = templates::compile(&theme, &self.templates)?;
        let mut compiled = Compiled { environment, languages: self.languages()? };
        // What is built in is tried by this crate's own tests.
        if !self.templates.is_empty() || !self.languages.is_empty() {
            try_out(&compiled)?;
        }
        compiled.environment.set_debug(false);
        Ok(DefaultPages::compiled(compiled))
    }

    fn theme(&self) -> Result<Theme, Error> {
        let accent = match &self.accent {
            None => DEFAULT_ACCENT,
            Some(value) => {
                Rgb::parse(value).ok_or_else(|| Error::Accent { value: value.clone() })?
            }
        };
        if let Some(value) = &self.logo {
            let of_this_site = value.starts_with('/') && !value.starts_with("//");
            if !of_this_site && escape::image(value).is_none() {
                return Err(Error::Logo { value: value.clone() });
            }
        }
        Ok(Theme { product: self.product.clone(), logo: self.logo.clone(), accent })
    }

    fn languages(&self) -> Result<Vec<Language>, Error> {
        let mut sources: Vec<(String, Vec<String>)> =
            BUILT_IN.map(|(tag, source)| (tag.to_owned(), vec![source.to_owned()])).to_vec();
        for (tag, source) in &self.languages {
            match sources.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(tag)) {
                Some((_, sources)) => sources.push(source.clone()),
                None => sources.push((tag.clone(), vec![source.clone()])),
            }
        }
        let mut languages: Vec<Language> = Vec::with_capacity(sources.len());
        for (tag, sources) in sources {
            let english = languages.first().map(|english| Arc::clone(&english.texts));
            languages.push(Language::new(&tag, &sources, english)?);
        }
        Ok(languages)
    }
}

fn try_out(compiled: &Compiled) -> Result<(), Error> {
    for language in &compiled.languages {
        for (_, page) in specimen::pages() {
            let view = PageView::new(&page, &[], "nonce");
            compiled.render_in(language, &view)?;
        }
    }
    Ok(())
}
