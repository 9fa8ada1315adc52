//! [`DefaultPages`], the renderer.

use std::fmt;
use std::sync::Arc;

use auth_core::page::{PageRenderer, PageView, RenderError};
use minijinja::{Environment, context};

use crate::builder::DefaultPagesBuilder;
use crate::error::Error;
use crate::language::{Language, negotiate};
use crate::{templates, view};

/// The pages of a provider, in English and Korean unless languages are added.
///
/// Cheap to clone. See the crate's documentation.
#[derive(Clone)]
pub struct DefaultPages {
    compiled: Result<Arc<Compiled>, Arc<Error>>,
}

impl DefaultPages {
    /// The pages as they come.
    #[must_use]
    pub fn new() -> Self {
        // Cannot fail, as the tests show; if it did, each page would tell why.
        Self::builder().build().unwrap_or_else(|error| Self { compiled: Err(Arc::new(error)) })
    }

    /// Pages with a name, logo, colour, templates or texts of one's own.
    pub fn builder() -> DefaultPagesBuilder {
        DefaultPagesBuilder::default()
    }

    pub(crate) fn compiled(compiled: Compiled) -> Self {
        Self { compiled: Ok(Arc::new(compiled)) }
    }
}

impl Default for DefaultPages {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DefaultPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("DefaultPages");
        match &self.compiled {
            Ok(compiled) => {
                let tags: Vec<_> =
                    compiled.languages.iter().map(|language| language.tag.as_str()).collect();
                all.field("languages", &tags)
            }
            Err(error) => all.field("error", error),
        };
        all.finish_non_exhaustive()
    }
}

impl PageRenderer for DefaultPages {
    fn render(&self, view: &PageView<'_>) -> Result<String, RenderError> {
        let compiled =
            self.compiled.as_ref().map_err(|error| RenderError::new(Arc::clone(error)))?;
        let language = negotiate(view.locales, &compiled.languages)
            .ok_or_else(|| RenderError::new("there are no languages"))?;
        compiled.render_in(language, view).map_err(RenderError::new)
    }

    fn locales(&self) -> Vec<String> {
        let languages = self.compiled.as_ref().map(|compiled| compiled.languages.as_slice());
        languages.unwrap_or_default().iter().map(|language| language.tag.to_string()).collect()
    }
}

/// What is prepared once for all pages.
pub(crate) struct Compiled {
    pub(crate) environment: Environment<'static>,
    /// English first.
    pub(crate) languages: Vec<Language>,
}

impl Compiled {
    pub(crate) fn render_in(
        &self,
        language: &Language,
        view: &PageView<'_>,
    ) -> Result<String, Error> {
        let (name, values) = view::of(view.page, &language.texts)
            .map_err(|error| templates::refused("page", error))?;
        let values = context! {
            t => &language.t,
            lang => &language.tag,
            dir => language.dir,
            nonce => view.nonce,
            ..values
        };
        self.environment
            .get_template(name)
            .and_then(|template| template.render(values))
            .map_err(|error| templates::refused(name, error))
    }
}
