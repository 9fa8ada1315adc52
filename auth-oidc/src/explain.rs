//! [`Rule`]: which rule refused a request, for whoever has to mend it.
//!
//! The client is told the standard's error and a description. Which section of which standard demands it, and what
//! was sent, stands in the log under the request's id; in development mode it is in the answer, too.

use auth_core::http::Form;
use auth_core::page::Explanation;
use serde::Serialize;
use tracing::info;

use crate::refusal::ErrorCode;

/// The rule by which a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    section: &'static str,
    sent: Option<Sent>,
}

/// What does not satisfy it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Sent {
    parameter: &'static str,
    /// What was sent, in a form that may be shown; `None` if nothing was.
    value: Option<String>,
}

/// Parameters that whoever reads a log could use, or that say who somebody is.
const SECRET: [&str; 15] = [
    "client_secret",
    "client_assertion",
    "code",
    "code_verifier",
    "refresh_token",
    "access_token",
    "token",
    "password",
    "identifier",
    "request",
    "id_token_hint",
    "login_hint",
    "claims",
    "nonce",
    "state",
];

/// The longest value that is shown, in characters.
const MAX: usize = 120;

impl Rule {
    /// That a section demands.
    pub(crate) fn of(section: &'static str) -> Self {
        Self { section, sent: None }
    }

    /// That a section demands of a parameter.
    pub(crate) fn on(section: &'static str, parameter: &'static str, form: &Form) -> Self {
        let sent: Vec<&str> = form.all(parameter).collect();
        let value = (!sent.is_empty()).then(|| shown(parameter, &sent.join(" ")));
        Self { section, sent: Some(Sent { parameter, value }) }
    }
}

fn shown(parameter: &str, value: &str) -> String {
    let length = value.chars().count();
    match SECRET.contains(&parameter) {
        true => format!("({length} characters, not shown)"),
        false if length > MAX => {
            format!("{}… ({length} characters)", value.chars().take(MAX).collect::<String>())
        }
        false => value.to_owned(),
    }
}

/// An error that can say by which rule it came about.
pub(crate) trait Explained: Sized {
    /// Where the rule stands.
    fn rule(&mut self) -> &mut Option<Rule>;

    /// By a section.
    fn by(mut self, section: &'static str) -> Self {
        self.rule().get_or_insert(Rule::of(section));
        self
    }

    /// By what a section demands of a parameter. Who knew first knows best.
    fn by_parameter(mut self, section: &'static str, parameter: &'static str, form: &Form) -> Self {
        self.rule().get_or_insert_with(|| Rule::on(section, parameter, form));
        self
    }
}

/// Writes the log line of a refusal, and gives what may be shown of it in development mode.
pub(crate) fn explain(error: &str, description: &str, rule: Option<&Rule>) -> Explanation {
    let of_code = || ErrorCode::parse(error).map(ErrorCode::section);
    let section = rule.map(|rule| rule.section).or_else(of_code).unwrap_or_default();
    let sent = rule.and_then(|rule| rule.sent.as_ref());
    let parameter = sent.map(|sent| sent.parameter);
    let value = sent.and_then(|sent| sent.value.as_deref());
    info!(
        target: "oauth2", error, rule = section, parameter, value = value.map(tracing::field::debug),
        description, "refused"
    );
    let mut explanation = Explanation::new(section);
    explanation.parameter = parameter.map(str::to_owned);
    explanation.value = value.map(str::to_owned);
    explanation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_used_is_not_shown() {
        let form = Form::from_query(Some("code=secret-code&scope=a+b&state=&nonce=n")).unwrap();
        let shown = |name| Rule::on("", name, &form).sent.unwrap().value;
        assert_eq!(shown("code").unwrap(), "(11 characters, not shown)");
        assert_eq!(shown("scope").unwrap(), "a b");
        assert_eq!(shown("prompt"), None);
        let long = Form::from_query(Some(&format!("scope={}", "é".repeat(500)))).unwrap();
        let value = Rule::on("", "scope", &long).sent.unwrap().value.unwrap();
        assert!(value.ends_with("… (500 characters)") && value.chars().count() < 150, "{value}");
    }

    #[test]
    fn every_code_stands_somewhere() {
        for code in ErrorCode::ALL {
            let section = code.section();
            let of_somebody = ["RFC ", "OpenID Connect ", "Ory Hydra", "Our own"];
            assert!(
                of_somebody.iter().any(|known| section.starts_with(known)),
                "{code}: {section}"
            );
        }
        assert_eq!(ErrorCode::InvalidGrant.section(), "RFC 6749 §5.2");
        assert_eq!(ErrorCode::InvalidTarget.section(), "RFC 8707 §2");
        assert_eq!(ErrorCode::LoginRequired.section(), "OpenID Connect Core §3.1.2.6");
    }
}
