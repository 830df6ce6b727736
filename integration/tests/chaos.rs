//! A shorter run of `--bin chaos`: each kind of fault once. Without the right to make network namespaces it is skipped, unless
//! `MENAGERIE_REQUIRE` names `netns`.

use std::process::{Command, Stdio};

use menagerie_integration::TestResult;

#[test]
fn clients_see_no_promise_broken_while_members_are_killed_paused_and_cut_off() -> TestResult {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    let output = command.args(["--steps", "6", "--clients", "12"]).stdin(Stdio::null()).output()?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("no promise is broken") || said.contains("skipped: "), "{said}");
    println!("{said}");
    Ok(())
}
