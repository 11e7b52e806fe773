//! The checksum of everything stored: XXH3 over fields in a fixed order, each with its length.

use xxhash_rust::xxh3::Xxh3;

use crate::{AttrValue, Attributes};

/// A checksum being computed. Two different sequences of fields never feed it the same bytes.
pub(crate) struct Checksum(Xxh3);

/// The first field of every checksum: a change of what is covered changes this number.
const FORMAT: u64 = 1;

impl Checksum {
    pub(crate) fn new() -> Self {
        let mut sum = Self(Xxh3::new());
        sum.number(FORMAT);
        sum
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn option(&mut self, text: Option<&str>) {
        self.number(u64::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    pub(crate) fn attributes(&mut self, attrs: &Attributes) {
        self.number(attrs.len() as u64);
        for (name, value) in attrs {
            self.text(name.as_str());
            match value {
                AttrValue::Int(value) => {
                    self.number(0);
                    self.number(value.cast_unsigned());
                }
                AttrValue::Text(value) => {
                    self.number(1);
                    self.text(value);
                }
            }
        }
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0.digest()
    }
}

/// The checksum of attributes that are stored on their own, beside a record.
pub fn checksum_attributes(attrs: &Attributes) -> u64 {
    let mut sum = Checksum::new();
    sum.attributes(attrs);
    sum.finish()
}
