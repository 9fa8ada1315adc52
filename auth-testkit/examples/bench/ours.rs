//! [`Ours`]: the provider that is measured.

use std::sync::Arc;

use auth_core::keys::SigningAlgorithm;
use auth_core::store::{MemoryStore, Store};
use auth_oidc::Provider;
use auth_oidc::client::{AccessTokenFormat, Client};
use auth_oidc::provider::ScopeDefinition;
use tokio::runtime::Runtime;

use crate::caller::{CALLBACK, Caller, SECRET, Site};
use crate::keys::Keys;
use crate::operation::Operation;
use crate::scene::{Everybody, Failure};
use crate::served::cpu::serve;
use crate::served::recorded::{Recorder, Step};

/// A provider for each algorithm of access tokens, of which the first one does all else, too.
pub(crate) struct Ours {
    pub(crate) site: Site,
    /// The same, watched: nobody calls them over HTTP.
    seen: [(Provider, Arc<Recorder>); 3],
}

impl Ours {
    pub(crate) fn start(runtime: &Runtime, keys: &Keys) -> Result<Self, Failure> {
        let mut addresses = Vec::new();
        let mut seen = Vec::new();
        for algorithm in Keys::ALGORITHMS {
            let store = Arc::new(MemoryStore::new());
            let served = runtime.block_on(provider(store, algorithm, keys))?;
            addresses.push(serve(runtime, auth_axum::mount(served.engine()))?);
            let recorder = Recorder::new(Arc::new(MemoryStore::new()));
            seen.push((runtime.block_on(provider(recorder.clone(), algorithm, keys))?, recorder));
        }
        let missing = || Failure::from("there are three algorithms");
        let addresses = addresses.try_into().map_err(|_| missing())?;
        let seen = seen.try_into().map_err(|_| missing())?;
        let site = Site::ours(addresses, "web", CALLBACK.to_owned());
        Ok(Self { site, seen })
    }

    /// The requests of an operation, and what each of them led to, with the caches as they are in between others.
    pub(crate) async fn plan(&self, operation: Operation) -> Result<Vec<Step>, Failure> {
        let (provider, recorder) = &self.seen[Site::place(operation)];
        let engine = provider.engine();
        let mut caller = Caller::alone(&self.site);
        let mut steps = Vec::new();
        let before = [Operation::Flow, Operation::ClientCredentials, operation];
        for operation in before.into_iter().chain([operation]) {
            steps.clear();
            let mut request = caller.begin(operation);
            while let Some(sent) = request {
                let (step, response) = Step::watch(&*engine, recorder, sent).await?;
                steps.push(step);
                request = caller.next(operation, &response)?;
            }
        }
        Ok(steps)
    }
}

async fn provider(
    store: Arc<dyn Store>,
    algorithm: SigningAlgorithm,
    keys: &Keys,
) -> Result<Provider, Failure> {
    let service = |id| Client::service(id, SECRET).scope("api");
    let web = Client::confidential("web", SECRET).redirect_uri(CALLBACK);
    let mut builder = Provider::builder("http://127.0.0.1:4444")
        .development()
        .shared_store(store)
        .pages(auth_ui::DefaultPages::new())
        .directory(Everybody)
        .scope(ScopeDefinition::new("api", Vec::<String>::new()))
        .signing_keys(|keys| keys.algorithms = Keys::ALGORITHMS.to_vec())
        .tokens(|tokens| tokens.signing_algorithm = algorithm)
        .client(service("svc"))
        .client(service("svc-jwt").access_token_format(AccessTokenFormat::Jwt))
        .client(web.scope("openid offline_access profile").id_token_alg(SigningAlgorithm::Es256));
    for algorithm in Keys::ALGORITHMS {
        builder = builder.signing_key_pem(algorithm, keys.pem(algorithm)?);
    }
    Ok(builder.build().await?)
}
