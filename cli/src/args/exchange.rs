//! Models for other programs, and other programs' models.

use clap::Args;
use std::path::PathBuf;

/// `deltarule export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The model file
    pub model: PathBuf,
    /// Write here what the name ends in: .onnx, .c, .rs or .safetensors. ONNX takes raw columns and gives labels, probabilities or numbers
    #[arg(value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Write an ONNX file
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub onnx: Option<PathBuf>,
    /// Write a C99 source: one file that allocates nothing and checks itself on rows that it carries
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub c: Option<PathBuf>,
    /// Write the same in Rust, for no_std
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub rust: Option<PathBuf>,
    /// Write the network's parameters as a safetensors file by the names of PyTorch's nn.Sequential (0.weight outputs x inputs, 0.bias …)
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub torch: Option<PathBuf>,
    /// What the functions of C and Rust begin with
    #[arg(long, value_name = "NAME", default_value = "model")]
    pub name: String,
    /// Of ONNX: one input 'x', rows x columns, and not one for each column; for models whose columns are numbers (those of a matrix have it anyway)
    #[arg(long)]
    pub one_input: bool,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}

/// `deltarule import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The file: ONNX, FANN 2.1 or safetensors, which is recognised by its content
    pub file: PathBuf,
    /// Save the model here
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// The hidden layers' activation, which safetensors does not hold: a name as for train --activation
    #[arg(long, value_name = "NAME")]
    pub activation: Option<String>,
    /// The output layer's activation, of safetensors and of an ONNX file that ends in weighted sums, such as softmax [default: identity]
    #[arg(long, value_name = "NAME")]
    pub output_activation: Option<String>,
    /// The input columns' names, by which a table's are then found; without them by position
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// The name of the column that is predicted, or of each
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub target: Vec<String>,
    /// The classes, in the order of the outputs; of a single output the one for 0 and the one for 1
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}
