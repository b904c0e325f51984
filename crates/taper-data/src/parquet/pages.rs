//! The pages of a column, with the checks that keep the decoder from its assertions, and from more memory than a file can need.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;

use super::thrift::{Fields, Trouble};

/// Bytes in which most headers are.
const HEADER: u64 = 1024;
/// No more bytes come of one in Snappy: a copy of 64 takes three.
const SNAPPY: usize = 22;

/// The pages of a column in `file`, which is uncompressed or in Snappy.
pub(super) fn open(file: &File, column: &ColumnChunkMetaData) -> Result<Box<dyn PageReader>> {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let (Ok(at), Ok(left)) = (u64::try_from(start), u64::try_from(column.compressed_size())) else {
        return Err(damaged("the footer gives the column a negative place"));
    };
    let file = file.try_clone()?;
    if at.checked_add(left).is_none_or(|end| end > file.metadata().map_or(0, |data| data.len())) {
        return Err(damaged("the footer gives the column a place behind the file's end"));
    }
    let snappy = column.compression() == Compression::SNAPPY;
    Ok(Box::new(Pages { file, at, left, snappy, dictionary: false }))
}

fn damaged(cause: impl Into<String>) -> ParquetError {
    ParquetError::General(cause.into())
}

struct Pages {
    file: File,
    /// Where the next header starts.
    at: u64,
    /// Bytes from there to the column's end, all of them in the file.
    left: u64,
    snappy: bool,
    /// Whether the dictionary has come.
    dictionary: bool,
}

impl Pages {
    /// `len` bytes of the column from `from` on; no more than there are.
    fn bytes(&mut self, from: u64, len: u64) -> Result<Vec<u8>> {
        // The column is in the file, so this is no more than the file's size.
        let mut bytes = Vec::with_capacity(usize::try_from(len)?);
        self.file.seek(SeekFrom::Start(from))?;
        (&self.file).take(len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == len { Ok(bytes) } else { Err(damaged("the file ends within a page")) }
    }

    /// The next header, and the bytes of its page, as they are in the file.
    fn next_stored(&mut self) -> Result<(Fields, Vec<u8>)> {
        let mut most = HEADER;
        let header = loop {
            let len = most.min(self.left);
            match Fields::parse(&self.bytes(self.at, len)?) {
                Ok(header) => break header,
                Err(Trouble::Short) if len < self.left => most = most.saturating_mul(4),
                Err(trouble) => return Err(trouble.into()),
            }
        };
        self.pass(header.len as u64);
        let size = header.count([0, 3])?.into();
        if size > self.left {
            return Err(damaged("a page is longer than its column"));
        }
        let stored = self.bytes(self.at, size)?;
        self.pass(size);
        Ok((header, stored))
    }

    fn pass(&mut self, bytes: u64) {
        self.at += bytes;
        self.left -= bytes;
    }

    /// What a page that takes `size` bytes unpacked has behind `levels` bytes that are never packed, and these.
    fn unpacked(&self, stored: Vec<u8>, levels: usize, size: usize) -> Result<Vec<u8>> {
        let (Some(packed), Some(len)) = (stored.get(levels..), size.checked_sub(levels)) else {
            return Err(damaged("the levels of a page are longer than itself"));
        };
        if !self.snappy {
            return Ok(stored);
        }
        // A page without a value may have nothing that is packed.
        let claimed = if len == 0 {
            0
        } else {
            snap::raw::decompress_len(packed).map_err(|error| damaged(error.to_string()))?
        };
        if claimed != len || len > packed.len().saturating_mul(SNAPPY) {
            return Err(damaged(format!("{} packed bytes cannot give the {len} of a page", packed.len())));
        }
        let mut page = vec![0; size];
        page[..levels].copy_from_slice(&stored[..levels]);
        if len > 0 {
            let unpacked = snap::raw::Decoder::new().decompress(packed, &mut page[levels..]);
            unpacked.map_err(|error| damaged(error.to_string()))?;
        }
        Ok(page)
    }

    /// The page of a header; `None` for what the decoder does not need. Numbers of fields are those of `parquet.thrift`.
    fn page(&self, header: &Fields, stored: Vec<u8>) -> Result<Option<Page>> {
        let size = header.count([0, 2])? as usize;
        let statistics = None;
        let page = match header.count([0, 1])? {
            0 => Page::DataPage {
                num_values: header.count([5, 1])?,
                encoding: encoding(header, [5, 2])?,
                def_level_encoding: encoding(header, [5, 3])?,
                rep_level_encoding: encoding(header, [5, 4])?,
                buf: self.unpacked(stored, 0, size)?.into(),
                statistics,
            },
            2 => Page::DictionaryPage {
                num_values: header.count([7, 1])?,
                encoding: encoding(header, [7, 2])?,
                is_sorted: header.get([7, 3]) == Some(1),
                buf: self.unpacked(stored, 0, size)?.into(),
            },
            3 => {
                let (def_levels_byte_len, rep_levels_byte_len) =
                    (header.count([8, 5])?, header.count([8, 6])?);
                let levels = def_levels_byte_len as usize + rep_levels_byte_len as usize;
                let is_compressed = header.get([8, 7]) != Some(0);
                let buf = if is_compressed { self.unpacked(stored, levels, size)? } else { stored };
                if levels > buf.len() {
                    return Err(damaged("the levels of a page are longer than itself"));
                }
                Page::DataPageV2 {
                    buf: buf.into(),
                    num_values: header.count([8, 1])?,
                    encoding: encoding(header, [8, 4])?,
                    num_nulls: header.count([8, 2])?,
                    num_rows: header.count([8, 3])?,
                    def_levels_byte_len,
                    rep_levels_byte_len,
                    is_compressed,
                    statistics,
                }
            }
            1 => return Ok(None),
            other => return Err(damaged(format!("there is no kind {other} of pages"))),
        };
        Ok(Some(page))
    }

    /// Refuses a page that refers to a dictionary that has not come, or has more words than bytes.
    fn check(&mut self, page: &Page) -> Result<()> {
        let refers = matches!(page.encoding(), Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY);
        if page.is_dictionary_page() {
            self.dictionary = true;
            if page.num_values() as usize > page.buffer().len() {
                return Err(damaged("a dictionary has more values than bytes"));
            }
        } else if refers && !self.dictionary {
            return Err(damaged("a page refers to a dictionary that is missing"));
        }
        Ok(())
    }
}

#[expect(deprecated, reason = "old writers call levels so of which there are none")]
fn encoding(header: &Fields, place: [usize; 2]) -> Result<Encoding> {
    Ok(match header.count(place)? {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        other => return Err(damaged(format!("the encoding {other} is not supported"))),
    })
}

impl From<Trouble> for ParquetError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Short => damaged("the header of a page goes on behind the end of its column"),
            Trouble::Broken(cause) => damaged(format!("the header of a page {cause}")),
        }
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        while self.left > 0 {
            let (header, stored) = self.next_stored()?;
            if let Some(page) = self.page(&header, stored)? {
                self.check(&page)?;
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Err(ParquetError::NYI("no page is looked at before it is read".to_owned()))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.get_next_page().map(drop)
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
