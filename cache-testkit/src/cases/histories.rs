//! Random histories: whatever happened, the cache answers as the model does.

use std::time::Duration;

use cache_core::{Cache, Life, Result, Timeout};
use fastrand::Rng;

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::model::{Content, Lives, Model, Place, Stored};

cases! {
    "histories":
    [Stores] => a_random_history_without_ends;
    [Stores, FineLives, ManualTime] => a_random_history_in_which_lives_end;
}

const NAMES: [&str; 3] = ["a", "b", "c d"];
const VERSIONS: u64 = 3;

async fn a_random_history_without_ends(bench: Bench) -> Outcome {
    History::new(&bench, false).run(&bench, bench.scaled(2_000)).await
}

async fn a_random_history_in_which_lives_end(bench: Bench) -> Outcome {
    History::new(&bench, true).run(&bench, bench.scaled(2_000)).await
}

struct History {
    cache: Cache,
    model: Model,
    chance: Rng,
    lives_end: bool,
}

impl History {
    fn new(bench: &Bench, lives_end: bool) -> Self {
        let chance = bench.chance();
        Self { cache: bench.cache(), model: Model::default(), chance, lives_end }
    }

    async fn run(mut self, bench: &Bench, steps: usize) -> Outcome {
        let clears = bench.capabilities().clear_prefix;
        for step in 0..steps {
            match self.chance.u8(0..40) {
                0 if clears => {
                    self.cache.aclear().await?;
                    self.model.clear();
                }
                1..=3 if self.lives_end => {
                    let time = Duration::from_secs(self.chance.u64(1..4));
                    bench.time().pass(time).await;
                    self.model.pass(time);
                }
                4..=7 => self.bulk().await?,
                _ => self.single(step).await?,
            }
            if step % 100 == 99 {
                self.compare_all(step).await?;
            }
        }
        self.compare_all(steps).await
    }

    async fn single(&mut self, step: usize) -> Outcome {
        let place = self.place();
        let (version, name) = place;
        let cache = self.cache.at_version(version);
        match self.chance.u8(0..12) {
            0 | 1 => {
                let (content, lives) = (self.content(), self.lives());
                set(&cache, name, &content, lives).await?;
                self.model.set(place, content, lives);
            }
            2 | 3 => {
                let (content, lives) = (self.content(), self.lives());
                let added = add(&cache, name, &content, lives).await?;
                assert_eq!(added, self.model.add(place, content, lives), "step {step}: add");
            }
            4 => {
                let lives = self.lives();
                let touched = cache.atouch(name, timeout(lives)).await?;
                assert_eq!(touched, self.model.touch(place, lives), "step {step}: touch");
            }
            5 => {
                let deleted = cache.adelete(name).await?;
                assert_eq!(deleted, self.model.delete(place), "step {step}: delete");
            }
            6..=8 => {
                let delta = if self.chance.u8(0..20) == 0 { i64::MAX } else { self.chance.i64(-5..10) };
                let counted = cache.aincr(name, delta).await.map_err(|error| error.kind());
                assert_eq!(counted, self.model.incr(place, delta), "step {step}: incr");
            }
            9 => {
                let delta = self.chance.i64(-2..3).clamp(-2, i64::try_from(VERSIONS - version)?);
                let moved = cache.aincr_version(name, delta).await.map_err(|error| error.kind());
                assert_eq!(moved, self.model.shift(place, delta), "step {step}: move by {delta}");
            }
            _ => self.compare(place, step).await?,
        }
        Ok(())
    }

    async fn bulk(&mut self) -> Outcome {
        let version = self.chance.u64(0..=VERSIONS);
        let cache = self.cache.at_version(version);
        let names: Vec<_> = (0..self.chance.usize(0..5)).map(|_| NAMES[self.chance.usize(0..3)]).collect();
        match self.chance.u8(0..3) {
            0 => {
                let values: Vec<_> = names.iter().map(|_| self.value()).collect();
                let lives = self.lives();
                cache.set_many(names.iter().zip(&values), timeout(lives)).await?;
                for (name, value) in names.into_iter().zip(values) {
                    self.model.set((version, name), Content::Value(value), lives);
                }
            }
            1 => {
                cache.delete_many(&names).await?;
                for name in names {
                    self.model.delete((version, name));
                }
            }
            _ => {
                let found = cache.get_many_any(names.clone()).await?;
                for name in names {
                    let expected = self.model.get((version, name));
                    let content = match (found.get(name), expected) {
                        (Some(found), Some(Content::Count(_))) => found.read()?.map(Content::Count),
                        (Some(found), _) => found.read()?.map(Content::Value),
                        (None, _) => None,
                    };
                    assert_eq!(content.as_ref(), expected);
                }
            }
        }
        Ok(())
    }

    async fn compare_all(&self, step: usize) -> Outcome {
        for version in 0..=VERSIONS {
            for name in NAMES {
                self.compare((version, name), step).await?;
            }
        }
        Ok(())
    }

    async fn compare(&self, place: Place, step: usize) -> Outcome {
        let (version, name) = place;
        let cache = self.cache.at_version(version);
        let expected = self.model.get(place);
        let found = match expected {
            Some(Content::Count(_)) => cache.aget(name).await?.map(Content::Count),
            _ => cache.aget(name).await?.map(Content::Value),
        };
        assert_eq!(found.as_ref(), expected, "step {step}: {place:?}");
        assert_eq!(cache.ahas_key(name).await?, expected.is_some(), "step {step}: {place:?}");
        let life = cache.alife(name).await?;
        match (life, self.model.life(place)) {
            (None, None) | (Some(Life::Forever), Some(Lives::Forever)) => {}
            // The histories keep all ends half a second away from any question.
            (Some(Life::For(rest)), Some(Lives::For(expected)))
                if rest.abs_diff(expected) < Duration::from_millis(400) => {}
            (found, expected) => panic!("step {step}: a life of {found:?} for {expected:?} at {place:?}"),
        }
        Ok(())
    }

    fn place(&mut self) -> Place {
        (self.chance.u64(0..=VERSIONS), NAMES[self.chance.usize(0..3)])
    }

    fn content(&mut self) -> Content {
        if self.chance.bool() {
            Content::Count(self.chance.i64(-3..100))
        } else {
            Content::Value(self.value())
        }
    }

    fn value(&mut self) -> Stored {
        if self.chance.bool() {
            Stored::Text(format!("text {}", self.chance.u16(..)))
        } else {
            Stored::List(vec![None, Some(self.chance.f64()), Some(f64::INFINITY)])
        }
    }

    fn lives(&mut self) -> Lives {
        match self.chance.u8(0..10) {
            0 => Lives::NotAtAll,
            1..=4 if self.lives_end => {
                Lives::For(Duration::from_millis(500) + Duration::from_secs(self.chance.u64(0..6)))
            }
            _ => Lives::Forever,
        }
    }
}

fn timeout(lives: Lives) -> Timeout {
    match lives {
        Lives::Forever => Timeout::Forever,
        Lives::For(life) => Timeout::After(life),
        Lives::NotAtAll => Timeout::After(Duration::ZERO),
    }
}

async fn set(cache: &Cache, name: &str, content: &Content, lives: Lives) -> Result<()> {
    match content {
        Content::Count(count) => cache.aset(name, count, timeout(lives)).await,
        Content::Value(value) => cache.aset(name, value, timeout(lives)).await,
    }
}

async fn add(cache: &Cache, name: &str, content: &Content, lives: Lives) -> Result<bool> {
    match content {
        Content::Count(count) => cache.aadd(name, count, timeout(lives)).await,
        Content::Value(value) => cache.aadd(name, value, timeout(lives)).await,
    }
}
