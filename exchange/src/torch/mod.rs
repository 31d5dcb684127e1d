//! Networks as safetensors, under the names and in the layouts that PyTorch's `nn.Sequential` gives them; and networks of dense layers from
//! such files, PyTorch's and scikit-learn's.
//!
//! ```text
//! 0.weight  [64, 6]     0.bias  [64]      nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 4), nn.Softmax(dim=1))
//! 2.weight  [4, 64]     2.bias  [4]       outputs x inputs; modules are counted, those without numbers too
//! ```
//!
//! A file holds the network, not what turns raw rows into its inputs. Its metadata say what `Sequential` must be (`sequential`, a line of
//! Python), what follows it (`then`, for the functions that PyTorch has no module of), and the names of the inputs (`inputs`, JSON).

mod export;
mod import;

pub use export::export;
pub use import::import;
