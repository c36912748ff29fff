//! The rules, each of which one mutant breaks.

macro_rules! rules {
    ($($rule:ident: $words:literal,)*) => {
        /// What a mutant does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule {
            /// Nothing: the control.
            None,
            $(#[doc = $words] $rule,)*
        }

        impl Rule {
            /// All that are broken, with what that means.
            pub(crate) const BROKEN: &[(Self, &'static str)] = &[$((Self::$rule, $words),)*];
        }
    };
}

rules! {
    // Reads.
    GetIsStale: "a read gives what was there before the last write",
    GetServesExpired: "a read gives what has expired",
    NoneIsAMiss: "a stored None is not found",
    ProbeAlwaysMisses: "the fast path finds nothing",
    ProbeSeesDeleted: "the fast path finds what was deleted",
    HasKeyAlwaysTrue: "has_key is true of missing keys",
    HasKeyFalseOfNone: "has_key is false of a stored None",
    LifeIsHalfTold: "alife tells half of what remains",
    LifeOfEndlessIsFinite: "alife tells an end of what has none",
    LifeOfMissing: "alife tells a life of missing keys",
    IntegerReadAsText: "an integer comes back as text",
    LargeValuesCut: "values end after 64 KiB",
    TextTrimmed: "blanks at the ends of texts are lost",
    // Keys.
    KeysFoldCase: "keys that differ in case are one",
    KeysCut: "keys that differ only after 200 bytes are one",
    KeysEndAtNul: "keys end at a zero byte",
    VersionIgnored: "all versions are one",
    PrefixIgnored: "all prefixes are one",
    // Lives.
    LifeHalved: "entries live half their life",
    LifeTooLong: "entries live twice their life",
    LifeCutToSeconds: "lives are rounded down to seconds",
    ForeverIsFinite: "what has no end lives a day",
    SetKeepsOldLife: "a write keeps the life of what it replaces",
    // Writes.
    SetSaysItDidNot: "a write says that it did not write",
    AddOverwrites: "add writes over what is there",
    AddNeverStores: "add stores nothing",
    AddInSteps: "add looks and then writes",
    PresentIgnored: "a write if present makes a new entry",
    UnchangedIgnored: "a write if unchanged writes in any case",
    UnchangedNever: "a write if unchanged never writes",
    DeleteUnchangedIgnored: "a delete if unchanged deletes in any case",
    DeleteAbsentDeletes: "a delete if absent deletes",
    TokenOfTheValue: "tokens are numbers, and equal for equal values",
    TokenOfTheKey: "tokens never change",
    // Touch and delete.
    TouchDropsValue: "touch loses the value",
    TouchIgnoresLife: "touch keeps the life",
    TouchMakesEntries: "touch of a missing key makes an entry",
    TouchSaysFalse: "touch without a change says that there is nothing",
    DeleteAlwaysTrue: "delete of a missing key is true",
    DeleteNeverTrue: "delete never says that something was there",
    DeleteDoesNothing: "delete removes nothing",
    DeleteTrueOfExpired: "delete of an expired entry is true",
    // Bulk.
    GetManyReversed: "the answers come in reverse",
    GetManyDropsDuplicates: "a key that is asked for twice is found once",
    GetManyShiftsMissing: "a missing key takes the answer of the one before",
    SetManyIgnoresLives: "all of a bulk write lives for ever",
    SetManySharesTheFirstLife: "all of a bulk write has the first life",
    SetManyDropsTheLast: "the last of a bulk write is lost",
    SetManyReversed: "the first of a repeated key wins",
    SetManyHidesFailures: "a key that failed is reported as written",
    SetManyFailsAsAWhole: "one key that failed fails all",
    SetManySaysItDidNot: "a bulk write says that it did not write",
    SetManyIgnoresConditions: "a bulk write writes in any case",
    SetManySaysTrueOfRefused: "an item that was refused is reported as written",
    SetManyJudgesFirst: "a bulk write judges all conditions before it writes",
    SetManyTouchesRefused: "an item that was refused gives its life to what is there",
    SetManyStopsAtRefused: "a bulk write ends at the first item that is refused",
    DeleteManyDropsTheLast: "the last of a bulk delete stays",
    // Counters.
    IncrLosesTheLife: "an increment makes the life endless",
    IncrBeginsTheLifeAnew: "an increment gives a finite life anew",
    IncrMakesEntries: "an increment of a missing key begins at zero",
    IncrWraps: "a counter wraps around",
    IncrSaturates: "a counter stays at its end",
    IncrStopsAtZero: "a counter does not go below zero",
    IncrResetsText: "an increment of a text begins at zero",
    IncrParsesText: "a text of digits is a counter",
    IncrTakesBooleans: "true is one, and can be incremented",
    IncrInSteps: "an increment reads and then writes",
    IncrQuotesTheKey: "the error of an increment names the key",
    // Moves.
    MoveLosesTheLife: "a move makes the life endless",
    MoveCopies: "a move leaves the entry where it was",
    MoveRefusesTarget: "a move stops where something stands",
    MoveKeepsTheTargetsLife: "a move gives the life of what stood there",
    MoveInSteps: "a move reads, writes and deletes",
    MoveOfMissingIsTrue: "a move of a missing key succeeds",
    MoveOfMissingClearsTarget: "a move of a missing key removes what stands there",
    // Clears.
    ClearDoesNothing: "a clear removes nothing",
    ClearTakesLongerPrefixes: "a clear of `a` takes `ab` too",
    ClearTakesForeignKeys: "a clear of `a` takes `a:b` too",
    ClearTakesEverything: "a clear takes every key",
    ClearTakesOneVersion: "a clear takes version 1 only",
    ClearReadsPatterns: "a clear of `a*` or `a_` takes what matches",
    ClearFoldsCase: "a clear of `a` takes `A` too",
    ClearForgetsCounters: "a clear leaves counters",
    // The whole.
    CloseOnce: "a second close fails",
    PingFails: "a ping is not answered",
    SizeIsZero: "the store says that it is empty",
}
