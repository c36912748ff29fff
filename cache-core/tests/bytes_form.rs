//! The bytes form, pinned: what earlier releases wrote, later ones read.
//!
//! `golden/bytes_form.txt` has a line for each value and codec: a name, the
//! codec, and the bytes in hexadecimal. A line may be added, never changed.

#![allow(clippy::print_stdout, reason = "a random test says its seed")]

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write};

use bytes::Bytes;
use cache_core::{CodecChoice, Entry, Format, NewEntry, Value};
use serde::{Deserialize, Serialize};

const GOLDEN: &str = include_str!("golden/bytes_form.txt");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    age: Option<u8>,
    score: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle { radius: u32 },
}

fn formats() -> Vec<(&'static str, Format)> {
    let plain = |codec| Format::new(codec).plain().expect("both can be written without a tag");
    vec![
        ("msgpack", Format::new(CodecChoice::Msgpack)),
        ("json", Format::new(CodecChoice::Json)),
        ("postcard-7", Format::new(CodecChoice::Postcard { schema: 7 })),
        ("postcard-300", Format::new(CodecChoice::Postcard { schema: 300 })),
        ("raw", Format::new(CodecChoice::Raw)),
        ("json-plain", plain(CodecChoice::Json)),
        ("raw-plain", plain(CodecChoice::Raw)),
    ]
}

/// Every line as the library writes it today.
#[derive(Default)]
struct Written(String);

impl Written {
    /// Writes the value by each codec that holds it, and reads it back.
    fn value<T: Value + Debug + PartialEq>(&mut self, name: &str, value: &T) {
        for (codec, format) in formats() {
            let entry = NewEntry::of(Entry::shared(std::sync::Arc::new(value.clone())), &format);
            let Ok(bytes) = entry.encoded() else { continue };
            let _ = write!(self.0, "{name} {codec} ");
            for byte in &bytes {
                let _ = write!(self.0, "{byte:02x}");
            }
            self.0.push('\n');
            let read = Entry::from_bytes(bytes).read::<T>(&format);
            assert_eq!(read.as_ref(), Ok(value), "{name} by {codec}");
        }
    }
}

#[test]
fn what_is_written_today_is_what_was_always_written() {
    let mut written = Written::default();
    written.value("zero", &0_i64);
    written.value("least", &i64::MIN);
    written.value("most", &(i64::MAX as u64));
    written.value("beyond", &(i64::MAX as u64 + 1));
    written.value("some-integer", &Some(5));
    written.value("true", &true);
    written.value("half", &0.5);
    written.value("none", &None::<String>);
    written.value("text", &"Grüße".to_owned());
    written.value("digits", &"42".to_owned());
    written.value("empty-text", &String::new());
    written.value("bytes", &vec![0_u8, 0x80, 0xFF]);
    written.value("shared-bytes", &Bytes::from_static(b"\x80pickle?"));
    written.value("empty-bytes", &Vec::<u8>::new());
    written.value("list", &vec!["a".to_owned(), "b".to_owned()]);
    written.value("map", &BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), -2)]));
    written.value("tuple-keys", &BTreeMap::from([((1, 2), true)]));
    written.value("user", &User { name: "Ada".to_owned(), age: None, score: 99.25 });
    written.value("point", &Shape::Point);
    written.value("circle", &Shape::Circle { radius: 3 });
    assert_eq!(written.0, GOLDEN, "add lines to the golden file, but change none");
}

#[test]
fn every_golden_line_is_read_by_an_alias_of_any_codec() {
    let user = User { name: "Ada".to_owned(), age: None, score: 99.25 };
    for line in GOLDEN.lines().filter(|line| line.starts_with("user ") && !line.contains("-plain")) {
        let bytes = bytes_of(line);
        for (codec, format) in formats().into_iter().filter(|(_, format)| !format.is_plain()) {
            let schema = if line.contains("postcard-300") { 300 } else { 7 };
            let read = format.with_schema(schema).decode::<User>(&bytes);
            assert_eq!(read.as_ref(), Ok(&user), "{line} by {codec}");
        }
    }
}

#[test]
fn nan_is_kept_by_msgpack_and_refused_by_json() {
    let format = Format::new(CodecChoice::Msgpack);
    let bytes = format.encode(&f64::NAN).expect("msgpack holds it");
    assert!(format.decode::<f64>(&bytes).expect("and gives it back").is_nan());
    assert!(Format::new(CodecChoice::Json).encode(&vec![Some(f32::INFINITY)]).is_err());
}

/// Law 5: no bytes, however hostile, make a reader panic or allocate at will.
#[test]
fn hostile_bytes_are_undecodable_and_nothing_worse() {
    let seed = std::env::var("CACHE_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    let scale: usize = std::env::var("CACHE_TEST_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("CACHE_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let golden: Vec<Vec<u8>> = GOLDEN.lines().map(bytes_of).collect();
    let formats = formats();
    for _ in 0..20_000 * scale {
        let mut bytes = if random.bool() {
            let length = random.usize(..40);
            std::iter::repeat_with(|| random.u8(..)).take(length).collect()
        } else {
            random.choice(&golden).cloned().unwrap_or_default()
        };
        damage(&mut bytes, &mut random);
        for (_, format) in &formats {
            read_as_everything(&Entry::from_bytes(bytes.clone().into()), format);
        }
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(..4) {
        if bytes.is_empty() {
            return;
        }
        let place = random.usize(..bytes.len());
        match random.u8(..4) {
            0 => bytes[place] = random.u8(..),
            1 => bytes.truncate(place),
            2 => bytes.insert(place, random.u8(..)),
            // The lengths of msgpack's largest strings, lists and maps.
            _ => bytes
                .splice(place..place, [[0xDB, 0xDD, 0xDF][random.usize(..3)], 255, 255, 255, 255])
                .for_each(drop),
        }
    }
}

fn read_as_everything(entry: &Entry, format: &Format) {
    fn read<T: Value>(entry: &Entry, format: &Format) -> Box<dyn Any> {
        Box::new(entry.read::<T>(format).is_ok())
    }
    read::<User>(entry, format);
    read::<Vec<Shape>>(entry, format);
    read::<BTreeMap<String, Vec<u64>>>(entry, format);
    read::<String>(entry, format);
    read::<Vec<u8>>(entry, format);
    read::<Option<i128>>(entry, format);
    read::<serde_json::Value>(entry, format);
}

fn bytes_of(line: &str) -> Vec<u8> {
    let hex = line.rsplit(' ').next().unwrap_or_default();
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hexadecimal"))
        .collect()
}
