//! Pictures: the loss over the epochs or over learning rates, the network, and what its first layer looks for.
//!
//! They take plain slices and return the text of an SVG file: they know no network, no training and no file. Each is
//! complete in itself (one style sheet, no script, no link), readable without colour vision (blue against orange), and
//! the same bytes for the same input.
//!
//! Two things were measured and left out. *PNG*: a rasteriser (resvg with text) would add 32 crates to the command's
//! 99, two minutes of compiling on one core, and a font to embed. *A plotting crate* (plotters): it would draw one kind of
//! them, without a style sheet, and leave thinning and hostile names to us; the axis is a page.
//!
//! Row 5 of the house, behind the feature `pictures`: imports `error`. Begin with [`curve`]; `svg` is what all of them
//! write with.

mod area;
mod axis;
pub mod curve;
pub mod diagram;
pub mod rates;
pub mod spark;
mod svg;
pub mod weights;

use std::path::Path;

use crate::error::{Error, Result};

/// Whether a picture can be written under this name: before a training of hours, not after it.
///
/// **Errors.** [`Error::Unsupported`] unless the name ends in `.svg`.
pub fn check_name(path: &Path) -> Result<()> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    if ending.eq_ignore_ascii_case("svg") {
        return Ok(());
    }
    let fault = if ending.is_empty() {
        "a picture's name must end in .svg".to_string()
    } else {
        format!("{} is not supported: use .svg", ending.to_uppercase())
    };
    Err(Error::Unsupported(format!("{}: {fault}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_svg_is_written() {
        assert!(check_name(Path::new("out/loss.svg")).is_ok());
        assert!(check_name(Path::new("LOSS.SVG")).is_ok());
        let message = |name: &str| check_name(Path::new(name)).unwrap_err().to_string();
        assert_eq!(message("loss.png"), "loss.png: PNG is not supported: use .svg");
        assert_eq!(message("loss"), "loss: a picture's name must end in .svg");
        assert_eq!(message(".svg"), ".svg: a picture's name must end in .svg");
    }
}
