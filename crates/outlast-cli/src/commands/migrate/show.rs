//! What came of it, for people: each ends with what to do next.

use outlast::migration::Phase;
use serde_json::Value;

use crate::control::{Order, Quarantine};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table};

/// What the program ends with.
pub(super) fn exit(order: &Order, answer: &Value) -> Exit {
    let differs = |found: &Value| number(&found["mismatched"]) > number(&found["repaired"]);
    match order {
        Order::Check { .. } if items(&answer["checked"]).any(|c| c["holds"] != true) => {
            Exit::Refused
        }
        Order::Doctor if items(&answer["findings"]).next().is_some() => Exit::Refused,
        Order::Diff { .. } if items(&answer["compared"]).any(differs) => Exit::Damaged,
        _ => Exit::Completed,
    }
}

/// Prints it.
pub(super) fn print(order: &Order, answer: &Value, out: &mut Output) -> Result<(), Failure> {
    match order {
        Order::Status => status(answer, out),
        Order::Plan { .. } => items(&answer["plans"]).try_for_each(|plan| planned(plan, out)),
        Order::Check { .. } => {
            if items(&answer["checked"]).next().is_none() {
                out.line("nothing lies ahead; next: nothing")?;
            }
            items(&answer["checked"]).try_for_each(|checked| self::checked(checked, out))
        }
        Order::Advance { .. } => {
            moved(answer, out)?;
            next(answer, out)
        }
        Order::Rollback { to, .. } => rolled_back(*to, answer, out),
        Order::Hold { .. } | Order::Resume { .. } => next(answer, out),
        Order::Diff { .. } => compared(answer, out),
        Order::Quarantine(Quarantine::List) => quarantined(answer, out),
        Order::Quarantine(_) => {
            let (done, kept) = (number(&answer["done"]), number(&answer["kept"]));
            out.line(&format!("{done} done, {kept} left as they are"))?;
            next(answer, out)
        }
        Order::Rehearse { .. } => {
            for one in items(&answer["rehearsed"]) {
                let (there, back) = (millis(&one["live_us"]), millis(&one["back_us"]));
                let kind = text(&one["kind"]);
                out.line(&format!("{kind}: writes waited {there} to live, {back} back"))?;
            }
            next(answer, out)
        }
        Order::Doctor => doctor(answer, out),
    }
}

fn status(answer: &Value, out: &mut Output) -> Result<(), Failure> {
    match answer["database"].as_str() {
        Some(database) => out.line(&format!("database  {database}"))?,
        None => out.line("database  none")?,
    }
    if let Some(why) = answer["away"].as_str() {
        let since = text(&answer["away_since"]);
        out.line(&format!("away      since {since}: {why}"))?;
    }
    let (behind, gaps) = (number(&answer["behind"]), number(&answer["gaps"]));
    out.line(&format!("behind    {behind} entities and streams are in memory only"))?;
    if gaps > 0 {
        out.line(&format!(
            "gaps      {gaps} older versions or entries never reached the database"
        ))?;
    }
    let headings = ["KIND", "PHASE", "EPOCH", "TRUTH", "DURABILITY", "BEHIND", "COMPARED", "NEXT"];
    let mut table = Table::new(&headings);
    for kind in items(&answer["kinds"]) {
        let age = kind["clean_age_s"].as_u64().map_or("-".to_owned(), |s| format!("{s}s ago"));
        let held = kind["held"].as_str().map_or(String::new(), |why| format!(" (held: {why})"));
        table.row([
            text(&kind["kind"]),
            text(&kind["phase"]) + &held,
            text(&kind["epoch"]),
            text(&kind["truth"]),
            text(&kind["durability"]),
            text(&kind["behind"]),
            age,
            text(&kind["next"]),
        ]);
    }
    table.print(out)?;
    for kind in items(&answer["kinds"]) {
        for stuck in items(&kind["stuck"]) {
            out.line(&format!("cannot be shipped: {}", text(stuck)))?;
        }
    }
    Ok(())
}

fn planned(plan: &Value, out: &mut Output) -> Result<(), Failure> {
    out.line(&format!("{} is {}", text(&plan["kind"]), text(&plan["phase"])))?;
    for step in items(&plan["steps"]) {
        let (from, to, work) = (text(&step["from"]), text(&step["to"]), text(&step["work"]));
        out.line(&format!("  {from} to {to}: {work}"))?;
        for check in items(&step["checks"]) {
            let seen_to = check["seen_to"] == true;
            let mark = if check["holds"] == true {
                "holds"
            } else if seen_to {
                "is seen to"
            } else {
                "DOES NOT HOLD"
            };
            out.line(&format!("    {}: {mark}", line(check)))?;
        }
    }
    out.line(&format!("  next: {}", text(&plan["next"])))
}

fn checked(checked: &Value, out: &mut Output) -> Result<(), Failure> {
    let (kind, phase, to) = (text(&checked["kind"]), text(&checked["phase"]), text(&checked["to"]));
    out.line(&format!("{kind}, {phase} to {to}"))?;
    let mut table = Table::new(&["  CHECK", "VALUE", "THRESHOLD", "HOLDS"]);
    for check in items(&checked["checks"]) {
        let holds = if check["holds"] == true { "yes" } else { "NO" };
        let name = format!("  {}", text(&check["name"]));
        table.row([name, text(&check["value"]), text(&check["threshold"]), holds.to_owned()]);
    }
    table.print(out)?;
    out.line(&format!("  next: {}", text(&checked["next"])))
}

fn line(check: &Value) -> String {
    let (name, value) = (text(&check["name"]), text(&check["value"]));
    format!("{name} is {value}, has to be {}", text(&check["threshold"]))
}

fn moved(answer: &Value, out: &mut Output) -> Result<(), Failure> {
    let moves = items(&answer["moves"]).count();
    if moves == 0 {
        return out.line("nothing had to be moved");
    }
    for one in items(&answer["moves"]) {
        let (kind, from, to) = (text(&one["kind"]), text(&one["from"]), text(&one["to"]));
        let held = millis(&one["held_us"]);
        out.line(&format!("{kind} went from {from} to {to}; writes waited {held}"))?;
    }
    Ok(())
}

fn rolled_back(to: Phase, answer: &Value, out: &mut Output) -> Result<(), Failure> {
    moved(answer, out)?;
    for one in items(&answer["unreachable"]) {
        let [entities, versions, streams] =
            ["entities", "versions", "streams"].map(|name| number(&one[name]));
        out.line(&format!(
            "{}: {entities} durable entities with {versions} history rows, and {streams} streams, \
             are not reachable any more",
            text(&one["kind"])
        ))?;
    }
    if let Some(file) = answer["export"].as_str() {
        out.line(&format!("all of it was written to {file}"))?;
    }
    if to == Phase::Memory && items(&answer["unreachable"]).next().is_some() {
        out.line("the database has it still: outlast migrate state quarantine list")?;
    }
    next(answer, out)
}

fn compared(answer: &Value, out: &mut Output) -> Result<(), Failure> {
    for found in items(&answer["compared"]) {
        let [entities, versions, entries, mismatched, repaired, deferred] =
            ["entities", "versions", "entries", "mismatched", "repaired", "deferred"]
                .map(|name| number(&found[name]));
        out.line(&format!(
            "{}: {entities} entities, {versions} versions and {entries} entries compared, \
             {mismatched} differ, {repaired} repaired, {deferred} not judged",
            text(&found["kind"])
        ))?;
        for one in items(&found["mismatches"]) {
            let (key, class) = (text(&one["key"]), text(&one["class"]));
            let (memory, database) = (text(&one["memory"]), text(&one["database"]));
            out.line(&format!("  {key}: {class}: memory has {memory}, the database {database}"))?;
        }
    }
    next(answer, out)
}

fn quarantined(answer: &Value, out: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(&["KIND", "LINEAGE", "ENTITIES", "STREAMS"]);
    for one in items(&answer["quarantined"]) {
        table.row(["kind", "lineage", "entities", "streams"].map(|name| text(&one[name])));
    }
    table.print(out)?;
    match items(&answer["quarantined"]).next() {
        Some(_) => out.line("next: outlast migrate state quarantine adopt|purge KIND LINEAGE"),
        None => out.line("next: nothing, nothing is set aside"),
    }
}

fn doctor(answer: &Value, out: &mut Output) -> Result<(), Failure> {
    for one in items(&answer["findings"]) {
        out.line(&format!("{}: {}", text(&one["kind"]), text(&one["finding"])))?;
        out.line(&format!("  next: {}", text(&one["command"])))?;
    }
    if items(&answer["findings"]).next().is_none() {
        out.line("ledger, state directory and settings say the same; next: nothing")?;
    }
    Ok(())
}

fn next(answer: &Value, out: &mut Output) -> Result<(), Failure> {
    for kind in items(&answer["kinds"]) {
        let (name, phase) = (text(&kind["kind"]), text(&kind["phase"]));
        out.line(&format!("{name} is {phase}; next: {}", text(&kind["next"])))?;
    }
    Ok(())
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Microseconds as milliseconds.
fn millis(micros: &Value) -> String {
    let micros = number(micros);
    format!("{}.{} ms", micros / 1000, micros / 100 % 10)
}
