//! What can be stored.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type whose values can be stored and read back: every serde type that owns
/// its data and can be cloned and shared between threads.
///
/// It is implemented for all of them. A type that borrows cannot be stored;
/// store an owned twin of it:
///
/// ```
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Page {
///     title: String, // not `&'a str`
/// }
///
/// fn is_value<T: cache_core::Value>() {}
/// is_value::<Page>();
/// ```
pub trait Value: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Value for T {}
