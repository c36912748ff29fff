//! Values that cases store.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a program would store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) age: u32,
    pub(crate) tags: Vec<String>,
}

/// The same type in a later version of the program: one field more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserWithMail {
    pub(crate) name: String,
    pub(crate) age: u32,
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) mail: Option<String>,
}

/// And in an earlier one: fewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserName {
    pub(crate) name: String,
}

/// Every kind of variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Shape {
    Point,
    Named(String),
    Line(f64, f64),
    Circle { radius: f64 },
}

/// A counter with a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Count(pub(crate) u32);

/// A value that no codec can hold, and whose refusal quotes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Refused(pub(crate) String);

impl Serialize for Refused {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format!("will not serialize {}", self.0)))
    }
}

impl User {
    pub(crate) fn ada() -> Self {
        let tags = ["countess", "poet's daughter"].map(str::to_owned).to_vec();
        Self { name: "Ada".to_owned(), age: 36, tags }
    }
}

/// A list of lists of lists. It gives up before the stack does, and tells how
/// deep it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Nested(Vec<Nested>);

/// How deep a [`Nested`] may go before it gives up.
const TOO_DEEP: usize = 2_000;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static DEEPEST: Cell<usize> = const { Cell::new(0) };
}

impl Nested {
    /// How deep the last one on this thread came, which is then forgotten.
    pub(crate) fn take_deepest() -> usize {
        DEEPEST.take()
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let depth = DEPTH.get() + 1;
        DEEPEST.set(DEEPEST.get().max(depth));
        if depth > TOO_DEEP {
            return Err(serde::de::Error::custom("too deep"));
        }
        DEPTH.set(depth);
        let inner = Vec::deserialize(deserializer);
        DEPTH.set(depth - 1);
        Ok(Self(inner?))
    }
}
