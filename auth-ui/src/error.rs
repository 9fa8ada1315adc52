//! What can be wrong with a builder's settings.

/// The pages could not be built from what the builder was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The accent colour cannot be read.
    #[error("the accent colour {value:?} is not of the form #rgb or #rrggbb")]
    Accent {
        /// What was given.
        value: String,
    },
    /// The logo is not an address the pages may load an image from.
    #[error("the logo {value:?} is neither an https URL nor an absolute path of this site")]
    Logo {
        /// What was given.
        value: String,
    },
    /// There is no template of this name to replace.
    #[error("there is no template {name:?}; the templates are {known}")]
    UnknownTemplate {
        /// What was given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A template cannot be parsed, or does not render a page.
    #[error("template {name:?}: {problem}")]
    Template {
        /// The template.
        name: String,
        /// The line and what is wrong with it.
        problem: String,
        /// The template engine's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tag of a language is not a BCP 47 language tag.
    #[error("{tag:?} is not a language tag such as \"fr\" or \"pt-BR\"")]
    LanguageTag {
        /// What was given.
        tag: String,
        /// The parser's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The texts of a language cannot be parsed.
    #[error("language {tag:?}, line {line}: {problem}")]
    Language {
        /// The language.
        tag: String,
        /// Where its source is wrong.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A single text is defined twice, or refers to something that it is not given.
    #[error("language {tag:?}, text {id:?}: {problem}")]
    Text {
        /// The language.
        tag: String,
        /// The text.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
}
