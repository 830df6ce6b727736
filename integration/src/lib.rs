//! What the integration tests share: real ensembles, the reference server and its clients.
