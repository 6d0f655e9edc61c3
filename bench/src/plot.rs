//! Plots as plain SVG, readable on light and on dark ground.
//!
//! Owns: scales, axes, bars, curves, the legend. Pure: figures in, text out. Must not know what is plotted.

use crate::table::Spread;
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 44.0;
const HEIGHT: f64 = 320.0;
/// Between light and dark, so that each can be told on both grounds.
const COLOURS: [&str; 4] = ["#2f81f7", "#8b949e", "#bf8700", "#a371f7"];

/// A row of figures under one name.
pub struct Named {
    /// Its name in the legend.
    pub name: String,
    /// A figure for each place on the axis; `None` leaves a gap.
    pub figures: Vec<Option<Spread>>,
}

/// Groups of bars, with whiskers for the spread.
pub fn bars(title: &str, unit: &str, places: &[String], rows: &[Named]) -> String {
    let top = nice(rows.iter().flat_map(|row| row.figures.iter().flatten()).map(|one| one.high).fold(0.0, f64::max));
    let mut out = begin(title, unit, top, rows.iter().map(|row| row.name.as_str()));
    let group = (WIDTH - LEFT - RIGHT) / places.len().max(1) as f64;
    let bar = (group * 0.7 / rows.len().max(1) as f64).min(60.0);
    for (place, name) in places.iter().enumerate() {
        let middle = LEFT + group * (place as f64 + 0.5);
        text(&mut out, middle, HEIGHT - BOTTOM + 18.0, "middle", name);
        for (number, row) in rows.iter().enumerate() {
            let Some(one) = row.figures.get(place).copied().flatten() else { continue };
            let x = middle + (number as f64 - rows.len() as f64 / 2.0) * bar;
            let (y, colour, centre) = (height(one.median, top), COLOURS[number % COLOURS.len()], x + bar / 2.0);
            let _infallible = write!(
                out,
                r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" fill="{colour}"/>"#,
                bar - 3.0,
                HEIGHT - BOTTOM - y
            );
            whisker(&mut out, centre - 1.5, (one, top));
            text(&mut out, centre - 1.5, height(one.high, top) - 5.0, "middle", &short(one.median));
        }
    }
    out + "</svg>\n"
}

/// A curve for each row over named places.
pub fn curves(title: &str, unit: &str, places: &[String], rows: &[Named]) -> String {
    let top = nice(rows.iter().flat_map(|row| row.figures.iter().flatten()).map(|one| one.high).fold(0.0, f64::max));
    let mut out = begin(title, unit, top, rows.iter().map(|row| row.name.as_str()));
    let step = (WIDTH - LEFT - RIGHT - 60.0) / (places.len().max(2) - 1) as f64;
    let x = |place: usize| LEFT + 30.0 + step * place as f64;
    for (place, name) in places.iter().enumerate() {
        text(&mut out, x(place), HEIGHT - BOTTOM + 18.0, "middle", name);
    }
    for (number, row) in rows.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let known = row.figures.iter().enumerate().filter_map(|(place, one)| Some((place, (*one)?)));
        let points: Vec<(f64, Spread)> = known.map(|(place, one)| (x(place), one)).collect();
        line(&mut out, points.iter().map(|(x, one)| (*x, height(one.median, top))), colour);
        for (x, one) in points {
            whisker(&mut out, x, (one, top));
            text(&mut out, x + 6.0, height(one.median, top) - 6.0, "start", &short(one.median));
        }
    }
    out + "</svg>\n"
}

/// One figure over time.
pub fn over_time(title: &str, unit: &str, points: &[(f64, f64)]) -> String {
    let top = nice(points.iter().map(|(_, figure)| *figure).fold(0.0, f64::max));
    let last = points.last().map_or(1.0, |(minute, _)| minute.max(1e-9));
    let mut out = begin(title, unit, top, std::iter::empty());
    let x = |minute: f64| LEFT + (WIDTH - LEFT - RIGHT) * minute / last;
    for quarter in 0..=4 {
        let minute = last * f64::from(quarter) / 4.0;
        text(&mut out, x(minute), HEIGHT - BOTTOM + 18.0, "middle", &format!("{minute:.0} min"));
    }
    line(&mut out, points.iter().map(|(minute, figure)| (x(*minute), height(*figure, top))), COLOURS[0]);
    out + "</svg>\n"
}

fn begin<'a>(title: &str, unit: &str, top: f64, names: impl Iterator<Item = &'a str>) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\">\
         <style>text{{font:12px system-ui,sans-serif;fill:#1f2328}}.t{{font-weight:600;font-size:14px}}\
         line{{stroke:#8b949e}}.g{{stroke-opacity:.3}}.w{{stroke:#57606a}}\
         @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}.w{{stroke:#c9d1d9}}}}</style>\
         <text class=\"t\" x=\"{LEFT}\" y=\"18\">{0}</text>",
        escaped(title)
    );
    let mut x = LEFT;
    for (number, name) in names.enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let _infallible = write!(out, r#"<rect x="{x:.1}" y="28" width="10" height="10" fill="{colour}"/>"#);
        text(&mut out, x + 15.0, 37.0, "start", name);
        x += 35.0 + name.chars().count() as f64 * 6.6;
    }
    for quarter in 0..=4 {
        let figure = top * f64::from(quarter) / 4.0;
        let y = height(figure, top);
        let _infallible =
            write!(out, r#"<line class="g" x1="{LEFT}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}"/>"#, WIDTH - RIGHT);
        text(&mut out, LEFT - 6.0, y + 4.0, "end", &short(figure));
    }
    text(&mut out, WIDTH - RIGHT, 18.0, "end", unit);
    out
}

fn height(figure: f64, top: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (figure / top).clamp(0.0, 1.0)
}

fn line(out: &mut String, points: impl Iterator<Item = (f64, f64)>, colour: &str) {
    out.push_str("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"");
    out.push_str(colour);
    out.push_str("\" points=\"");
    for (x, y) in points {
        let _infallible = write!(out, "{x:.1},{y:.1} ");
    }
    out.push_str("\"/>");
}

fn whisker(out: &mut String, x: f64, (one, top): (Spread, f64)) {
    let (low, high) = (height(one.low, top), height(one.high, top));
    let _infallible = write!(out, r#"<line class="w" x1="{x:.1}" y1="{low:.1}" x2="{x:.1}" y2="{high:.1}"/>"#);
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = escaped(words);
    let _infallible = write!(out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#);
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// The next figure upwards that divides well.
fn nice(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let unit = 10_f64.powf(most.log10().floor());
    [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0]
        .map(|step| step * unit)
        .into_iter()
        .find(|top| *top >= most)
        .unwrap_or(most)
}

fn short(figure: f64) -> String {
    match figure {
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_lies_on_the_sheet_and_names_are_escaped() {
        let spread = |median| Some(Spread { median, low: median * 0.9, high: median * 1.1 });
        let row = |name: &str| Named { name: name.to_owned(), figures: vec![spread(1.0), None, spread(250.0)] };
        let places = ["1", "64", "a < b"].map(str::to_owned);
        for drawn in [
            bars("CPU & more", "ms", &places, &[row("ours"), row("theirs")]),
            curves("latency", "ms", &places, &[row("ours")]),
            over_time("memory", "MB", &[(0.0, 10.0), (1.0, 11.0)]),
            bars("nothing", "ms", &[], &[]),
        ] {
            assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n") && !drawn.contains("NaN"), "{drawn}");
            assert!(!drawn.contains("& ") && !drawn.contains("a < b"), "{drawn}");
            for part in drawn.split(" y=\"").skip(1) {
                let y: f64 = part[..part.find('"').unwrap()].parse().unwrap();
                assert!((0.0..=HEIGHT).contains(&y), "{y}");
            }
        }
    }

    #[test]
    fn an_axis_ends_at_or_above_its_largest_figure() {
        for most in [0.0, 0.03, 1.0, 1.01, 7.0, 9.99, 123.0, 99_999.0] {
            assert!(nice(most) >= most && nice(most) <= most * 1.7 + 1.0, "{most}: {}", nice(most));
        }
    }
}
