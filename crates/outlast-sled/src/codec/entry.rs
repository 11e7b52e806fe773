//! The row of one entry of a stream.

use outlast_core::{Entry, Seq};

use super::{Content, Flaw, Reader, Writer, key};

impl Content for Entry {
    fn write(&self, out: &mut Writer) {
        out.time(self.at);
        out.attributes(&self.attrs);
        out.bytes(&self.data);
    }

    fn read(key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let (stream, seq) = key::to_entry(key)?;
        Ok(Self {
            stream,
            seq: Seq(seq),
            at: from.time()?,
            attrs: from.attributes()?,
            data: from.bytes()?.to_vec(),
        })
    }
}
