//! The pages of a provider: sign in, consent, sign out, errors. English and Korean, light and dark,
//! for phones and large screens, and without a script but the one line that posts a form or goes on by itself.
//!
//! [`DefaultPages`] is the default of the port [`auth_core::page::PageRenderer`]. Give it the provider's
//! name and colour; if that is not enough, replace texts, add languages, or replace templates:
//!
//! ```
//! use auth_core::page::{LoggedOutPage, Page, PageRenderer, PageView};
//! use auth_ui::DefaultPages;
//!
//! let pages = DefaultPages::builder()
//!     .product("Acme ID")
//!     .logo("https://acme.example/logo.svg")
//!     .accent("#0f766e")
//!     .language("fr", "logged-out-title = Vous êtes déconnecté")
//!     .build()?;
//!
//! let page = Page::LoggedOut(LoggedOutPage::new(true));
//! let wanted = ["fr-CA".to_owned(), "en".to_owned()];
//! let html = pages.render(&PageView::new(&page, &wanted, "nonce"))?;
//! assert!(html.contains(r#"<html lang="fr""#));
//! assert!(html.contains("<h1>Vous êtes déconnecté</h1>"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Languages
//!
//! The language is the best match for [`PageView::locales`](auth_core::page::PageView::locales), else
//! English. Texts are written in [Fluent](https://projectfluent.org/); `locales/en.ftl` in this crate
//! has all of them. They may refer to `$client`, `$account` and `$host`, each where the English text
//! does. A text is not HTML: `<` is shown as such.
//!
//! A scope is described by the text `scope-NAME`, with `.detail` for the smaller line below; in NAME
//! each character other than letters, digits, `_` and `-` is a `-`. So
//! `.language("ko", "scope-notes-read = 노트 읽기")` describes `notes:read`. Without such a text, the
//! scope's description is shown, or else its value.
//!
//! # Templates
//!
//! Templates are [minijinja](https://docs.rs/minijinja)'s. Each page has its own and extends
//! `layout.html`, which has the blocks `title`, `main`, `footer`, `referrer` and `refresh`:
//!
//! | template | values |
//! |---|---|
//! | all | `t`, `lang`, `dir`, `nonce`, `style`, `theme.product`, `theme.logo` |
//! | `login.html` | `action`, `challenge`, `client`, `identifier`, `continue_as`, `problem.text`, `problem.fields`, `focus` |
//! | `consent.html` | `action`, `challenge`, `client`, `account`, `scopes` (`name`, `shown`, `text`, `detail`, `optional`) |
//! | `logout.html` | `action`, `challenge`, `client`, `account` |
//! | `logged_out.html` | `signed_out`, `frames`, `continue_to` |
//! | `error.html` | `status`, `error`, `description`, `request_id`, `texts.title`, `texts.text` |
//! | `form_post.html` | `redirect_uri`, `parameters` (`name`, `value`) |
//!
//! `client` has `name`, `initial`, `logo`, `links` (`text`, `url`) and `redirect_host`; `account` has
//! `name` and `initial`. The pages include `client.html`, `account.html` and `links.html`, and
//! `style.css` is a template as well. `t("id", client=client.name)` is a text in the page's language,
//! as HTML for the inside of an element. Values are escaped. A variable that does not exist is an
//! error, and [`build`](DefaultPagesBuilder::build) finds it.
//!
//! # Hostile values
//!
//! Names of clients come from outside. They are escaped, kept from affecting the direction of the
//! text around them, and wrapped wherever they are too long. Logos are shown from `https` addresses
//! only, and links go to web addresses only. Nothing needs `style=` attributes or `unsafe-inline`.

mod builder;
mod error;
mod escape;
mod language;
mod pages;
mod specimen;
mod templates;
mod theme;
mod view;

pub use builder::DefaultPagesBuilder;
pub use error::Error;
pub use pages::DefaultPages;
