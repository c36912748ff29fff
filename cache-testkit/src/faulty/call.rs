//! The calls that a store can be told to spoil.

/// A method of [`AsyncCache`](cache_core::AsyncCache).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// `aget`.
    Get,
    /// `aset`, under whatever condition.
    Set,
    /// `atouch`.
    Touch,
    /// `adelete`.
    Delete,
    /// `ahas_key`.
    HasKey,
    /// `alife`.
    Life,
    /// `aincr`.
    Incr,
    /// `amove`.
    Move,
    /// `get_many`.
    GetMany,
    /// `set_many`.
    SetMany,
    /// `delete_many`.
    DeleteMany,
    /// `aclear`.
    Clear,
    /// `aping`.
    Ping,
    /// `aclose`.
    Close,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Get,
        Self::Set,
        Self::Touch,
        Self::Delete,
        Self::HasKey,
        Self::Life,
        Self::Incr,
        Self::Move,
        Self::GetMany,
        Self::SetMany,
        Self::DeleteMany,
        Self::Clear,
        Self::Ping,
        Self::Close,
    ];
}
