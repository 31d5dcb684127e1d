//! `deltarule evaluate`: a model's figures on rows whose target is known.

use super::{AnyModel, Outcome, with_model};
use crate::args::Evaluate;
use crate::input::{self, Target};
use crate::report::{self, EvaluationJson};
use deltarule::Result;
use deltarule::model::Input;

pub fn run(args: &Evaluate) -> Result<Outcome> {
    let any = AnyModel::load(&args.model)?;
    with_model!(any, model => {
        let target = match model.input {
            Input::Table(_) => Target::OfModel(model.target.name()),
            Input::Images { .. } => Target::Unknown,
        };
        // A file too large for memory is read piece by piece. As numbers, only a piece of it is ever there.
        let open = if input::is_too_large(&args.data, 0) { input::open_in_place } else { input::open };
        let source = open(&args.data, &args.reading, target)?;
        let rows: Vec<usize> = (0..source.rows()).collect();
        let evaluation = model.evaluate(&source, &rows)?;
        report::say(&report::table(source.name(), &evaluation));
        if let Some(confusion) = &evaluation.confusion {
            report::say(&format!("\n{confusion}"));
        }
        if args.json {
            report::print_json(&EvaluationJson::from(&evaluation))?;
        }
    });
    Ok(Outcome::Done)
}
