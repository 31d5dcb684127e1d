//! How this library's side of a comparison is asked: a request a line, an answer a line, and numbers in raw files.
//!
//! The protocol of each is told at the head of its program: `peer`, `peer_steps`, `peer_gradcheck`.

use std::io::{BufRead, Write};
use std::path::Path;

/// Answers what stdin asks on stdout, until it ends.
pub fn converse(program: &str, answer: impl FnMut(&str) -> Result<String, String>) {
    let served = serve(std::io::stdin().lock(), &mut std::io::stdout().lock(), answer);
    served.unwrap_or_else(|error| fail(program, &format!("the answer cannot be written: {error}")));
}

/// Answers each request, a line; one that cannot be met by `error:` and the reason.
pub fn serve(
    requests: impl BufRead,
    answers: &mut impl Write,
    mut answer: impl FnMut(&str) -> Result<String, String>,
) -> std::io::Result<()> {
    for request in requests.lines() {
        let answer = answer(&request?).unwrap_or_else(|reason| format!("error: {reason}"));
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

/// Ends the program with a reason.
pub fn fail(program: &str, reason: &str) -> ! {
    eprintln!("{program}: {reason}");
    std::process::exit(2)
}

/// The numbers of a raw file, `SIZE` bytes each.
pub fn read<T, const SIZE: usize>(file: &Path, number: impl Fn([u8; SIZE]) -> T) -> Result<Vec<T>, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (numbers, rest) = bytes.as_chunks();
    if numbers.is_empty() || !rest.is_empty() {
        return Err(format!("{}: expected numbers of {SIZE} bytes, found {} bytes", file.display(), bytes.len()));
    }
    Ok(numbers.iter().map(|&bytes| number(bytes)).collect())
}
