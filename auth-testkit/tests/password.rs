//! Passwords: bounded work, the same work for everybody, and a limit to guessing.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use auth_core::decision::Unavailable;
use auth_core::{
    Attempt, Authentication, Identity, IdentityDirectory, Limited, MemoryDirectory,
    MemoryRateLimiter, PasswordCost, PasswordHasher, RateLimiter, Secret, TenantId,
};
use futures_util::FutureExt;

const TENANT: TenantId = TenantId::DEFAULT;

fn cheap() -> PasswordHasher {
    PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 1)
}

fn password(text: &str) -> Secret {
    text.into()
}

async fn hash(hasher: &PasswordHasher, text: &str, salt: u16) -> String {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&salt.to_be_bytes());
    hasher.hash(&password(text), bytes).await.unwrap()
}

/// A hash that takes far longer to verify than a test looks away.
async fn slow_hash() -> String {
    let mut cost = PasswordCost::DEFAULT;
    cost.passes = 20;
    hash(&PasswordHasher::new(cost, 1), "slow", 0).await
}

/// Keeps the one thread of a pool busy. Until then only what needs no hashing is answered at once.
fn keep_busy(hasher: &PasswordHasher, slow: &str) {
    assert!(hasher.verify(slow, &password("not it")).now_or_never().is_none());
}

/// What is answered without a hash; `None` if it needs one.
fn at_once(hasher: &PasswordHasher, hash: &str, text: &str) -> Option<bool> {
    hasher.verify(hash, &password(text)).now_or_never().map(Result::unwrap)
}

#[tokio::test]
async fn a_full_queue_refuses_and_does_not_wait() {
    let hasher = cheap();
    let (slow, mine) = (slow_hash().await, hash(&hasher, "mine", 0).await);
    keep_busy(&hasher, &slow);
    let is_full = |error: &Unavailable| matches!(error, Unavailable::PasswordQueueFull);
    let full = |_: &i32| {
        let answer = hasher.verify(&mine, &password("x")).now_or_never();
        matches!(answer, Some(Err(error)) if is_full(&error))
    };
    let refused = (0..100).filter(full).count();
    // 32 wait, and perhaps the thread has taken the first one already.
    assert!((67..=69).contains(&refused), "{refused}");
    // Neither does who hashes, nor the directory; and a full queue is no wrong password.
    assert!((0..100).filter(full).count() >= 99);
    let hashed = hasher.hash(&password("x"), [0; 16]).now_or_never().unwrap();
    assert!(is_full(&hashed.unwrap_err()));
    let directory = MemoryDirectory::new(hasher.clone());
    let answer = directory.authenticate(TENANT, "ada", &password("x")).now_or_never().unwrap();
    assert!(is_full(&answer.unwrap_err()));
    let answer = hasher.verify(&mine, &password("mine")).now_or_never().unwrap();
    assert!(is_full(&answer.unwrap_err()));
}

#[tokio::test]
async fn a_remembered_password_says_yes_for_itself_only() {
    let (hasher, slow) = (cheap(), slow_hash().await);
    let (mine, same, other) = (
        hash(&hasher, "mine", 1).await,
        hash(&hasher, "mine", 2).await,
        hash(&hasher, "other", 3).await,
    );
    assert!(hasher.verify(&mine, &password("mine")).await.unwrap());
    for wrong in ["", "Mine", "mine ", "min", "other", "mine\0"] {
        // A no is not remembered, and is never said without looking.
        for _ in 0..2 {
            assert!(!hasher.verify(&mine, &password(wrong)).await.unwrap(), "{wrong}");
        }
    }
    keep_busy(&hasher, &slow);
    assert_eq!(at_once(&hasher, &mine, "mine"), Some(true));
    for wrong in ["", "Mine", "mine ", "min", "other", "mine\0"] {
        assert_eq!(at_once(&hasher, &mine, wrong), None);
    }
    assert_eq!(at_once(&hasher, &same, "mine"), None);
    assert_eq!(at_once(&hasher, &other, "mine"), None);
    // Where hash and password part is not open to dispute.
    let (head, tail) = mine.split_at(mine.len() - 1);
    assert_eq!(at_once(&hasher, head, &format!("{tail}mine")), None);
}

#[tokio::test]
async fn only_so_many_passwords_are_remembered() {
    let (hasher, slow) = (cheap(), slow_hash().await);
    let first = hash(&hasher, "mine", 0).await;
    assert!(hasher.verify(&first, &password("mine")).await.unwrap());
    for salt in 1..=1024 {
        let next = hash(&hasher, "mine", salt).await;
        assert!(hasher.verify(&next, &password("mine")).await.unwrap());
    }
    let last = hash(&hasher, "mine", 1024).await;
    let second = hash(&hasher, "mine", 1).await;
    keep_busy(&hasher, &slow);
    assert_eq!(at_once(&hasher, &last, "mine"), Some(true));
    assert_eq!(at_once(&hasher, &second, "mine"), Some(true));
    assert_eq!(at_once(&hasher, &first, "mine"), None);
}

#[tokio::test]
async fn what_is_no_hash_is_an_error_and_harms_nobody() {
    let hasher = cheap();
    let mine = hash(&hasher, "mine", 0).await;
    for text in
        ["", "mine", "$", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$", "$argon2id$v=19$m=x$a$b"]
    {
        let answer = hasher.verify(text, &password("mine")).await;
        assert!(!matches!(answer, Ok(true)), "{text}");
    }
    assert!(hasher.verify(&mine, &password("mine")).await.unwrap());
}

async fn directory(hasher: &PasswordHasher) -> MemoryDirectory {
    let directory = MemoryDirectory::new(hasher.clone());
    directory.insert("ada", &password("secret"), Identity::new("1", "Ada")).await.unwrap();
    directory
}

async fn sign_in(directory: &MemoryDirectory, identifier: &str, text: &str) -> Authentication {
    directory.authenticate(TENANT, identifier, &password(text)).await.unwrap()
}

#[tokio::test]
async fn only_who_is_active_and_knows_the_password_signs_in() {
    let hasher = cheap();
    let directory = directory(&hasher).await;
    let accepted = Authentication::Accepted("1".into());
    assert_eq!(sign_in(&directory, "ada", "secret").await, accepted);
    for (identifier, text) in [("ada", "wrong"), ("ada", ""), ("Ada", "secret"), ("", "secret")] {
        assert_eq!(sign_in(&directory, identifier, text).await, Authentication::Refused);
    }
    directory.update("ada", |identity| identity.active = false);
    assert_eq!(sign_in(&directory, "ada", "secret").await, Authentication::Refused);
    let found = directory.find(TENANT, &"1".into()).await.unwrap();
    assert!(found.is_some_and(|identity| !identity.active));
    directory.update("ada", |identity| identity.active = true);
    assert_eq!(sign_in(&directory, "ada", "secret").await, accepted);
    // Another password ends the old one, although that one was remembered.
    directory.insert("ada", &password("changed"), Identity::new("1", "Ada")).await.unwrap();
    assert_eq!(sign_in(&directory, "ada", "secret").await, Authentication::Refused);
    assert_eq!(sign_in(&directory, "ada", "changed").await, accepted);
    directory.remove("ada");
    assert_eq!(sign_in(&directory, "ada", "changed").await, Authentication::Refused);
    assert!(directory.find(TENANT, &"1".into()).await.unwrap().is_none());
}

#[tokio::test]
async fn no_password_is_refused_without_a_hash() {
    let (hasher, slow) = (cheap(), slow_hash().await);
    let directory = directory(&hasher).await;
    // Also none that somebody took from the source: were it remembered, unknown identifiers would show.
    let guesses = ["wrong", "", "nobody's password"];
    for guess in guesses {
        for identifier in ["ada", "nobody", "somebody"] {
            assert_eq!(sign_in(&directory, identifier, guess).await, Authentication::Refused);
        }
    }
    keep_busy(&hasher, &slow);
    for guess in guesses {
        for identifier in ["ada", "nobody", "somebody"] {
            let guess = password(guess);
            let answer = directory.authenticate(TENANT, identifier, &guess).now_or_never();
            assert!(answer.is_none(), "{identifier}");
        }
    }
}

#[tokio::test]
async fn an_unknown_identifier_takes_as_long_as_a_wrong_password() {
    let hasher = PasswordHasher::new(PasswordCost::DEFAULT, 1);
    let directory = directory(&hasher).await;
    sign_in(&directory, "nobody", "first").await;
    let mut best = [Duration::MAX; 2];
    for _ in 0..10 {
        for (best, identifier) in best.iter_mut().zip(["ada", "nobody"]) {
            let started = Instant::now();
            sign_in(&directory, identifier, "wrong").await;
            *best = started.elapsed().min(*best);
        }
    }
    // With other parameters it would be a thousandth, or nothing.
    assert!(best[0] < best[1] * 3 && best[1] < best[0] * 3, "{best:?}");
}

#[tokio::test]
async fn a_name_is_blocked_by_its_own_failures() {
    let few = NonZeroU32::new(2).unwrap();
    let limiter = MemoryRateLimiter::new(few, NonZeroU32::MIN);
    let app = Attempt::new(TENANT, "client_authentication", "app");
    // To be admitted costs nothing, as often as it happens.
    for _ in 0..100 {
        assert!(limiter.admit(&app).await.is_ok());
    }
    for _ in 0..3 {
        limiter.failed(&app).await;
    }
    let Err(Limited::TooMany(error)) = limiter.admit(&app).await else { panic!("admitted") };
    assert!(error.retry_after > Duration::from_secs(30), "{error}");
    let other = TenantId::new("other").unwrap();
    for free in [
        Attempt::new(other, "client_authentication", "app"),
        Attempt::new(TENANT, "introspection", "app"),
        Attempt::new(TENANT, "client_authentication", "App"),
    ] {
        assert!(limiter.admit(&free).await.is_ok());
    }
}

#[tokio::test]
async fn names_from_outside_do_not_pile_up() {
    // A failure is forgiven after a microsecond here.
    let limiter = MemoryRateLimiter::new(NonZeroU32::MIN, NonZeroU32::new(60_000_000).unwrap());
    for nth in 0..100_500 {
        limiter.failed(&Attempt::new(TENANT, "client_authentication", &nth.to_string())).await;
    }
    let shown = format!("{limiter:?}");
    let names = shown.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().unwrap();
    assert!(names <= 100_000, "{shown}");
}
