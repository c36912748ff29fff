//! What takes more than one command and has to be one step: Lua, on the server.

use std::sync::LazyLock;

use cache_core::{Key, Life, Token};

use crate::command::{Arg, Command, If};
use crate::life::Expiry;

/// A script and the digest by which a server that has seen it knows it.
#[derive(Debug)]
pub(crate) struct Script {
    text: &'static str,
    digest: LazyLock<String>,
}

/// Goes on only if the entry is the one that the token came with.
macro_rules! same {
    () => {
        "local same
if ARGV[1] == 'value' then
  same = redis.pcall('GET', KEYS[1]) == ARGV[2]
else
  local kind = redis.call('TYPE', KEYS[1]).ok
  same = kind ~= 'none' and kind ~= 'string'
end
if not same then return 0 end\n"
    };
}

macro_rules! script {
    ($text:expr) => {
        Script { text: $text, digest: LazyLock::new(|| sha1_smol::Sha1::from($text).digest().to_string()) }
    };
}

/// Adds to an integer that is there. The sum is read back as text, since Lua
/// would make a float of it; the error of `INCRBY` is passed on as it is.
pub(crate) static INCR: Script = script!(
    "if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' then return sum end
return redis.call('GET', KEYS[1])"
);

/// Takes the end off an entry's life. `PERSIST` alone says 0 both of one that
/// has none and of one that is not there.
pub(crate) static PERSIST: Script = script!(
    "redis.call('PERSIST', KEYS[1])
return redis.call('EXISTS', KEYS[1])"
);

/// Writes if the entry is the one that the token came with.
pub(crate) static SET_IF_UNCHANGED: Script = script!(concat!(
    same!(),
    "if ARGV[4] == '' then
  redis.call('SET', KEYS[1], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
return 1"
));

/// Removes if the entry is the one that the token came with.
pub(crate) static UNLINK_IF_UNCHANGED: Script =
    script!(concat!(same!(), "return redis.call('UNLINK', KEYS[1])"));

/// Writes many entries, each with a life of its own, all under one condition.
/// Answers 1 if all of them were written, else for each 1, 0, or its error.
pub(crate) static SET_MANY: Script = script!(
    "local when, all, answers = ARGV[1], true, {}
for i, key in ipairs(KEYS) do
  local value, life, done = ARGV[2 * i], ARGV[2 * i + 1]
  if when == '' then
    if life == '' then done = redis.pcall('SET', key, value)
    else done = redis.pcall('SET', key, value, 'PX', life) end
  elseif life == '' then done = redis.pcall('SET', key, value, when)
  else done = redis.pcall('SET', key, value, 'PX', life, when) end
  if done and done.ok then answers[i] = 1
  else answers[i], all = done or 0, false end
end
return all and 1 or answers"
);

impl Script {
    /// The script by its digest.
    pub(crate) fn by_digest<'a>(&'static self, key: Key<'a>, args: &[Arg<'a>]) -> Command<'a> {
        Command::script("EVALSHA", &self.digest, [key], args.iter().cloned())
    }

    /// The script by its text, which the server keeps from then on.
    pub(crate) fn by_text<'a>(&'static self, key: Key<'a>, args: &[Arg<'a>]) -> Command<'a> {
        Command::script("EVAL", self.text, [key], args.iter().cloned())
    }

    /// The script by its text, of many keys.
    pub(crate) fn of_many<'a>(
        &'static self,
        keys: &[Key<'a>],
        args: impl IntoIterator<Item = Arg<'a>>,
    ) -> Command<'a> {
        Command::script("EVAL", self.text, keys.iter().copied(), args)
    }
}

/// The token of something that is no value and has no bytes to compare.
pub(crate) const OTHER_KIND: Token = Token::from_number(0);

/// What [`UNLINK_IF_UNCHANGED`] is told.
pub(crate) fn token_args(token: &Token) -> [Arg<'static>; 2] {
    match token.bytes() {
        Some(bytes) => [Arg::Word("value"), Arg::Value(bytes.clone())],
        None => [Arg::Word("other"), Arg::Word("")],
    }
}

/// What [`SET_IF_UNCHANGED`] is told.
pub(crate) fn set_args(token: &Token, value: Arg<'static>, life: Life) -> [Arg<'static>; 4] {
    let [kind, found] = token_args(token);
    [kind, found, value, life_arg(Expiry::of(life))]
}

/// What [`SET_MANY`] is told.
pub(crate) fn set_many_args<'a>(
    when: If,
    values: impl IntoIterator<Item = (Arg<'a>, Expiry)>,
) -> impl IntoIterator<Item = Arg<'a>> {
    let word = match when {
        If::Always => "",
        If::Absent => "NX",
        If::Present => "XX",
    };
    let items = values.into_iter().flat_map(|(value, life)| [value, life_arg(life)]);
    std::iter::once(Arg::Word(word)).chain(items)
}

fn life_arg(life: Expiry) -> Arg<'static> {
    match life {
        Expiry::Never => Arg::Word(""),
        Expiry::After(milliseconds) => Arg::Integer(milliseconds),
    }
}
