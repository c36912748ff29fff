//! Many writes, as the commands that a connection sends together.

use cache_core::{Error, Key, NewEntry, Result, When, Write};

use crate::command::{Arg, Command, If};
use crate::life::Expiry;
use crate::reply::{Failure, Reply};
use crate::script::{self, SET_IF_UNCHANGED, SET_MANY};
use crate::server_error::ServerError;

/// The commands for some of the items of a bulk write, in their order, and
/// whose they are.
pub(crate) struct Written<'a> {
    pub(crate) commands: Vec<Command<'a>>,
    readings: Vec<Reading>,
    /// What cannot be encoded, which fails alone.
    refused: Vec<(usize, Error)>,
}

/// Whose answer a reply is.
struct Reading {
    /// The places of the items in the call.
    positions: Vec<usize>,
    when: If,
    /// Whether it is a script's, which answers for each of its items.
    of_script: bool,
}

/// Items that go by one command, as long as it grows.
struct Run<'a> {
    when: If,
    positions: Vec<usize>,
    keys: Vec<Key<'a>>,
    values: Vec<(Arg<'a>, Expiry)>,
}

/// What became of each item of a command.
pub(crate) type Outcomes = Vec<std::result::Result<bool, ServerError>>;

/// Longer values go by a command each: a script copies and hashes them, which
/// at 10 KB costs more than it spares.
pub(crate) const LONGEST_IN_A_SCRIPT: usize = 1_024;

impl<'a> Written<'a> {
    /// Of these positions; up to `together` items of one kind go by one script.
    pub(crate) fn new(
        items: &[(Key<'a>, NewEntry<'_>, Write)],
        positions: &[usize],
        together: usize,
    ) -> Self {
        let mut written = Self { commands: Vec::new(), readings: Vec::new(), refused: Vec::new() };
        let mut run: Option<Run<'a>> = None;
        for position in positions {
            let (key, value, write) = &items[*position];
            let value = match value_arg(value) {
                Ok(value) => value,
                Err(error) => {
                    written.refused.push((*position, error));
                    continue;
                }
            };
            let when = match &write.when {
                When::Always => If::Always,
                When::Absent => If::Absent,
                When::Present => If::Present,
                When::Unchanged(token) => {
                    written.end(run.take());
                    // By its text: the items behind it have to wait for it on the
                    // server, not here.
                    let args = script::set_args(token, value, write.life);
                    written.push(SET_IF_UNCHANGED.by_text(*key, &args), vec![*position], If::Always, true);
                    continue;
                }
            };
            let is_long = matches!(&value, Arg::Value(bytes) if bytes.len() > LONGEST_IN_A_SCRIPT);
            if run.as_ref().is_some_and(|run| run.when != when || run.keys.len() >= together || is_long) {
                written.end(run.take());
            }
            let open = run.get_or_insert_with(|| Run::of(when));
            open.positions.push(*position);
            open.keys.push(*key);
            open.values.push((value, Expiry::of(write.life)));
            if is_long {
                written.end(run.take());
            }
        }
        written.end(run);
        written
    }

    fn end(&mut self, run: Option<Run<'a>>) {
        let Some(run) = run else { return };
        if let ([key], [(value, life)]) = (&run.keys[..], &run.values[..]) {
            self.push(Command::set(*key, value.clone(), *life, run.when), run.positions, run.when, false);
            return;
        }
        let command = SET_MANY.of_many(&run.keys, script::set_many_args(run.when, run.values));
        self.push(command, run.positions, run.when, true);
    }

    fn push(&mut self, command: Command<'a>, positions: Vec<usize>, when: If, of_script: bool) {
        self.commands.push(command);
        self.readings.push(Reading { positions, when, of_script });
    }

    /// Reads the reply to one of the commands.
    pub(crate) fn read(&self, command: usize, reply: Reply) -> std::result::Result<Outcomes, Failure> {
        let reading = &self.readings[command];
        match (reading.of_script, reading.positions.len()) {
            (false, _) => reading_of(reading.when)(reply).map(|written| vec![Ok(written)]),
            (true, 1) => reply.truth().map(|written| vec![Ok(written)]),
            (true, count) => reply.writes(count),
        }
    }

    /// Puts the answers where they belong; the failure of all is the failure of each.
    pub(crate) fn place(self, answered: Result<Vec<Result<Outcomes>>>, outcomes: &mut [Result<bool>]) {
        for (position, error) in self.refused {
            outcomes[position] = Err(error);
        }
        match answered {
            Ok(answers) => {
                for (reading, answer) in self.readings.iter().zip(answers) {
                    reading.place(answer, outcomes);
                }
            }
            Err(error) => {
                self.readings.iter().for_each(|reading| reading.place(Err(error.clone()), outcomes));
            }
        }
    }
}

impl Reading {
    fn place(&self, answer: Result<Outcomes>, outcomes: &mut [Result<bool>]) {
        match answer {
            Ok(answers) => {
                for (position, answer) in self.positions.iter().zip(answers) {
                    outcomes[*position] = answer.map_err(|error| error.into_error("SET"));
                }
            }
            Err(error) => self.positions.iter().for_each(|position| outcomes[*position] = Err(error.clone())),
        }
    }
}

impl Run<'_> {
    fn of(when: If) -> Self {
        Self { when, positions: Vec::new(), keys: Vec::new(), values: Vec::new() }
    }
}

/// A write without a condition is never answered by nil.
pub(crate) fn reading_of(when: If) -> fn(Reply) -> std::result::Result<bool, Failure> {
    match when {
        If::Always => |reply| reply.done().map(|()| true),
        If::Absent | If::Present => Reply::written,
    }
}

pub(crate) fn value_arg(value: &NewEntry<'_>) -> Result<Arg<'static>> {
    Ok(match value.integer() {
        Some(integer) => Arg::Integer(integer),
        None => Arg::Value(value.encoded()?),
    })
}
