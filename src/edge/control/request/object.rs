//! What a request is made of: one flat JSON object.

use crate::sorted::Map;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::fmt;

/// The keys of a request. Nothing that a client sends can nest, so reading it cannot recurse.
pub(super) type Keys = Map<String, Scalar>;

/// A request: an object, and nothing else that could be read as keys and values.
pub(super) struct Object(pub(super) Keys);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object, A::Error> {
                let mut keys = Keys::new();
                while let Some((key, value)) = entries.next_entry()? {
                    keys.insert(key, value);
                }
                Ok(Object(keys))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The value of a key.
pub(super) enum Scalar {
    Text(String),
    Count(u64),
    Flag(bool),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number from 0 on, true or false")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Count(number))
            }
            fn visit_bool<E: Error>(self, yes: bool) -> Result<Scalar, E> {
                Ok(Scalar::Flag(yes))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
