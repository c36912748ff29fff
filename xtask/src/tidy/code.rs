//! Rust text without what is not code, so that words can be searched for.
//!
//! Blanked characters become spaces and line ends stay, so lines keep their numbers.

/// Blanks comments, strings and characters.
pub(crate) fn only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => line_end(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => comment_end(&chars, at),
            '"' => string_end(&chars, at),
            'r' => raw_string_end(&chars, at).unwrap_or(at),
            '\'' => character_end(&chars, at).unwrap_or(at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| blank(c)));
            at = end;
        }
    }
    out
}

/// Blanks the items that are compiled only for tests, in text that is code only.
pub(crate) fn without_tests(code: &str) -> String {
    const FILE: &str = "#![cfg(test)]";
    const ITEMS: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test,"];
    if code.contains(FILE) {
        return code.chars().map(blank).collect();
    }
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = ITEMS.iter().filter_map(|item| rest.find(item)).min() {
        out.push_str(&rest[..start]);
        let end = start + item_length(&rest[start..]);
        out.extend(rest[start..end].chars().map(blank));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The 1-based lines on which a pattern occurs.
pub(crate) fn lines_with<'a>(code: &'a str, pattern: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.lines().enumerate().filter(move |(_, line)| line.contains(pattern)).map(|(index, _)| index + 1)
}

fn blank(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

fn line_end(chars: &[char], at: usize) -> usize {
    let length = chars[at..].iter().position(|&c| c == '\n');
    length.map_or(chars.len(), |length| at + length)
}

fn comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of `r"..."` or `r#"..."#`; `None` if this `r` begins or ends something else.
fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    // In `br` and `cr` the `r` follows a letter, but that letter begins a word.
    let word = chars[..start].iter().rev().take_while(|&&c| is_word(c)).count();
    let prefixed = word == 1 && matches!(chars[start - 1], 'b' | 'c');
    if word > 0 && !prefixed {
        return None;
    }
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| {
        let after = &chars[at + 1..];
        chars[*at] == '"' && after.len() >= hashes && after[..hashes].iter().all(|&c| c == '#')
    };
    let close = (open + 1..chars.len()).find(closes);
    Some(close.map_or(chars.len(), |close| close + 1 + hashes))
}

/// The end of `'x'` or `'\n'`; `None` if this quote begins a lifetime.
fn character_end(chars: &[char], start: usize) -> Option<usize> {
    if chars.get(start + 1) == Some(&'\\') {
        // The character after the backslash may be a quote itself.
        let length = chars.get(start + 3..)?.iter().position(|&c| c == '\'')?;
        return Some(start + 3 + length + 1);
    }
    (chars.get(start + 2) == Some(&'\'')).then_some(start + 3)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length in bytes of an item: up to its block, or to its semicolon if it has none.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (index, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                // The end of what the item is in.
                if depth == 0 {
                    return index;
                }
                depth -= 1;
                if depth == 0 && c == '}' {
                    return index + 1;
                }
            }
            ';' if depth == 0 => return index + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::{lines_with, only, without_tests};

    /// What is left of a line, with a single `~` for each run of blanks.
    fn left(text: &str) -> String {
        let code = only(text);
        assert_eq!(code.chars().count(), text.chars().count(), "nothing moves");
        let words: Vec<&str> = code.split(' ').filter(|word| !word.is_empty()).collect();
        words.join("~")
    }

    #[test]
    fn comments_are_blanked() {
        assert_eq!(left("a // b"), "a");
        assert_eq!(left("/* c /* d */ e */ f"), "f");
        assert_eq!(left("/// dbg!(x)\nlet y;"), "\nlet~y;");
    }

    #[test]
    fn literals_are_blanked() {
        assert_eq!(left(r#"f("a\"b", 'x', '\'', '"', b'\n')"#), "f(~,~,~,~,~b~)");
        assert_eq!(left("f(r#\"a\"b\"#, br\"c\\\", r\"\")"), "f(~,~b~,~)");
    }

    #[test]
    fn lifetimes_and_raw_words_are_code() {
        assert_eq!(left("fn f<'a>(x: &'a str)"), "fn~f<'a>(x:~&'a~str)");
        assert_eq!(left("r#type + ptr"), "r#type~+~ptr");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let code = only("\"a\nb\"\nx.f();\n");
        assert_eq!(lines_with(&code, ".f()").collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn test_items_are_blanked() {
        let code = "a();\n#[cfg(test)]\nmod tests {\n  fn b() { c(); }\n}\n#[cfg(test)] use d;\ne();";
        let live = without_tests(code);
        assert!(live.contains("a();") && live.contains("e();"));
        assert!(!live.contains("c()") && !live.contains('d'));
        assert_eq!(live.lines().count(), code.lines().count());
    }

    #[test]
    fn an_attribute_after_the_condition_belongs_to_the_item() {
        assert_eq!(without_tests("#[cfg(test)]\n#[derive(Debug)]\nstruct A { b: B }\nx").trim(), "x");
    }

    #[test]
    fn a_file_can_be_all_test() {
        assert_eq!(without_tests("#![cfg(test)]\nfn a() {}\n").trim(), "");
    }
}
