//! [`CorsPolicy`]: which pages of other origins may call.

use http::{HeaderMap, HeaderValue, header};

/// Which origins may read answers from a script. Credentials are never permitted: tokens travel in
/// headers that a script sets itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorsPolicy {
    /// Any: for documents that are public anyway.
    Any,
    /// These origins, such as `https://app.example`, compared byte by byte.
    Origins(Vec<String>),
}

impl CorsPolicy {
    /// Adds what the policy permits to the headers of a response.
    pub fn apply(&self, request: &HeaderMap, response: &mut HeaderMap) {
        match self {
            Self::Any => {
                let any = HeaderValue::from_static("*");
                response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
            }
            Self::Origins(origins) => {
                response.append(header::VARY, HeaderValue::from_static("Origin"));
                let origin = request.get(header::ORIGIN);
                if let Some(origin) = origin
                    && origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
                {
                    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                }
            }
        }
    }

    /// Adds what the policy answers to a preflight for `methods`.
    pub fn preflight(&self, request: &HeaderMap, response: &mut HeaderMap, methods: &str) {
        self.apply(request, response);
        if !response.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if let Ok(methods) = HeaderValue::from_str(methods) {
            response.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        let headers = HeaderValue::from_static("authorization, content-type");
        response.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
        response.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(policy: &CorsPolicy, origin: &'static str) -> Option<String> {
        let mut request = HeaderMap::new();
        request.insert(header::ORIGIN, HeaderValue::from_static(origin));
        let mut response = HeaderMap::new();
        policy.preflight(&request, &mut response, "POST");
        assert!(!response.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
        let allow = response.get(header::ACCESS_CONTROL_ALLOW_ORIGIN)?;
        Some(allow.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_listed_origins_are_let_in() {
        let policy = CorsPolicy::Origins(vec!["https://app.example".to_owned()]);
        assert_eq!(allowed(&policy, "https://app.example").as_deref(), Some("https://app.example"));
        for origin in ["https://evil.example", "null", "https://app.example.evil.tld"] {
            assert_eq!(allowed(&policy, origin), None);
        }
        assert_eq!(allowed(&CorsPolicy::Any, "null").as_deref(), Some("*"));
    }
}
