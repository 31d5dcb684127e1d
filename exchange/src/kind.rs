//! What a file is, by its content: names lie, and a pickle is not to be run to find out.

use super::onnx;
use safetensors::SafeTensors;

/// What the bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A model of deltarule's.
    Deltarule,
    /// Another program's tensors by name.
    Safetensors,
    /// An ONNX model.
    Onnx,
    /// A network of FANN's.
    Fann,
    /// A zip archive: PyTorch's `.pt`, Keras's `.keras`, NumPy's `.npz`.
    Zip,
    /// Python's pickle, which is a program: old PyTorch files, and scikit-learn's.
    Pickle,
    /// HDF5: Keras's `.h5`.
    Hdf5,
    /// A matrix of NumPy's.
    Npy,
    /// A gzipped file.
    Gzip,
    /// None of these.
    Other,
}

/// How files begin that can be told by it.
const BEGINNINGS: [(&[u8], Kind); 8] = [
    (b"FANN_", Kind::Fann),
    (b"PK\x03\x04", Kind::Zip),
    (b"\x89HDF\r\n\x1a\n", Kind::Hdf5),
    (b"\x93NUMPY", Kind::Npy),
    (b"\x1f\x8b", Kind::Gzip),
    // Protocol 2 and later; the earlier ones begin with what they hold.
    (b"\x80\x02", Kind::Pickle),
    (b"\x80\x04", Kind::Pickle),
    (b"\x80\x05", Kind::Pickle),
];

impl Kind {
    /// What these bytes are, as their beginning and outline tell; that they are whole it does not.
    ///
    /// ```
    /// use deltarule_exchange::Kind;
    ///
    /// assert_eq!(Kind::of(b"FANN_FLO_2.1\nnum_layers=3\n"), Kind::Fann);
    /// assert_eq!(Kind::of(b"PK\x03\x04..."), Kind::Zip);
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        if let Some((_, kind)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
            return *kind;
        }
        // The length of a header, and the header, which is JSON.
        if bytes.len() > 8 && bytes[8] == b'{' && bytes[5..8] == [0; 3] {
            let metadata = SafeTensors::read_metadata(bytes).ok();
            let is_own =
                metadata.is_some_and(|(_, m)| m.metadata().as_ref().is_some_and(|m| m.contains_key("deltarule")));
            return if is_own { Self::Deltarule } else { Self::Safetensors };
        }
        if onnx::looks_like(bytes) { Self::Onnx } else { Self::Other }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deltarule => "a model of deltarule's",
            Self::Safetensors => "safetensors",
            Self::Onnx => "an ONNX model",
            Self::Fann => "a network of FANN's",
            Self::Zip => "a zip archive (such as PyTorch's .pt, Keras's .keras and NumPy's .npz)",
            Self::Pickle => "a pickle, which is a program and not run",
            Self::Hdf5 => "an HDF5 file",
            Self::Npy => "a matrix of NumPy's",
            Self::Gzip => "a gzipped file",
            Self::Other => "none of the kinds of file that are known",
        }
    }
}
