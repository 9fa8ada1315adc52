//! [`Column`]: what a column holds of each row.

use std::error::Error as StdError;

use bytes::BytesMut;
use smallvec::SmallVec;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// An array as a parameter: on the stack for most batches, which have a row or two in it.
#[derive(Debug)]
pub(crate) struct Column<T>(SmallVec<[T; 2]>);

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<T> Column<T> {
    pub(crate) fn push(&mut self, of_row: T) {
        self.0.push(of_row);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: ToSql> ToSql for Column<T> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.as_slice().to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <&[T]>::accepts(ty)
    }

    to_sql_checked!();
}
