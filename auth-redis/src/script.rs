//! The scripts, and the commands that call them.

use std::sync::LazyLock;

use redis::{Cmd, Script, ToRedisArgs};

/// A script that the server knows by its digest, once it was sent.
pub(crate) struct Lua {
    text: String,
    digest: String,
}

impl Lua {
    fn new(flags: &str, parts: &[&str]) -> Self {
        // The first line makes the server check memory and role before the script begins, and not at
        // its first write.
        let text = format!("#!lua{flags}\n{}", parts.concat());
        let digest = Script::new(&text).get_hash().to_owned();
        Self { text, digest }
    }

    /// A call of it.
    pub(crate) fn call(&'static self, keys: &[String]) -> Call {
        let mut arguments = Cmd::new();
        arguments.arg(keys.len());
        for key in keys {
            arguments.arg(key);
        }
        let route = keys.first().cloned().unwrap_or_default();
        Call { lua: self, route, arguments }
    }
}

const RECORD: &str = include_str!("script/record.lua");

pub(crate) static COMMIT: LazyLock<Lua> =
    LazyLock::new(|| Lua::new("", &[RECORD, include_str!("script/commit.lua")]));
pub(crate) static RESTORE: LazyLock<Lua> =
    LazyLock::new(|| Lua::new("", &[RECORD, include_str!("script/restore.lua")]));
// A server without memory is to be swept of all things.
pub(crate) static SWEEP: LazyLock<Lua> =
    LazyLock::new(|| Lua::new(" flags=allow-oom", &[RECORD, include_str!("script/sweep.lua")]));
pub(crate) static SCAN: LazyLock<Lua> =
    LazyLock::new(|| Lua::new(" flags=no-writes", &[include_str!("script/scan.lua")]));
pub(crate) static DUE: LazyLock<Lua> =
    LazyLock::new(|| Lua::new(" flags=no-writes", &[include_str!("script/due.lua")]));

/// A call of a script.
pub(crate) struct Call {
    lua: &'static Lua,
    route: String,
    arguments: Cmd,
}

impl Call {
    /// Adds an argument.
    pub(crate) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.arguments.arg(argument);
        self
    }

    /// A key of the slot that the call goes to.
    pub(crate) fn route(&self) -> &[u8] {
        self.route.as_bytes()
    }

    /// The call by the script's digest.
    pub(crate) fn by_digest(&self) -> Cmd {
        self.command("EVALSHA", &self.lua.digest)
    }

    /// The call by its text, for a server that does not know it yet.
    pub(crate) fn by_text(&self) -> Cmd {
        self.command("EVAL", &self.lua.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script);
        for argument in self.arguments.args_iter() {
            if let redis::Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }
}
