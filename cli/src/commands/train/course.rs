//! From the flags of a training's course to the library's settings, and from its history to a file.

use crate::args::Course;
use deltarule::model::{Fitted, Recipe};
use deltarule::prelude::*;
use deltarule::train::{Averaging, Clip};
use deltarule::{Error, Result};
use std::fmt::Write;
use std::time::Duration;

/// Puts the flags into the recipe.
pub fn apply(course: &Course, recipe: &mut Recipe) -> Result<()> {
    let trainer = &mut recipe.trainer;
    trainer.schedule = course.schedule.as_deref().map_or(Ok(Schedule::Constant), Schedule::parse)?;
    trainer.warm_up = course.warm_up;
    trainer.clip = course.clip_norm.map(Clip::Norm).or(course.clip_value.map(Clip::Value));
    trainer.averaging = (course.ema.map(|decay| Averaging::Exponential { decay }))
        .or(course.swa.map(|from| Averaging::Uniform { from }));
    trainer.stopping.target_loss = course.target_loss;
    trainer.stopping.time_limit = course.time_limit.map(seconds).transpose()?;
    recipe.monitor.clone_from(&course.monitor);
    recipe.measures_training = course.history.is_some();
    Ok(())
}

/// A time limit.
fn seconds(limit: f64) -> Result<Duration> {
    match Duration::try_from_secs_f64(limit) {
        Ok(limit) if !limit.is_zero() => Ok(limit),
        _ => Err(Error::setting("--time-limit", "a number of seconds above 0", limit)),
    }
}

/// Each epoch on a line, as CSV: its rate, losses, and figures; what there is none of stays empty.
pub fn history<T: Float>(fitted: &Fitted<T>) -> String {
    let history = &fitted.history;
    let figures = [("train", &history.figures.training), ("held_back", &history.figures.validation)];
    let mut text = String::from("epoch,rate,train_loss,held_back_loss");
    for (part, rows) in figures.iter().filter(|(_, rows)| !rows.is_empty()) {
        let width = rows[0].len();
        fitted.figures.iter().take(width).for_each(|name| {
            let _ = write!(text, ",{part}_{name}");
        });
    }
    text.push('\n');
    let cell = |value: Option<&f64>| value.filter(|value| value.is_finite()).map_or(String::new(), f64::to_string);
    for (epoch, loss) in history.training.iter().enumerate() {
        let rate = history.rates.get(epoch).filter(|rate| **rate > 0.0);
        let _ = write!(text, "{},{},{},", epoch + 1, cell(rate), cell(Some(loss)));
        text += &cell(history.validation.get(epoch));
        for row in figures.iter().filter(|(_, rows)| !rows.is_empty()).filter_map(|(_, rows)| rows.get(epoch)) {
            row.iter().for_each(|figure| {
                let _ = write!(text, ",{}", cell(Some(figure)));
            });
        }
        text.push('\n');
    }
    text
}
