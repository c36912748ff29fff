//! What is wrong with a configuration, said all at once.

use cache_core::{Error, ErrorKind, Operation};

/// Collects what is wrong, so that a user mends a file in one go.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    pub(crate) fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    pub(crate) fn in_alias(&mut self, alias: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("alias {}: {problem}", quoted(alias)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One error that says everything, if there is anything to say.
    pub(crate) fn into_result(self) -> Result<(), Error> {
        let detail = match self.0.as_slice() {
            [] => return Ok(()),
            [problem] => problem.clone(),
            problems => format!("{} problems: {}", problems.len(), problems.join("; ")),
        };
        Err(config_error(detail))
    }
}

impl From<String> for Problems {
    fn from(problem: String) -> Self {
        Self(vec![problem])
    }
}

pub(crate) fn config_error(detail: String) -> Error {
    Error::new(ErrorKind::Config, detail).with_operation(Operation::Open)
}

/// `; did you mean ...?` if one of the names is close enough.
pub(crate) fn suggestion<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let wrong = wrong.to_lowercase();
    let closest = names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong, &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance);
    match closest {
        // A third of the letters may be wrong, and two of a short word.
        Some((distance, name)) if distance <= (wrong.chars().count() / 3).max(2) && distance < name.len() => {
            format!("; did you mean {}?", quoted(name))
        }
        _ => String::new(),
    }
}

/// A name of the user's in backquotes: on one line, and no longer than one reads.
pub(crate) fn quoted(name: &str) -> String {
    const MOST: usize = 60;
    let escape = |character: char| {
        let escaped = character.is_control().then(|| character.escape_default().to_string());
        escaped.unwrap_or_else(|| character.to_string())
    };
    let more = if name.chars().nth(MOST).is_some() { ".." } else { "" };
    format!("`{}{more}`", name.chars().take(MOST).map(escape).collect::<String>())
}

/// The names, each in backquotes, with commas between.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(quoted).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
