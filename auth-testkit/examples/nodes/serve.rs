//! [`Task`]: what a server process is told, and the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::decision::Unavailable;
use auth_core::keys::SigningAlgorithm;
use auth_core::store::{Store, TenantId};
use auth_core::{Authentication, Identity, IdentityDirectory, Secret, Subject};
use auth_oidc::Provider;
use auth_oidc::client::Client;
use serde::{Deserialize, Serialize};

use super::Failure;
use super::client::{CALLBACK, CLIENT_SECRET};
use super::flawed::{self, Flaw};

/// Begins the arguments of a server process.
pub(crate) const NODE: &str = "--node";
/// The variable with the deployment secret, the same for every process of a deployment.
pub(crate) const SECRET: &str = "AUTH_SECRET";

const MINUTE: Duration = Duration::from_secs(60);

/// What a server process is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The database.
    pub(crate) spec: String,
    pub(crate) issuer: String,
    pub(crate) address: SocketAddr,
    pub(crate) adapter: Adapter,
    /// What is wrong with it, for those that must be found.
    pub(crate) flaw: Option<Flaw>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Adapter {
    Axum,
    Actix,
}

/// Everybody who asks: each identifier signs in, and is its own subject.
#[derive(Debug)]
struct Everybody;

#[async_trait]
impl IdentityDirectory for Everybody {
    async fn authenticate(
        &self,
        _: TenantId,
        identifier: &str,
        _: &Secret,
    ) -> Result<Authentication, Unavailable> {
        Ok(Authentication::Accepted(Subject::from(identifier)))
    }

    async fn find(&self, _: TenantId, subject: &Subject) -> Result<Option<Identity>, Unavailable> {
        Ok(Some(Identity::new(subject.clone(), "A Person")))
    }
}

impl Task {
    /// The task of this process, if it is a server.
    pub(crate) fn read() -> Result<Option<Self>, Failure> {
        let mut arguments = std::env::args().skip(1);
        if arguments.next().as_deref() != Some(NODE) {
            return Ok(None);
        }
        let task = arguments.next().ok_or("a node has no task")?;
        Ok(Some(serde_json::from_str(&task)?))
    }

    /// Serves until the process is killed, or whoever started it is gone.
    pub(crate) async fn serve(self) -> Result<(), Failure> {
        std::thread::spawn(|| {
            // Nothing is ever written to it.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            std::process::exit(0);
        });
        let store: Arc<dyn Store> = match self.flaw {
            None => testbed::open(&self.spec).await?,
            Some(flaw) => flawed::open(flaw, &self.spec).await?,
        };
        let app = Client::confidential("app", CLIENT_SECRET).redirect_uri(CALLBACK).skip_consent();
        let provider = Provider::builder(&self.issuer)
            .development()
            .secrets([std::env::var(SECRET)?])
            .shared_store(store)
            .pages(auth_ui::DefaultPages::new())
            .directory(Everybody)
            .signing_keys(|keys| keys.algorithms = vec![SigningAlgorithm::Es256])
            // Longer than the proof, so that nothing ends by itself.
            .tokens(|tokens| {
                tokens.access_token_lifetime = 240 * MINUTE;
                tokens.authorization_code_lifetime = 10 * MINUTE;
            })
            .refresh(|refresh| refresh.grace = 2 * MINUTE)
            .client(app.scope("openid offline_access"))
            .client(Client::service("svc", CLIENT_SECRET).scope("openid").introspect_any())
            .build()
            .await?;
        tokio::spawn(provider.clone().run_worker());
        let engine = provider.engine();
        match self.adapter {
            Adapter::Axum => {
                let listener = tokio::net::TcpListener::bind(self.address).await?;
                let service = auth_axum::mount(engine);
                let service = service.into_make_service_with_connect_info::<SocketAddr>();
                axum::serve(listener, service).await?;
            }
            Adapter::Actix => {
                let app =
                    move || actix_web::App::new().configure(auth_actix::mount(engine.clone()));
                actix_web::HttpServer::new(app).workers(1).bind(self.address)?.run().await?;
            }
        }
        Ok(())
    }
}
