//! Paths in URLs.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// All but letters, digits and what else a URL holds as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path as a part of a URL, also of its query.
pub(crate) fn url_path(path: &Path) -> String {
    percent_encode(path.as_os_str().as_encoded_bytes(), ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::url_path;

    #[test]
    fn only_what_a_url_would_misread_is_escaped() {
        assert_eq!(url_path(Path::new("/tmp/.a-B_9~/x")), "/tmp/.a-B_9~/x");
        assert_eq!(url_path(Path::new("/a b/?#&%+@:")), "/a%20b/%3F%23%26%25%2B%40%3A");
    }
}
