//! The trait, in commands of Redis.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    AsyncCache, Batch, Capabilities, Context, Error, ErrorKind, Found, Incr, Key, Life, NewEntry, Ping, Read,
    Result, Scope, Settings, Token, When, Write,
};
use futures::future::{join, join_all};

use crate::clear;
use crate::command::{Arg, Command, If};
use crate::driver::Driver;
use crate::life::{Expiry, of_pttl};
use crate::pool::Pool;
use crate::replication;
use crate::reply::{Content, Reply};
use crate::script::{self, INCR, PERSIST, SET_IF_UNCHANGED, UNLINK_IF_UNCHANGED};
use crate::server_error::ServerError;
use crate::settings::{Part, RedisSettings, config};
use crate::written::{Written, reading_of, value_arg};

/// A store on one server of Redis or Valkey.
///
/// Connections are made when they are needed, so that opening succeeds while
/// the server is down. Nothing is sent twice.
pub struct RedisStore {
    pool: Pool,
    driver: Driver,
    part: Part,
    context: Context,
}

/// How many keys travel in one command.
const BATCH: usize = 1_000;

/// How long commands under way may take to end once the store is closed.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

impl RedisStore {
    /// A store at the location of these settings, whose options are those of
    /// [`RedisBackend`](crate::RedisBackend).
    ///
    /// It has no deadlines of its own: put a [`Trip`](cache_core::Trip) around
    /// it, as a configuration does.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) where the settings cannot be used, or name
    /// more than one location: [`RedisBackend`](crate::RedisBackend) opens
    /// replicas.
    ///
    /// ```
    /// use cache_core::{Context, Settings};
    /// use cache_redis::RedisStore;
    ///
    /// let settings = Settings::new(vec!["redis://127.0.0.1:6379/1".to_owned()]);
    /// let store = RedisStore::open(&settings, &Context::new("pages"))?;
    /// # drop(store);
    /// # Ok::<(), cache_core::Error>(())
    /// ```
    pub fn open(settings: &Settings, context: &Context) -> Result<Self> {
        let mut each = RedisSettings::each(settings)?.into_iter();
        match (each.next(), each.next()) {
            (Some(only), None) => Ok(Self::with(only, context)),
            _ => Err(config("a store is on one server: `RedisBackend` opens a leader with its replicas")),
        }
    }

    pub(crate) fn with(mut settings: RedisSettings, context: &Context) -> Self {
        settings.target.max_value_bytes = context.max_value_bytes;
        for note in &settings.ignored {
            tracing::warn!(target: "cache::config", alias = &*context.alias, "{note}");
        }
        Self {
            pool: Pool::new(&settings, context),
            driver: settings.driver,
            part: settings.part,
            context: context.clone(),
        }
    }

    /// Whether the server is ready, and what it tells of replication, if it may.
    async fn ask_position(&self) -> Result<(std::result::Result<(), ServerError>, Option<Bytes>)> {
        let slot = self.pool.slot(0);
        let (ping, info) = (Command::ping(), Command::info_of_replication());
        let (answer, told) = join(slot.try_ask(&ping, Reply::done), slot.try_ask(&info, Reply::value)).await;
        // Whom an ACL or a proxy keeps from asking cannot tell.
        Ok((answer?, told?.ok()))
    }

    async fn set_unchanged(
        &self,
        key: Key<'_>,
        value: &NewEntry<'_>,
        life: Life,
        token: &Token,
    ) -> Result<bool> {
        let args = script::set_args(token, value_arg(value)?, life);
        self.pool.of(&key).run(&SET_IF_UNCHANGED, key, &args, Reply::truth).await
    }

    /// One command for each, so that a value of another kind is told from none.
    async fn get_each(&self, keys: &[Key<'_>]) -> Result<Vec<Result<Option<Found>>>> {
        let groups = self.pool.grouped(keys.iter().copied());
        let asked = groups.iter().enumerate().filter(|(_, positions)| !positions.is_empty());
        let answers = join_all(asked.map(async |(slot, positions)| {
            let commands: Vec<_> = positions.iter().map(|position| Command::get(keys[*position])).collect();
            (positions, self.pool.slot(slot).ask_many(&commands, |_, reply| reply.content()).await)
        }));
        let found = |content: Option<Content>| {
            content.map(|content| {
                let token = content.token();
                Found::new(content.into_entry()).with_token(token)
            })
        };
        let answers = answers.await.into_iter();
        Ok(in_order(keys.len(), answers, |outcome| outcome.map(found)))
    }
}

#[async_trait]
impl AsyncCache for RedisStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .resolution(Duration::from_millis(1))
            .max_key_bytes(Some(512 << 20))
            .tokens(true)
            .atomic_move(true)
            .clear_prefix(true)
            .read_batch(Batch::new(BATCH).gathering(self.driver.gathered_reads()))
            .write_batch(Batch::new(BATCH).gathering(self.driver.gathered_writes()))
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        let content = self.pool.of(key).ask(&Command::get(*key), Reply::content).await?;
        Ok(content.map(|content| {
            let token = read.token.then(|| content.token());
            let found = Found::new(content.into_entry());
            match token {
                Some(token) => found.with_token(token),
                None => found,
            }
        }))
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        let when = match &write.when {
            When::Always => If::Always,
            When::Absent => If::Absent,
            When::Present => If::Present,
            When::Unchanged(token) => return self.set_unchanged(*key, value, write.life, token).await,
        };
        let command = Command::set(*key, value_arg(value)?, Expiry::of(write.life), when);
        self.pool.of(key).ask(&command, reading_of(when)).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        let slot = self.pool.of(key);
        match Expiry::of(life) {
            Expiry::Never => slot.run(&PERSIST, *key, &[], Reply::truth).await,
            Expiry::After(milliseconds) => {
                slot.ask(&Command::pexpire(*key, milliseconds), Reply::truth).await
            }
        }
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        let slot = self.pool.of(key);
        match when {
            When::Always | When::Present => slot.ask(&Command::unlink([Arg::Key(*key)]), Reply::truth).await,
            When::Absent => Ok(false),
            When::Unchanged(token) => {
                slot.run(&UNLINK_IF_UNCHANGED, *key, &script::token_args(token), Reply::truth).await
            }
        }
    }

    async fn ahas_key(&self, key: &Key<'_>, _: Read) -> Result<bool> {
        self.pool.of(key).ask(&Command::exists(*key), Reply::truth).await
    }

    async fn alife(&self, key: &Key<'_>, _: Read) -> Result<Option<Life>> {
        Ok(of_pttl(self.pool.of(key).ask(&Command::pttl(*key), Reply::integer).await?))
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        let args = [Arg::Integer(incr.delta)];
        self.pool.of(key).run(&INCR, *key, &args, Reply::number_as_text).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        let outcome = self.pool.of(from).try_ask(&Command::rename(*from, *to), Reply::done).await?;
        match outcome {
            Ok(()) => Ok(true),
            Err(ServerError::NoSuchKey) => Ok(false),
            Err(error) => Err(error.into_error("RENAME")),
        }
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        if read.token {
            return self.get_each(keys).await;
        }
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        let reading = |reply: Reply| reply.contents(keys.len());
        let contents = self.pool.of(first).ask(&Command::mget(keys), reading).await?;
        let found = |content: Option<Content>| Ok(content.map(|content| Found::new(content.into_entry())));
        Ok(contents.into_iter().map(found).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        let groups = self.pool.grouped(items.iter().map(|(key, ..)| *key));
        let asked = groups.iter().enumerate().filter(|(_, positions)| !positions.is_empty());
        let answers = join_all(asked.map(async |(slot, positions)| {
            let written = Written::new(items, positions, self.driver.sets_in_a_script());
            (
                self.pool.slot(slot).ask_many(&written.commands, |at, reply| written.read(at, reply)).await,
                written,
            )
        }));
        let mut outcomes = unanswered(items.len());
        for (answered, written) in answers.await {
            written.place(answered, &mut outcomes);
        }
        Ok(outcomes)
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        let groups = self.pool.grouped(keys.iter().copied());
        let asked = groups.iter().enumerate().filter(|(_, positions)| !positions.is_empty());
        let answers = join_all(asked.map(async |(slot, positions)| {
            let command = Command::unlink(positions.iter().map(|position| Arg::Key(keys[*position])));
            let answered = self.pool.slot(slot).ask(&command, Reply::integer).await;
            (positions, answered.map(|_| positions.iter().map(|_| Ok(())).collect()))
        }));
        Ok(in_order(keys.len(), answers.await.into_iter(), |outcome| outcome))
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        clear::clear(&self.pool, scope, &self.context).await
    }

    async fn aping(&self) -> Result<Ping> {
        let began = self.context.clock.precise();
        let (answer, told) = match self.part {
            Part::Alone => (self.pool.slot(0).try_ask(&Command::ping(), Reply::done).await?, None),
            Part::Leader | Part::Replica => self.ask_position().await?,
        };
        let ping = Ping::new(self.context.clock.precise().since(began));
        let ping = match &told {
            Some(text) => replication::placed(ping, text, self.part),
            None => ping,
        };
        match answer {
            Ok(()) => Ok(ping),
            Err(ServerError::Loading) => Ok(ping.loading()),
            Err(error) => Err(error.into_error("PING")),
        }
    }

    async fn aclose(&self) -> Result<()> {
        self.pool.close(&self.context, CLOSE_PATIENCE).await;
        Ok(())
    }
}

/// One outcome for each of so many keys, from those of several connections.
fn in_order<'p, T, U>(
    keys: usize,
    answers: impl Iterator<Item = (&'p Vec<usize>, Result<Vec<Result<T>>>)>,
    convert: impl Fn(Result<T>) -> Result<U>,
) -> Vec<Result<U>> {
    let mut outcomes = unanswered(keys);
    for (positions, answered) in answers {
        place(&mut outcomes, positions, answered, &convert);
    }
    outcomes
}

/// Puts what one connection answered where it belongs; the failure of all is
/// the failure of each.
fn place<T, U>(
    outcomes: &mut [Result<U>],
    positions: &[usize],
    answered: Result<Vec<Result<T>>>,
    convert: impl Fn(Result<T>) -> Result<U>,
) {
    match answered {
        Ok(answers) => {
            for (position, answer) in positions.iter().zip(answers) {
                outcomes[*position] = convert(answer);
            }
        }
        Err(error) => positions.iter().for_each(|position| outcomes[*position] = Err(error.clone())),
    }
}

/// What holds of each of so many keys until there is an answer.
fn unanswered<T>(keys: usize) -> Vec<Result<T>> {
    let error = Error::new(ErrorKind::Server, "there was no answer for this key");
    (0..keys).map(|_| Err(error.clone())).collect()
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("pool", &self.pool).finish_non_exhaustive()
    }
}
