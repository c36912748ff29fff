//! What a write costs before it does anything: the future that its caller has
//! to hold, or to move.

use cache_core::{Cache, Timeout};
use cache_mem::MemStore;

/// Above what they need now, and below what they would need with room for the
/// wait for a load, which is seldom.
#[test]
fn a_write_has_no_room_for_what_it_seldom_needs() {
    let cache = Cache::new(MemStore::new());
    let sizes = [
        ("aset", size_of_val(&cache.aset("key", "value", Timeout::Default)), 900),
        ("aadd", size_of_val(&cache.aadd("key", "value", Timeout::Default)), 1024),
        ("adelete", size_of_val(&cache.adelete("key")), 640),
        ("aincr", size_of_val(&cache.aincr("key", 1)), 736),
        ("atouch", size_of_val(&cache.atouch("key", Timeout::Default)), 704),
    ];
    for (call, bytes, most) in sizes {
        assert!(bytes <= most, "{call} takes {bytes} bytes: {sizes:?}");
    }
}
