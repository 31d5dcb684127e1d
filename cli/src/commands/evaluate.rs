//! `deltarule evaluate`: a model's figures on rows whose target is known.

use super::{AnyModel, Outcome, with_model};
use crate::args::Evaluate;
use crate::input::{self, Target};
use crate::report::{self, EvaluationJson};
use deltarule::Result;

pub fn run(args: &Evaluate) -> Result<Outcome> {
    let any = AnyModel::load(&args.model)?;
    with_model!(any, model => {
        let names = model.target.names();
        let target = Target::of_model(&model.input, &names);
        // A file too large for memory is read piece by piece. As numbers, only a piece of it is ever there.
        let open = if input::is_too_large(&args.data, 0) { input::open_in_place } else { input::open };
        let source = open(&args.data, &args.reading, target, args.weight_column.as_deref())?;
        let rows = report::counted(&source)?;
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
