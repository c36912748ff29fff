//! What a case needs of a store, beyond what every store can do.

use std::time::Duration;

use cache_core::{Capabilities, Result, When};

use crate::direct::Direct;

/// What a store must promise, or its subject say, for a case to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It keeps entries.
    Stores,
    /// It keeps none.
    StoresNothing,
    /// Reads give tokens.
    Tokens,
    /// They give none.
    NoTokens,
    /// Tokens are numbers, one for each write: equal values differ by them.
    NumberedTokens,
    /// Every read sees what has been acknowledged.
    FreshReads,
    /// A move is one step.
    AtomicMove,
    /// A move in steps notices that the entry changed under it.
    CarefulMove,
    /// A clear can be kept to one prefix.
    ClearPrefix,
    /// It cannot be kept to one.
    NoClearPrefix,
    /// Keys of so many bytes are admitted.
    KeyBytes(usize),
    /// Lives are counted in a tenth of a second or finer.
    FineLives,
    /// It tells how many entries it holds.
    Usage,
    /// Nobody else uses the store while a case runs.
    OwnStore,
    /// Its time is the manual clock's.
    ManualTime,
}

/// What is known of the store that is tested.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    capabilities: Capabilities,
    /// What is met that no capability tells.
    beyond: Vec<Need>,
}

impl Facts {
    /// What its subject says, and what the store itself shows.
    pub(crate) async fn of(direct: &Direct, mut said: Vec<Need>) -> Result<Self> {
        let capabilities = direct.store.capabilities();
        if direct.store.usage().entries.is_some() {
            said.push(Need::Usage);
        }
        if capabilities.tokens && gives_numbers(direct).await? {
            said.push(Need::NumberedTokens);
        }
        Ok(Self { capabilities, beyond: said })
    }
}

/// What tokens are made of shows only in one.
async fn gives_numbers(direct: &Direct) -> Result<bool> {
    direct.put("kind-of-token", "text".to_owned()).await?;
    let token = direct.token("kind-of-token").await?;
    direct.delete("kind-of-token", &When::Always).await?;
    Ok(token.is_some_and(|token| token.number().is_some()))
}

impl Need {
    /// Why a case with this need does not apply, or `None` if it does.
    pub(crate) fn unmet(self, facts: &Facts) -> Option<String> {
        let capabilities = &facts.capabilities;
        let (met, words) = match self {
            Self::Stores => (capabilities.stores, "stores"),
            Self::StoresNothing => (!capabilities.stores, "stores = false"),
            Self::Tokens => (capabilities.tokens, "tokens"),
            Self::NoTokens => (!capabilities.tokens, "tokens = false"),
            Self::NumberedTokens => (facts.beyond.contains(&self), "tokens that are numbers"),
            Self::FreshReads => (!capabilities.stale_reads, "stale_reads = false"),
            Self::AtomicMove => (capabilities.atomic_move, "atomic_move"),
            Self::CarefulMove => (capabilities.atomic_move || capabilities.tokens, "atomic_move or tokens"),
            Self::ClearPrefix => (capabilities.clear_prefix, "clear_prefix"),
            Self::NoClearPrefix => (!capabilities.clear_prefix, "clear_prefix = false"),
            Self::KeyBytes(bytes) => {
                let met = capabilities.max_key_bytes.is_none_or(|most| most >= bytes);
                return (!met).then(|| format!("needs max_key_bytes >= {bytes}"));
            }
            Self::FineLives => (capabilities.resolution <= Duration::from_millis(100), "a fine resolution"),
            Self::Usage => (facts.beyond.contains(&self), "usage().entries"),
            Self::OwnStore => (facts.beyond.contains(&self), "a store of its own"),
            Self::ManualTime => (facts.beyond.contains(&self), "manual time"),
        };
        (!met).then(|| format!("needs {words}"))
    }
}
