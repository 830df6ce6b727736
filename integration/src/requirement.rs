//! Tests that need something which may be absent. Absent, they print `skipped: …` and pass; when the environment
//! variable `MENAGERIE_REQUIRE` names the need (`apache`, `docker`, separated by commas) its absence is an error.
//!
//! Knows nothing about what is looked for.

use std::io;

/// The environment variable that lists what must be there.
pub const VARIABLE: &str = "MENAGERIE_REQUIRE";

/// Says what to do without `need`: `Ok(())` after printing why the test is skipped, or the error when it is required.
pub fn absent(need: &str, why: &str) -> io::Result<()> {
    absent_with(&std::env::var(VARIABLE).unwrap_or_default(), need, why)
}

fn absent_with(required: &str, need: &str, why: &str) -> io::Result<()> {
    if required.split(',').any(|word| word.trim() == need) {
        let message = format!("{VARIABLE} names {need}, but {why}");
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    println!("skipped: {why}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::absent_with;

    #[test]
    fn an_absent_need_is_skipped_unless_it_is_required() {
        assert!(absent_with("", "apache", "no jars").is_ok());
        assert!(absent_with("docker", "apache", "no jars").is_ok());
        assert!(absent_with("docker, apache", "apache", "no jars").is_err());
    }
}
