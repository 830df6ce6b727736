//! Scripts of client steps on the reference and on ours: everything that clients hear is the same, but for what differs on
//! purpose. Where there is no reference, what was recorded of it stands in for it.

use std::path::{Path, PathBuf};

use menagerie_integration::TestResult;
use menagerie_integration::differential::duel::{self, Transcript};
use menagerie_integration::differential::schema;
use menagerie_integration::differential::step::{Action, Script};
use menagerie_integration::differential::{parse, purpose, transcript};
use menagerie_integration::software::Software;
use menagerie_integration::workspace;

const SCRIPTS: &str = "integration/tests/differential";

#[test]
fn ours_answers_as_was_recorded_of_the_reference() -> TestResult {
    each_script(|file, script| {
        let recorded = recorded(file, script)?;
        let ours = duel::play(script, &[Software::menagerie()?])?.swap_remove(0);
        // In the steps that differ on purpose, ours stands beside the reference in the record.
        agree(file, script, &recorded.ours, &ours, ["recorded", "menagerie"])
    })
}

#[test]
fn the_reference_and_ours_answer_alike() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    each_script(|file, script| {
        let softwares = [reference.clone(), Software::menagerie()?];
        let [theirs, ours] = <[Transcript; 2]>::try_from(duel::play(script, &softwares)?).map_err(|_| "two servers")?;
        let recorded = recorded(file, script)?;
        agree(file, script, &recorded.theirs, &theirs, ["recorded", "reference"])?;
        differ_on_purpose_only(file, script, &theirs, &ours)
    })
}

#[test]
fn every_record_shows_every_difference_on_purpose() -> TestResult {
    each_script(|file, script| {
        let recorded = recorded(file, script)?;
        differ_on_purpose_only(file, script, &recorded.theirs, &recorded.ours)
    })
}

#[test]
fn the_scripts_are_many_and_miss_no_operation_and_no_error() -> TestResult {
    let (mut steps, mut ops, mut errors) = (0, Vec::new(), String::new());
    each_script(|file, script| {
        steps += script.steps.len();
        for step in &script.steps {
            ops.extend(step.ops().iter().map(|op| op.spec.name));
            if let Action::Request(request) = &step.action {
                ops.push(request.op.spec.name);
            }
        }
        errors += &workspace::read(file.with_extension("expected"))?;
        Ok(())
    })?;
    assert!(steps >= 300, "{steps} steps");
    let unused: Vec<&str> = schema::OPS.iter().map(|spec| spec.name).filter(|name| !ops.contains(name)).collect();
    assert!(unused.is_empty(), "no step does {unused:?}");
    for error in ERRORS {
        assert!(errors.contains(&format!("err={error}")), "no step ends in {error}");
    }
    for event in ["NodeCreated", "NodeDeleted", "NodeDataChanged", "NodeChildrenChanged"] {
        assert!(errors.contains(&format!("type={event}")), "no step causes {event}");
    }
    Ok(())
}

/// Every error that a server alone on its own can answer.
const ERRORS: &[&str] = &[
    "RUNTIMEINCONSISTENCY",
    "MARSHALLINGERROR",
    "UNIMPLEMENTED",
    "BADARGUMENTS",
    "NONODE",
    "NOAUTH",
    "BADVERSION",
    "NOCHILDRENFOREPHEMERALS",
    "NODEEXISTS",
    "NOTEMPTY",
    "INVALIDACL",
    "AUTHFAILED",
    "NOWATCHER",
    "RECONFIGDISABLED",
    "QUOTAEXCEEDED",
];

#[test]
fn the_book_names_every_difference_on_purpose() -> TestResult {
    let list = purpose::list()?;
    let book = workspace::read("book/src/reference/compatibility.md")?;
    let missing: Vec<&str> = list
        .iter()
        .map(|difference| difference.name.as_str())
        .filter(|name| !book.contains(&format!("| {name} |")))
        .collect();
    assert!(missing.is_empty(), "compatibility.md has no row for {missing:?}");

    let mut marks = Vec::new();
    each_script(|file, script| {
        for mark in script.steps.iter().filter_map(|step| step.purpose.clone()) {
            let known = list.iter().any(|difference| difference.name == mark && !difference.everywhere);
            if !known {
                return Err(format!("{}: !{mark} is not in {} as marked", file.display(), purpose::LIST).into());
            }
            marks.push(mark);
        }
        Ok(())
    })?;
    let marked = list.iter().filter(|difference| !difference.everywhere);
    let unseen: Vec<&str> = marked
        .map(|difference| difference.name.as_str())
        .filter(|name| !marks.iter().any(|mark| mark == name))
        .collect();
    assert!(unseen.is_empty(), "no step shows {unseen:?}");
    Ok(())
}

/// Calls `test` with every script; all of their errors become one.
fn each_script(mut test: impl FnMut(&Path, &Script) -> TestResult) -> TestResult {
    let mut wrong = Vec::new();
    let files: Vec<PathBuf> = workspace::files(SCRIPTS, "steps")?;
    assert!(!files.is_empty());
    for file in files {
        let script = parse::script(&workspace::read(&file)?).map_err(|why| format!("{}: {why}", file.display()))?;
        if let Err(error) = test(&file, &script) {
            wrong.push(error.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn recorded(file: &Path, script: &Script) -> TestResult<transcript::Recorded> {
    let text = workspace::read(file.with_extension("expected"))?;
    transcript::parse(script, &text).map_err(|why| format!("{}: {why}", file.display()).into())
}

fn agree(file: &Path, script: &Script, one: &Transcript, other: &Transcript, names: [&str; 2]) -> TestResult {
    let mismatches = duel::mismatches(script, one, other);
    report(mismatches.iter().map(|mismatch| duel::describe(&file.display().to_string(), script, mismatch, names)))
}

/// What differs is marked, and what is marked differs.
fn differ_on_purpose_only(file: &Path, script: &Script, theirs: &Transcript, ours: &Transcript) -> TestResult {
    let name = file.display().to_string();
    let mismatches = duel::mismatches(script, theirs, ours);
    let marked = |index: usize| script.steps.get(index).is_some_and(|step| step.purpose.is_some());
    let unexplained = mismatches.iter().filter(|mismatch| !marked(mismatch.index));
    let mut wrong: Vec<String> =
        unexplained.map(|mismatch| duel::describe(&name, script, mismatch, ["reference", "menagerie"])).collect();
    for (index, step) in script.steps.iter().enumerate().filter(|(index, _)| marked(*index)) {
        // What is sent without waiting for its answer is heard with the step after it.
        if !step.more && !mismatches.iter().any(|mismatch| mismatch.index == index) {
            wrong.push(format!("{name}:{}: no difference, though it is marked: {step}", step.line));
        }
    }
    report(wrong)
}

fn report(wrong: impl IntoIterator<Item = String>) -> TestResult {
    let wrong: Vec<String> = wrong.into_iter().collect();
    if wrong.is_empty() {
        return Ok(());
    }
    // One difference early in a script may cause many: the first ones tell.
    let shown = wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    Err(format!("{} differences; the first:\n{shown}", wrong.len()).into())
}
