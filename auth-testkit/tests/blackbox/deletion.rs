//! Deleting a client, a person, a tenant: worthless at once and everywhere, and then gone.

use std::time::Duration;

use auth_core::decision::Unavailable;
use auth_core::job::JobsWorked;
use auth_core::store::{
    Batch, Class, CommitId, KeyRange, Main, NewRecord, Record, Scan, Store, TenantId, When, Write,
};
use auth_core::{Clock, Entropy, SystemEntropy};
use auth_oidc::client::{Client, ClientError};
use auth_testkit::store::CommitFault;
use auth_testkit::{Browser, Reply};

use crate::caut::CREDENTIALS_GRANT;
use crate::flow::*;
use crate::world::{Node, SECRET, Setup, World, web};

/// A world whose deletions find everything by the index, without looking through all records.
async fn by_index(setup: Setup) -> World {
    World::with(setup, auth_oidc::ProviderBuilder::all_records_are_indexed).await
}

/// Takes the index entries from every record, as if a version before them had written it.
async fn forget_index(world: &World) {
    for record in records(world).await {
        if record.key.class() == Class::Side {
            continue;
        }
        let (key, due, keep_until) = (record.key, record.due, record.keep_until);
        let record = NewRecord { key, value: record.value, index: Vec::new(), keep_until, due };
        let put = Write::Put { record, when: When::Present, old_index: Vec::new() };
        let mut id = [0; 16];
        SystemEntropy::default().fill(&mut id).unwrap();
        let batch = Batch::builder::<Main>(CommitId::from_bytes(id), world.clock.now()).write(put);
        world.store.commit(TenantId::DEFAULT, &batch.build().unwrap()).await.unwrap();
    }
}

/// All records of the tenant.
pub async fn records(world: &World) -> Vec<Record> {
    let mut records = Vec::new();
    for class in [Class::Main, Class::Side] {
        let mut scan = Scan::records(KeyRange::class(class), 500);
        loop {
            let pages = world.store.scan(TenantId::DEFAULT, &[scan.clone()]).await.unwrap();
            let page = pages.into_iter().next().unwrap();
            records.extend(page.records);
            let Some(next) = page.next else { break };
            scan = scan.after(next);
        }
    }
    records
}

/// The kinds of the records whose value names `id`.
async fn naming(world: &World, id: &str) -> Vec<String> {
    let name = format!("\"{id}\"");
    let named = records(world).await.into_iter().filter(|record| record.value.contains(&name));
    named.map(|record| record.key.kind().to_owned()).collect()
}

/// Runs the jobs until none is due, then those that wait for their second pass; says how many are done.
async fn run_jobs(world: &World) -> u32 {
    let mut done = 0;
    for _ in 0..2 {
        loop {
            let worked = world.provider.jobs().run_once().await.unwrap();
            done += worked.done;
            if worked == JobsWorked::default() {
                break;
            }
        }
        world.clock.advance(Duration::from_secs(61));
    }
    done
}

/// Delivers what is told of it and sweeps, so that only what stays for ever is left.
async fn tidy(world: &World) {
    assert!(world.provider.worker().run_once().await.unwrap().delivered > 0);
    world.provider.sweeper().run_once().await.unwrap();
}

async fn post_to(base: &str, path: &str, id: &str, form: &[(&str, &str)]) -> Reply {
    let browser = Browser::new();
    let request = browser.http().post(format!("{base}{path}")).basic_auth(id, Some(SECRET));
    browser.send(request.form(form)).await.unwrap()
}

async fn is_active_at(node: &Node, token: &str) -> bool {
    let reply = post_to(&node.base, "/oauth2/introspect", "rs", &[("token", token)]).await;
    reply.json()["active"].as_bool().unwrap()
}

/// What a person has at `web`: tokens, a code that was not redeemed, a remembered consent, a session.
async fn belongings(world: &World, person: &Person<'_>) -> (Browser, Tokens, String) {
    let browser = Browser::new();
    let person = Person { remember_consent: true, ..person.clone() };
    let first = authorize(world, &browser, &person, &request("web")).await.callback().code();
    let tokens = Tokens::of(&redeem(world, WEB, &first).await);
    let tokens = Tokens::of(&refresh(world, WEB, &tokens.refresh).await);
    let code = open(world, &browser, &request("web").url(world)).await.callback().code();
    (browser, tokens, code)
}

blackbox! {
    async fn a_468_what_a_client_had_goes_with_it(setup: Setup) {
        let world = by_index(setup).await;
        let node = world.another_node().await;
        let (_, alice, code) = belongings(&world, &ALICE).await;
        let (_, bob, _) = belongings(&world, &BOB).await;
        let spa = authorize(&world, &Browser::new(), &ALICE, &request("spa")).await.callback();
        let spa = Tokens::of(&redeem(&world, SPA, &spa.code()).await);
        for token in [&alice.access, &alice.refresh, &bob.access, &spa.access] {
            assert!(is_active(&world, token).await && is_active_at(&node, token).await);
        }
        let kinds = ["client", "grant", "authorization_code", "access_token", "consent"];
        let before = naming(&world, "web").await;
        assert!(kinds.iter().all(|kind| before.iter().any(|known| known == kind)), "{before:?}");

        world.provider.clients().delete(&"web".into()).await.unwrap();
        // At once, here and there.
        for token in [&alice.access, &alice.refresh, &bob.access, &bob.refresh] {
            assert!(!is_active(&world, token).await && !is_active_at(&node, token).await);
        }
        assert_refused(&redeem(&world, WEB, &code).await, 401, "invalid_client");
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*bob.refresh)];
        let there = post_to(&node.base, "/oauth2/token", "web", &form).await;
        assert!(there.status == 401 || there.json()["error"] == "invalid_grant", "{}", there.text());
        assert_page(&Browser::new().get(&request("web").url(&world)).await.unwrap(), 400);
        assert!(is_active(&world, &spa.access).await, "another client's");
        // The identifier is not free while the records of the old one go.
        let early = world.provider.clients().put(web()).await;
        assert!(matches!(early, Err(ClientError::BeingDeleted(id)) if id.as_str() == "web"));

        assert_eq!(run_jobs(&world).await, 1);
        tidy(&world).await;
        assert_eq!(naming(&world, "web").await, Vec::<String>::new());
        assert!(is_active(&world, &spa.access).await);
        assert!(naming(&world, "spa").await.len() > 3);

        // Whoever takes the name is somebody else.
        world.provider.clients().put(web()).await.unwrap();
        for token in [&alice.access, &alice.refresh] {
            assert!(!is_active(&world, token).await);
        }
        assert_refused(&refresh(&world, WEB, &bob.refresh).await, 400, "invalid_grant");
        let page = open(&world, &Browser::new(), &request("web").url(&world)).await.page();
        assert!(page.hidden("login_challenge").is_some());
        assert!(is_active(&world, &tokens(&world).await.access).await);
    }

    async fn a_468_what_a_person_had_goes_with_them(setup: Setup) {
        let world = by_index(setup).await;
        let node = world.another_node().await;
        let (browser, alice, code) = belongings(&world, &ALICE).await;
        let (_, bob, _) = belongings(&world, &BOB).await;
        let bobs = naming(&world, "u-bob").await;
        assert!(is_active(&world, &alice.access).await);
        let kinds = ["login_session", "grant", "authorization_code", "access_token", "consent"];
        let before = naming(&world, "u-alice").await;
        assert!(kinds.iter().all(|kind| before.iter().any(|known| known == kind)), "{before:?}");

        world.provider.delete_subject(&"u-alice".into()).await.unwrap();
        // Twice is once.
        world.provider.delete_subject(&"u-alice".into()).await.unwrap();
        for token in [&alice.access, &alice.refresh] {
            assert!(!is_active(&world, token).await && !is_active_at(&node, token).await);
        }
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        let silent = request("web").set("prompt", "none").url(&world);
        let callback = open(&world, &browser, &silent).await.callback();
        assert_redirected(&world, &callback, "login_required");
        // As long as the directory still knows them, they sign in to nothing.
        let again = authorize(&world, &Browser::new(), &ALICE, &request("web")).await.callback();
        assert_redirected(&world, &again, "access_denied");

        assert_eq!(run_jobs(&world).await, 1);
        tidy(&world).await;
        assert_eq!(naming(&world, "u-alice").await, Vec::<String>::new());
        let families = records(&world).await;
        let families = families.iter().filter(|r| r.key.kind() == "refresh_family").count();
        assert_eq!(families, 1, "bob's");
        assert!(is_active(&world, &bob.access).await && is_active(&world, &bob.refresh).await);
        assert_eq!(naming(&world, "u-bob").await, bobs);
    }

    async fn a_468_records_of_a_version_without_an_index_go_as_well(setup: Setup) {
        let world = World::start(setup).await;
        belongings(&world, &ALICE).await;
        belongings(&world, &BOB).await;
        forget_index(&world).await;
        assert!(naming(&world, "u-alice").await.len() > 5);
        world.provider.delete_subject(&"u-alice".into()).await.unwrap();
        run_jobs(&world).await;
        tidy(&world).await;
        assert_eq!(naming(&world, "u-alice").await, Vec::<String>::new());
        assert!(naming(&world, "u-bob").await.len() > 5);
        world.provider.clients().delete(&"web".into()).await.unwrap();
        run_jobs(&world).await;
        tidy(&world).await;
        assert_eq!(naming(&world, "web").await, Vec::<String>::new());
        assert!(records(&world).await.iter().all(|r| r.key.kind() != "refresh_family"));
    }

    async fn a_468_a_deletion_that_is_interrupted_goes_on(setup: Setup) {
        let world = World::start(setup).await;
        for _ in 0..3 {
            belongings(&world, &ALICE).await;
        }
        world.provider.delete_subject(&"u-alice".into()).await.unwrap();
        // Somebody else takes the job in the middle: this worker leaves it alone.
        world.faults.fail_commit(CommitFault::UnknownApplied);
        world.faults.fail_commit(CommitFault::Conflict);
        assert_eq!(world.provider.jobs().run_once().await.unwrap().taken, 1);
        world.clock.advance(Duration::from_secs(61));
        let mut deaths = 0;
        loop {
            // The lease and one step are written down, and then the worker dies.
            world.faults.fail_commits(CommitFault::UnknownApplied, 2);
            world.faults.fail_commit(CommitFault::Unavailable);
            match world.provider.jobs().run_once().await {
                Err(cause) => {
                    assert!(matches!(cause, Unavailable::Store(_)), "{cause}");
                    deaths += 1;
                }
                Ok(worked) if worked.done == 1 => break,
                Ok(_) => {}
            }
            world.clock.advance(Duration::from_secs(61));
            assert!(deaths < 40, "it does not go on");
        }
        assert!(deaths >= 8, "it died {deaths} times");
        while world.faults.waiting() > 0 {
            token(&world, SVC, &CREDENTIALS_GRANT).await;
        }
        tidy(&world).await;
        assert_eq!(naming(&world, "u-alice").await, Vec::<String>::new());
        assert!(records(&world).await.iter().all(|r| r.key.kind() != "refresh_family"));
    }

    async fn a_468_used_and_expired_secrets_go(setup: Setup) {
        let world = World::start(setup).await;
        let before = records(&world).await.len();
        let tokens = tokens(&world).await;
        Tokens::of(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        assert!(is_active(&world, &tokens.access).await);
        assert!(records(&world).await.len() > before + 5);
        world.clock.advance(Duration::from_secs(86_400 * 32));
        world.provider.worker().run_once().await.unwrap();
        world.provider.sweeper().run_once().await.unwrap();
        let left = records(&world).await;
        assert_eq!(left.len(), before, "{left:?}");
    }

    async fn a_tenant_that_is_deleted_is_gone(setup: Setup) {
        let world = World::start(setup).await;
        let node = world.another_node().await;
        let (_, alice, code) = belongings(&world, &ALICE).await;
        assert!(is_active(&world, &alice.access).await && is_active_at(&node, &alice.access).await);
        world.provider.delete_tenant().await.unwrap();
        world.provider.delete_tenant().await.unwrap();

        let gone = |reply: &Reply| {
            assert_eq!(reply.status, 410, "{}", reply.text());
            assert!(reply.text().contains("issuer"), "{}", reply.text());
        };
        // Another process may have seen the tenant five seconds ago.
        for (base, wait) in [(&world.issuer, 0), (&node.base, 5)] {
            world.clock.advance(Duration::from_secs(wait));
            for (path, id, form) in [
                ("/oauth2/token", "web", vec![("grant_type", "authorization_code"), ("code", &*code)]),
                ("/oauth2/token", "svc", CREDENTIALS_GRANT.to_vec()),
                ("/oauth2/introspect", "rs", vec![("token", &*alice.access)]),
                ("/oauth2/revoke", "web", vec![("token", &*alice.access)]),
            ] {
                let reply = post_to(base, path, id, &form).await;
                gone(&reply);
                assert_eq!(reply.json()["error"], "issuer_gone");
            }
            let query = request("web").query();
            for path in [
                format!("/oauth2/auth?{query}"),
                "/userinfo".to_owned(),
                "/oauth2/sessions/logout".to_owned(),
                "/.well-known/jwks.json".to_owned(),
                "/.well-known/openid-configuration".to_owned(),
            ] {
                let browser = Browser::new();
                let request = browser.http().get(format!("{base}{path}"));
                gone(&browser.send(request.bearer_auth(&alice.access)).await.unwrap());
            }
        }
        // It does not come back by being served again.
        assert!(world.built_again().await.is_err());
        assert_eq!(run_jobs(&world).await, 1);
        tidy(&world).await;
        let left = records(&world).await;
        let left: Vec<_> = left.iter().map(|record| record.key.kind()).collect();
        assert_eq!(left, ["tombstone"]);
        // Nor do its keys, when they would be read again.
        world.clock.advance(Duration::from_secs(3600));
        gone(&Browser::new().get(&format!("{}/.well-known/jwks.json", node.base)).await.unwrap());
        assert_eq!(records(&world).await.len(), 1);
    }
}

blackbox! {
    async fn a_worker_does_the_jobs_and_ends_when_it_is_told_to(setup: Setup) {
        let world = World::start(setup).await;
        let (_, tokens, _) = belongings(&world, &ALICE).await;
        assert!(is_active(&world, &tokens.access).await);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let worker = world.provider.clone().run_worker_until(async { drop(stopped.await) });
        let worker = tokio::spawn(worker);
        world.provider.delete_subject(&"u-alice".into()).await.unwrap();
        // The second pass comes by the clock.
        while naming(&world, "u-alice").await.iter().any(|kind| kind != "job" && kind != "outbox") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!worker.is_finished());
        stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), worker).await.unwrap().unwrap();
        assert_eq!(run_jobs(&world).await, 1);
    }

    async fn a_client_that_comes_and_goes_is_another_one_each_time(setup: Setup) {
        let world = World::start(setup).await;
        let clients = world.provider.clients();
        let service = || Client::service("again", SECRET).scope("orders:read");
        let by = By::Basic("again", SECRET);
        let mut old: Vec<String> = Vec::new();
        for _ in 0..3 {
            clients.put(service()).await.unwrap();
            let access = Tokens::of(&token(&world, by, &CREDENTIALS_GRANT).await).access;
            assert!(is_active(&world, &access).await);
            for token in &old {
                assert!(!is_active(&world, token).await);
            }
            old.push(access);
            clients.delete(&"again".into()).await.unwrap();
            assert!(!is_active(&world, &old[old.len() - 1]).await);
            assert_eq!(run_jobs(&world).await, 1);
        }
        let missing = clients.delete(&"again".into()).await;
        assert!(matches!(missing, Err(ClientError::NotFound(_))), "{missing:?}");
        assert_eq!(world.provider.jobs().run_once().await.unwrap(), JobsWorked::default());
    }
}
