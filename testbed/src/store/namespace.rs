//! [`Namespace`]: a namespace of the Redis at `REDIS_URL`, or of a cluster, for one test.

use super::schema::unused;

/// A name that no other process uses; what stands under it is removed with the value.
#[derive(Debug)]
pub(super) struct Namespace {
    /// A server, or the masters of a cluster with commas between them.
    urls: String,
    name: String,
}

/// Whatever belongs to a namespace has it in its name, behind a brace or not.
const REMOVE: &str = "\
for _, key in ipairs(redis.call('KEYS', '*' .. ARGV[1] .. '*')) do redis.call('UNLINK', key) end";

impl Namespace {
    pub(super) fn new(urls: String) -> Self {
        Self { urls, name: unused("test") }
    }

    /// The URLs with the namespace in them, as [`open`](super::open) reads them.
    pub(super) fn spec(&self) -> String {
        format!("{}#{}", self.urls, self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        for url in self.urls.split(',') {
            // What cannot be removed is left: the server of a run goes with the run.
            let _ = remove(url, &self.name);
        }
    }
}

fn remove(url: &str, name: &str) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    redis::cmd("EVAL").arg(REMOVE).arg(0).arg(name).query(&mut connection)
}
