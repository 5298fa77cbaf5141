//! Why a connection ended.

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Cause {
    FirstByte,
    Headers,
    Body,
    MinRate,
    WriteStall,
    Idle,
    MaxRequests,
    Drain,
    PeerFin,
    PeerReset,
    ParseError,
    Handler,
    Evicted,
    OverLimit,
    Linger,
}
