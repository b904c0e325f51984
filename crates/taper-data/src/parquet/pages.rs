//! The pages of a column, with the checks that keep the decoder from its assertions.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;

/// The pages of leaf column `leaf`.
pub(super) fn open(group: &dyn RowGroupReader, leaf: usize) -> Result<Box<dyn PageReader>> {
    let column = group.metadata().column(leaf);
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    if start < 0 || column.compressed_size() < 0 {
        return Err(ParquetError::General("the footer gives the column a negative place".to_owned()));
    }
    Ok(Box::new(Checked { pages: group.get_column_page_reader(leaf)?, dictionary: false }))
}

/// Passes pages on, but for one that refers to a dictionary that has not come.
struct Checked {
    pages: Box<dyn PageReader>,
    dictionary: bool,
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            let refers = matches!(page.encoding(), Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY);
            if page.is_dictionary_page() {
                self.dictionary = true;
            } else if refers && !self.dictionary {
                return Err(ParquetError::General(
                    "a page refers to a dictionary that is missing".to_owned(),
                ));
            }
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

impl Iterator for Checked {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
