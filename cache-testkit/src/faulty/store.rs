//! Every call of the layer: counted, struck as commanded, handed on.

use std::future::Future;
use std::ops::Range;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Capabilities, Error, ErrorKind, Found, Incr, Key, Life, NewEntry, Ping, Probe, Read, Result,
    Scope, Usage, When, Write,
};
use futures::future::BoxFuture;

use super::Faulty;
use super::call::Call;
use super::plan::{Effect, Point, Stroke};

/// What becomes of a call, or of one key of it, that the store below does not answer.
#[derive(Clone, Copy)]
enum Fate {
    Fails(ErrorKind),
    Lost,
}

impl Fate {
    fn answer<T>(self, lost: T) -> Result<T> {
        match self {
            Self::Fails(kind) => Err(Error::new(kind, "the store fails, as it was told to")),
            Self::Lost => Ok(lost),
        }
    }
}

/// What was commanded for one point of one call.
struct Verdict {
    whole: Option<Fate>,
    keys: Vec<Option<Fate>>,
}

impl Faulty {
    /// One call about these keys, answered as a whole.
    async fn run<T>(
        &self,
        call: Call,
        keys: &[Key<'_>],
        scope: Option<&Scope<'_>>,
        lost: T,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let _inside = self.tally.enter(call);
        let strokes = self.plan.strokes(call, keys);
        if let Some(fate) = suffer(&strokes, Point::Before, 0, scope).await.whole {
            return fate.answer(lost);
        }
        let answer = work.await;
        match suffer(&strokes, Point::After, 0, scope).await.whole {
            Some(fate) => fate.answer(lost),
            None => answer,
        }
    }

    /// One call about many keys, answered key by key; `work` does a part of it.
    async fn run_many<'a, T>(
        &self,
        call: Call,
        keys: &[Key<'_>],
        lost: impl Fn() -> T,
        work: impl Fn(Range<usize>) -> BoxFuture<'a, Result<Vec<Result<T>>>>,
    ) -> Result<Vec<Result<T>>> {
        let _inside = self.tally.enter(call);
        let strokes = self.plan.strokes(call, keys);
        let before = suffer(&strokes, Point::Before, keys.len(), None).await;
        let all_lost = || keys.iter().map(|_| Ok(lost())).collect();
        if let Some(fate) = before.whole {
            return fate.answer(all_lost());
        }
        let mut answers = Vec::with_capacity(keys.len());
        let mut next = 0;
        while let Some(fate) = before.keys.get(next) {
            if let Some(fate) = fate {
                answers.push(fate.answer(lost()));
                next += 1;
                continue;
            }
            // Values cannot be copied out of the call, but handed on in runs.
            let spared = before.keys[next..].iter().take_while(|fate| fate.is_none()).count();
            answers.extend(work(next..next + spared).await?);
            next += spared;
        }
        let after = suffer(&strokes, Point::After, keys.len(), None).await;
        if let Some(fate) = after.whole {
            return fate.answer(all_lost());
        }
        let answered = answers.into_iter().zip(after.keys);
        Ok(answered
            .map(|(answer, fate)| match fate {
                Some(fate) => fate.answer(lost()),
                None => answer,
            })
            .collect())
    }
}

/// Waits for what there is to wait for, and says what is to become of the call.
/// Without a number of keys, a stroke at one of them is a stroke at the call.
async fn suffer(strokes: &[Stroke], point: Point, many: usize, scope: Option<&Scope<'_>>) -> Verdict {
    let mut verdict = Verdict { whole: None, keys: vec![None; many] };
    for stroke in strokes.iter().filter(|stroke| stroke.point == point) {
        let fate = match &stroke.effect {
            Effect::Fail(kind) => Fate::Fails(*kind),
            Effect::Lose => Fate::Lost,
            Effect::Panic => panic!("the store panics, as it was told to"),
            Effect::Hold(gate) => {
                gate.pass().await;
                continue;
            }
            Effect::Delay { clock, each, steps } => {
                for _ in 0..*steps {
                    clock.sleep_until(clock.precise().after(*each)).await;
                    scope.inspect(|scope| scope.step());
                }
                continue;
            }
        };
        match &stroke.keys {
            Some(struck) if many > 0 => {
                for (key, struck) in verdict.keys.iter_mut().zip(struck) {
                    if *struck && key.is_none() {
                        *key = Some(fate);
                    }
                }
            }
            _ => {
                verdict.whole = Some(fate);
                return verdict;
            }
        }
    }
    verdict
}

#[async_trait]
impl AsyncCache for Faulty {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    /// Never at once: as a remote store.
    fn probe(&self, _: &Key<'_>) -> Probe {
        Probe::Await
    }

    fn usage(&self) -> Usage {
        self.below.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        self.run(Call::Get, &[*key], None, None, self.below.aget(key, read)).await
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.run(Call::Set, &[*key], None, true, self.below.aset(key, value, write)).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.run(Call::Touch, &[*key], None, true, self.below.atouch(key, life)).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.run(Call::Delete, &[*key], None, true, self.below.adelete(key, when)).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.run(Call::HasKey, &[*key], None, false, self.below.ahas_key(key, read)).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.run(Call::Life, &[*key], None, None, self.below.alife(key, read)).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.run(Call::Incr, &[*key], None, Some(incr.delta), self.below.aincr(key, incr)).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.run(Call::Move, &[*from, *to], None, true, self.below.amove(from, to)).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        let part = |part: Range<usize>| self.below.get_many(&keys[part], read);
        self.run_many(Call::GetMany, keys, || None, part).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        let keys: Vec<_> = items.iter().map(|(key, _, _)| *key).collect();
        let part = |part: Range<usize>| self.below.set_many(&items[part]);
        self.run_many(Call::SetMany, &keys, || true, part).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        let part = |part: Range<usize>| self.below.delete_many(&keys[part]);
        self.run_many(Call::DeleteMany, keys, || (), part).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.run(Call::Clear, &[], Some(scope), (), self.below.aclear(scope)).await
    }

    async fn aping(&self) -> Result<Ping> {
        let ping = async {
            let ping = self.below.aping().await?;
            let ping = match self.lag_said() {
                Some(lag) => ping.with_lag(lag),
                None => ping,
            };
            Ok(if self.loading.load(Ordering::SeqCst) { ping.loading() } else { ping })
        };
        self.run(Call::Ping, &[], None, Ping::new(std::time::Duration::ZERO), ping).await
    }

    async fn aclose(&self) -> Result<()> {
        self.run(Call::Close, &[], None, (), self.below.aclose()).await
    }
}
