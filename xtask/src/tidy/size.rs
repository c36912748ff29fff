//! Files that have grown past reading.

use super::{finding::Findings, tree::Tree};

const LINES: usize = 600;

pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    for source in &tree.sources {
        let lines = source.text.lines().count();
        if lines > LINES {
            let message = format!("{lines} lines are more than {LINES}: split the file by concept");
            findings.add(&source.path, LINES + 1, message);
        }
    }
}
