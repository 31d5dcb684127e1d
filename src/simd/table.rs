//! Small tables that a vector is looked up in.

/// How many rows a [`Table`] has: what the low [`TABLE_BITS`] of an index tell apart.
pub const TABLE_ROWS: usize = 1 << TABLE_BITS;
/// How many bits of a lane an index is.
pub const TABLE_BITS: u32 = 5;
/// How many columns a [`Table`] has.
pub const TABLE_COLUMNS: usize = 8;

/// Eight numbers for each of 32 cases, such as the coefficients of a polynomial for each of 32 intervals.
///
/// It is kept twice. AVX-512 holds each column in two registers (four for `f64`) and permutes them, one instruction a column;
/// the others load the row of each lane and transpose, which costs them less than permuting registers of half the size.
#[derive(Debug)]
#[repr(align(64))]
pub struct Table<T> {
    /// What a lane finds, row by row.
    pub rows: [[T; TABLE_COLUMNS]; TABLE_ROWS],
    /// The same, column by column.
    pub columns: [[T; TABLE_ROWS]; TABLE_COLUMNS],
}

impl<T: Copy> Table<T> {
    /// The table of these rows.
    pub const fn new(rows: [[T; TABLE_COLUMNS]; TABLE_ROWS]) -> Self {
        let mut columns = [[rows[0][0]; TABLE_ROWS]; TABLE_COLUMNS];
        let mut row = 0;
        while row < TABLE_ROWS {
            let mut column = 0;
            while column < TABLE_COLUMNS {
                columns[column][row] = rows[row][column];
                column += 1;
            }
            row += 1;
        }
        Self { rows, columns }
    }
}
