//! The planted bugs: each is a mistake that an implementation of this design may well have. They live here, outside of
//! the product: in the ledger, in the answers of ARGOS, and in the sink, as the loop sees them.

macro_rules! bugs {
    ($($(#[doc = $what:literal])+ $name:ident),+ $(,)?) => {
        /// One of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Bug { $($(#[doc = $what])+ $name),+ }

        impl Bug {
            pub(crate) const ALL: &'static [Bug] = &[$(Bug::$name),+];

            /// What it does, for the table.
            pub(crate) fn says(self) -> &'static str {
                match self { $(Bug::$name => concat!($($what),+)),+ }
            }
        }
    };
}

bugs! {
    /// The offset of a hint is committed before its effect.
    AckBeforeCommit,
    /// An aborted batch is applied in memory as if it were committed.
    EntryBeforeCommit,
    /// An unknown outcome is taken as a success.
    UnknownTakenAsCommitted,
    /// An unknown outcome is taken as an abort.
    UnknownTakenAsAbort,
    /// The offsets do not ride in the transaction: nothing fences it.
    OffsetsLeftOut,
    /// The batch of a former owner is written all the same.
    NoFencing,
    /// The events are visible before the entry that remembers them.
    TornTransaction,
    /// The replay of a partition stops before its end.
    ReplayStopsEarly,
    /// A partition that comes back is not caught up.
    NoCatchUp,
    /// A record of a lane is passed over.
    HintPassedOver,
    /// A hint is covered by a GET that began before the hint was read.
    EarlierGetCovers,
    /// A deletion leaves no grave.
    NoGrave,
    /// An erasure leaves no grave.
    NoGraveOfErasure,
    /// The notices of a key that is set aside are lost.
    ParkedNoticeLost,
    /// The claims of a key that is set aside are lost.
    ParkedClaimLost,
    /// A key that is set aside has no time to come back.
    ScheduleLost,
    /// The snapshot is not written with its events.
    SnapshotLeftOut,
    /// Each attempt draws another event id.
    IdByChance,
    /// A notice that nobody vouches for counts.
    ForgedNoticeCounts,
    /// The cursor of a walk moves on before the hints of its page are durable.
    CursorBeforeHints,
    /// An absence is taken as a deletion at once.
    AbsenceIsDeletion,
    /// A failure is taken as an absence.
    FailureIsAbsence,
    /// A stale answer is taken as new.
    StaleAccepted,
    /// What was spent of the quota is not recorded.
    QuotaNotRecorded,
    /// What was spent of the quota does not move with its partition.
    QuotaNotMoved,
    /// Each replica takes the whole of the budget.
    SharesNotSplit,
    /// Retry-After is not heeded.
    RetryAfterIgnored,
}
