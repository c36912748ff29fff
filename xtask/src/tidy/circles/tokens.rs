//! Code as a row of words and signs.

/// A word, `::`, or another single sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// Splits text that is code only, without comments and literals.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(length) = token_length(rest) {
            tokens.push(Token { text: &rest[..length], line: index + 1 });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn token_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    if in_word(first) {
        return Some(text.find(|c| !in_word(c)).unwrap_or(text.len()));
    }
    Some(if text.starts_with("::") { 2 } else { first.len_utf8() })
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn words_and_signs() {
        let found = tokens("use a::{b_1,\n c::*};");
        let texts: Vec<&str> = found.iter().map(|token| token.text).collect();
        assert_eq!(texts, ["use", "a", "::", "{", "b_1", ",", "c", "::", "*", "}", ";"]);
        assert_eq!(found.last().map(|token| token.line), Some(2));
    }
}
