//! Input rows from Python: dense ones borrowed, sparse ones (CSR) written out a few at a time.

use deltarule::float::Float;
use deltarule::train::Inputs;
use deltarule::{Error, Result};
use ndarray::{Array2, ArrayView2};

/// Rows of a sparse matrix in compressed form: `data[indptr[i]..indptr[i + 1]]` lie in row `i` at the columns of `indices`.
#[derive(Clone, Copy, Debug)]
pub struct Csr<'a, T> {
    pub data: &'a [T],
    pub indices: &'a [i64],
    pub indptr: &'a [i64],
    pub columns: usize,
}

impl<T: Float> Csr<'_, T> {
    /// Refuses what is no such matrix, before anything is read by it.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::Unsupported(format!("a sparse matrix whose {what}")));
        let whole = |n: i64| usize::try_from(n).ok();
        let Some((first, ends)) = self.indptr.split_first() else { return refuse("indptr is empty") };
        let length = self.data.len().min(self.indices.len());
        if *first != 0 || ends.last().is_some_and(|&end| whole(end).is_none_or(|end| end > length)) {
            return refuse("indptr does not go from 0 to the number of its entries");
        }
        if self.indptr.windows(2).any(|pair| pair[0] > pair[1]) {
            return refuse("indptr falls");
        }
        if self.indices.iter().any(|&column| whole(column).is_none_or(|column| column >= self.columns)) {
            return refuse("indices point outside its columns");
        }
        Ok(())
    }

    pub fn rows(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Adds up what is given twice, as SciPy does.
    fn write(&self, row: usize, out: &mut [T]) {
        out.fill(T::ZERO);
        let range = self.indptr[row] as usize..self.indptr[row + 1] as usize;
        for (&value, &column) in self.data[range.clone()].iter().zip(&self.indices[range]) {
            out[column as usize] += value;
        }
    }

    /// The given rows, written out.
    pub fn dense(&self, rows: std::ops::Range<usize>) -> Array2<T> {
        let mut out = Array2::from_elem((rows.len(), self.columns), T::ZERO);
        for (row, mut out) in rows.zip(out.rows_mut()) {
            self.write(row, out.as_slice_mut().expect("row-major, as it was made"));
        }
        out
    }
}

impl<T: Float> Inputs<T> for Csr<'_, T> {
    fn read(&mut self, rows: &[usize], out: &mut [T]) -> Result<()> {
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.columns)) {
            self.write(row, out);
        }
        Ok(())
    }
}

/// Rows of either kind.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a, T> {
    Dense(ArrayView2<'a, T>),
    Sparse(Csr<'a, T>),
}

impl<T: Float> Rows<'_, T> {
    pub fn count(&self) -> usize {
        match self {
            Self::Dense(x) => x.nrows(),
            Self::Sparse(x) => x.rows(),
        }
    }
}
