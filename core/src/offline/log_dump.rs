//! `menagerie log dump`: the transactions, one line for each.

use std::io::IsTerminal;
use std::path::Path;

use super::options::LogDump;
use super::{Failure, Outcome, Tool, render, source, txn_json, txn_text};
use crate::storage::{Error, LogEnd, LogEntry, LogReader};
use crate::wire::txn::TxnRecord;

/// Prints what the options ask for. Returns whether nothing was damaged.
pub(super) fn run(tool: &mut Tool<'_>, options: &LogDump) -> Outcome {
    if std::io::stdout().is_terminal() {
        tool.progress.silence();
    }
    let files = source::logs(tool.disk.as_ref(), &options.files)?;
    let mut is_sound = true;
    // The directory of which all that was asked for is printed.
    let mut done = None;
    for path in &files {
        if done.is_some() && path.parent() == done {
            continue;
        }
        if files.len() > 1 && !options.json {
            writeln!(tool.out, "{}:", source::name(path))?;
        }
        tool.begin(path);
        let mut reader = LogReader::open(&tool.disk, path, options.limits.max_buffer)?;
        let (is_file_sound, is_past) = dump(tool, options, &mut reader)?;
        is_sound &= is_file_sound;
        if is_past {
            done = path.parent();
            continue;
        }
        tell_end(tool, path, reader.end());
    }
    Ok(is_sound)
}

/// Prints one file. Returns whether nothing was damaged, and whether the last transaction asked for was passed.
fn dump(tool: &mut Tool<'_>, options: &LogDump, reader: &mut LogReader) -> Result<(bool, bool), Failure> {
    let mut is_sound = true;
    loop {
        let read = reader.next_entry().and_then(|entry| match entry {
            None => Ok(None),
            Some(entry) => entry.decode().map(|record| Some((entry, record))),
        });
        match read {
            Ok(None) => return Ok((is_sound, false)),
            Ok(Some((entry, _))) if options.to.is_some_and(|to| entry.zxid > to) => return Ok((is_sound, true)),
            Ok(Some((entry, record))) => {
                if is_wanted(options, &record) {
                    print(tool, options, &entry, &record)?;
                }
            }
            Err(error) if options.skip_damage && error.is_corruption() => {
                is_sound = false;
                tool.out.flush()?;
                skip(tool, reader, &error)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Says what is damaged, and goes on behind it.
fn skip(tool: &Tool<'_>, reader: &mut LogReader, error: &Error) -> Result<(), Error> {
    tool.progress.finish();
    eprintln!("error: {error}");
    // A record that is whole but cannot be understood is behind the reader already.
    if error.offset().is_some_and(|offset| offset < reader.offset()) {
        return Ok(());
    }
    let (from, path) = (reader.offset(), source::name(reader.path()));
    match reader.skip_damage()? {
        Some(to) => eprintln!("  skipped {} bytes of {path}, to byte {to}", to - from),
        None => eprintln!("  nothing more can be read in {path}"),
    }
    Ok(())
}

fn is_wanted(options: &LogDump, record: &TxnRecord) -> bool {
    options.from.is_none_or(|from| record.header.zxid >= from)
        && options.session.is_none_or(|session| record.header.client_id == session)
        && options.path.as_deref().is_none_or(|path| txn_text::is_about(&record.txn, path))
}

fn print(tool: &mut Tool<'_>, options: &LogDump, entry: &LogEntry, record: &TxnRecord) -> std::io::Result<()> {
    if options.json {
        writeln!(tool.out, "{}", txn_json::object(entry, record))
    } else {
        let data_shown = if options.full { usize::MAX } else { render::DATA_SHOWN };
        writeln!(tool.out, "{}", txn_text::line(record, data_shown))
    }
}

fn tell_end(tool: &mut Tool<'_>, path: &Path, end: Option<&LogEnd>) {
    let name = source::name(path);
    let note = match end {
        None | Some(LogEnd::Clean) => return,
        Some(LogEnd::NoHeader) => format!("note: {name} holds nothing"),
        Some(LogEnd::Torn { offset, what }) => {
            format!("note: {name} ends at byte {offset}, in a write that a crash cut short ({what})")
        }
    };
    tool.progress.finish();
    // Notes come after what they are about, also where both go to one terminal.
    let _ = tool.out.flush();
    eprintln!("{note}");
}
