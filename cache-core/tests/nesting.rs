//! How deeply values may be nested: no bytes exhaust the stack, and what is
//! written can be read.

use cache_core::{CodecChoice, Error, ErrorKind, Format};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum List {
    Nil,
    Cons(Box<List>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    children: Vec<Tree>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Node {
    Leaf(std::net::IpAddr),
    Inner { next: Box<Node> },
    Wrapped(Box<Node>),
}

/// A type that a reader could follow for ever without reading a byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Endless(Option<Box<Endless>>);

fn formats() -> [Format; 3] {
    [CodecChoice::Msgpack, CodecChoice::Json, CodecChoice::Postcard { schema: 1 }].map(Format::new)
}

fn list(length: usize) -> List {
    (0..length).fold(List::Nil, |list, _| List::Cons(Box::new(list)))
}

fn tree(levels: usize) -> Tree {
    (0..levels).fold(Tree { children: Vec::new() }, |tree, _| Tree { children: vec![tree] })
}

#[test]
fn what_is_written_can_be_read() {
    for format in formats() {
        for depth in 0..=100 {
            let bytes = format.encode(&list(depth)).expect("it is nested 100 levels at most");
            assert_eq!(format.decode(&bytes), Ok(list(depth)), "{depth} levels by {format:?}");
        }
        for levels in 0..50 {
            let bytes = format.encode(&tree(levels)).expect("each level is a struct and a list");
            assert_eq!(format.decode(&bytes), Ok(tree(levels)), "{levels} levels by {format:?}");
        }
    }
}

/// Whatever the depth, what a codec writes it reads.
#[test]
fn all_that_is_written_can_be_read() {
    let leaf = || Node::Leaf(std::net::Ipv4Addr::LOCALHOST.into());
    for format in formats() {
        let mut written = 0;
        for depth in 0..200 {
            for wrap in [|next| Node::Inner { next }, Node::Wrapped] {
                let node = (0..depth).fold(leaf(), |node, _| wrap(Box::new(node)));
                if let Ok(bytes) = format.encode(&node) {
                    assert_eq!(format.decode(&bytes), Ok(node), "{depth} levels by {format:?}");
                    written += 1;
                }
            }
        }
        assert!(written > 180, "{written} by {format:?}");
    }
}

#[test]
fn what_could_not_be_read_is_not_written() {
    for format in formats() {
        for error in [format.encode(&list(101)), format.encode(&tree(50))].map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::Codec);
            assert_eq!(
                error.detail(),
                Some("the value cannot be encoded: it is nested more than 100 levels deep")
            );
        }
    }
}

#[test]
fn hostile_nesting_is_undecodable_and_nothing_worse() {
    let [msgpack, json, postcard] = formats();
    let repeat = |tag: &[u8], level: &[u8]| [tag, &level.repeat(1_000_000)].concat();
    assert!(msgpack.decode::<List>(&repeat(b"\x81", b"\x81\xA4Cons")).is_err());
    assert!(msgpack.decode::<Tree>(&repeat(b"\x81", b"\x81\xA8children\x91")).is_err());
    assert!(msgpack.decode::<serde_json::Value>(&repeat(b"\x81", b"\x91")).is_err());
    assert!(msgpack.decode::<Endless>(b"\x81\x01").is_err());
    assert!(json.decode::<Endless>(b"1").is_err());
    assert!(json.decode::<serde_json::Value>(&repeat(b"", b"[")).is_err());
    assert!(postcard.decode::<List>(&repeat(b"\x82\x01", b"\x01")).is_err());
    assert!(postcard.decode::<Tree>(&repeat(b"\x82\x01", b"\x01")).is_err());
    assert!(json.decode::<Tree>(&repeat(b"", br#"{"children":["#)).is_err());
}

#[test]
fn bytes_are_read_as_whatever_holds_bytes() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Blob(Vec<u8>);

    for format in formats() {
        let bytes = format.encode(&b"\x00\xFFab"[..]).expect("bytes are held by all");
        assert_eq!(bytes[0], 0x83);
        assert_eq!(format.decode::<Vec<u8>>(&bytes), Ok(b"\x00\xFFab".to_vec()));
        assert_eq!(format.decode::<bytes::Bytes>(&bytes), Ok(b"\x00\xFFab"[..].into()));
        assert_eq!(format.decode::<Option<Vec<u8>>>(&bytes), Ok(Some(b"\x00\xFFab".to_vec())));
        assert_eq!(format.decode::<Blob>(&bytes), Ok(Blob(b"\x00\xFFab".to_vec())));
        assert_eq!(format.decode::<[u8; 4]>(&bytes), Ok(*b"\x00\xFFab"));
        assert!(format.decode::<String>(&bytes).is_err(), "it is not UTF-8");
        assert!(format.decode::<u64>(&bytes).is_err());
    }
}

#[test]
fn what_a_type_says_of_its_value_is_not_repeated() {
    #[derive(Clone, Deserialize)]
    struct Indiscreet(String);

    impl Serialize for Indiscreet {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom(format!("will not store {}", self.0)))
        }
    }

    for format in formats() {
        let error: Error = format.encode(&Indiscreet("hunter2".to_owned())).expect_err("it refuses");
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
