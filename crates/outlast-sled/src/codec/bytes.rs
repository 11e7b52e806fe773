//! Fields of rows: fixed-width numbers, and bytes with their length in front.

use outlast_core::{AttrName, AttrValue, Attributes, Timestamp};

use super::Flaw;

/// Collects the fields of a row.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0.extend(number.to_be_bytes());
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.number(number.cast_unsigned());
    }

    pub(crate) fn time(&mut self, at: Timestamp) {
        self.signed(at.as_micros());
    }

    pub(crate) fn id(&mut self, id: &[u8; 16]) {
        self.0.extend(id);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn option(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
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
                    self.byte(0);
                    self.signed(*value);
                }
                AttrValue::Text(value) => {
                    self.byte(1);
                    self.text(value);
                }
            }
        }
    }
}

/// Takes the fields of a row off its bytes, in the order they were written.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Checks that nothing is left.
    pub(crate) fn end(&self) -> Result<(), Flaw> {
        if self.0.is_empty() { Ok(()) } else { Err(Flaw::new("it is longer than its content")) }
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Flaw> {
        let cut = self.0.split_at_checked(size);
        let (taken, rest) = cut.ok_or_else(|| Flaw::new("it ends before its content does"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| Flaw::new("it ends before its content does"))
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Flaw> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Flaw> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Flaw::new("a yes or no is neither")),
        }
    }

    pub(crate) fn number(&mut self) -> Result<u64, Flaw> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Flaw> {
        Ok(self.number()?.cast_signed())
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Flaw> {
        let micros = self.signed()?;
        let at = Timestamp::from_micros(micros);
        if at.as_micros() == micros { Ok(at) } else { Err(Flaw::new("a time is out of range")) }
    }

    pub(crate) fn id(&mut self) -> Result<[u8; 16], Flaw> {
        self.array()
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Flaw> {
        // A length that is damaged may be any number: `take` refuses what is not there.
        let size = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.take(size)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Flaw> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Flaw::new("a text is not UTF-8"))
    }

    pub(crate) fn option(&mut self) -> Result<Option<&'a str>, Flaw> {
        if self.flag()? { self.text().map(Some) } else { Ok(None) }
    }

    pub(crate) fn attributes(&mut self) -> Result<Attributes, Flaw> {
        let count = self.number()?;
        let mut attrs = Attributes::new();
        for _ in 0..count {
            let name = AttrName::new(self.text()?).map_err(Flaw::rule)?;
            let value = match self.byte()? {
                0 => AttrValue::Int(self.signed()?),
                1 => AttrValue::from(self.text()?),
                _ => return Err(Flaw::new("an attribute is neither number nor text")),
            };
            attrs.insert(name, value);
        }
        Ok(attrs)
    }
}
