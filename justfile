# What people type; each line is one command, and `.ci/verify` is the gate that continuous integration runs too.

# The read-only gate: format, lints, feature sets, documentation, tests, README's commands.
verify:
    .ci/verify

# The one that changes files.
fix:
    cargo clippy --workspace --all-targets --all-features --fix --allow-dirty --allow-staged
    cargo fmt --all

# README's test command.
test:
    cargo test --workspace

# Tests of one package, or by name, each in its own process: `just t -p menagerie-core storage`.
t *arguments:
    cargo nextest run {{arguments}}

# Twenty rounds of kill -9 under write load.
kill9 rounds="20":
    MENAGERIE_ROUNDS={{rounds}} cargo test -p menagerie-integration --test kill9 -- --nocapture

# Ten minutes of hostile frames beside healthy clients.
hostile *arguments:
    cargo run -p menagerie-integration --bin hostile -- {{arguments}}

# Simulated ensembles: `just simulate --minutes 5`, or one seed again with `--seed N --trace`.
simulate *arguments:
    cargo run -p menagerie-integration --bin simulate -- {{arguments}}

# Ours and the reference server side by side: throughput per CPU-second, memory; `just side-by-side --members 3` for ensembles.
side-by-side *arguments:
    cargo run --release -p menagerie-integration --bin side_by_side -- {{arguments}}

# kill -9 of the leader under load, ours and the reference in turn: the pause of writes.
failover *arguments:
    cargo run --release -p menagerie-integration --bin failover -- {{arguments}}

# Members killed, paused and cut off while thirty clients write down what they see (needs the right to make network namespaces).
chaos *arguments:
    cargo run -p menagerie-integration --bin chaos -- {{arguments}}

# The master-worker cluster, as README shows it.
demo:
    cargo run -p menagerie-examples --bin master_worker

# The book, as HTML in target/book (needs mdbook).
book:
    mdbook build book

# Licences, bans and sources of all dependencies (needs cargo-deny).
deny:
    cargo deny --all-features check bans licenses sources

# One fuzz target for so many seconds (needs cargo-fuzz and a C++ compiler): `just fuzz frames 120`. What it finds goes into core/fuzz/corpus.
fuzz target seconds="60":
    cd core/fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . --sanitizer none {{target}} -- -max_total_time={{seconds}} -max_len=65536

# The same decoders without a fuzzer: so many changes of each kept input, from a fixed seed.
fuzz-replay rounds="2000":
    MENAGERIE_FUZZ_ROUNDS={{rounds}} cargo test -p menagerie-core --all-features --test fuzz_corpus
