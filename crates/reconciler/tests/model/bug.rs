//! The planted bugs: each is a step of the protocol that is left out or taken in the wrong order.

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
    /// The broker takes the offsets of a former generation.
    NoFencing,
    /// The offsets are committed after the transaction, not in it.
    OffsetsOutside,
    /// The replay ends at the last stable offset.
    ReplayToLastStable,
    /// The offsets of a lane are read while a transaction with them is open.
    UnstableOffsets,
    /// A partition that comes back is not read again.
    NoCatchUp,
    /// An entry is applied in memory before its commit.
    EntryBeforeCommit,
    /// An unknown outcome is taken as an abort.
    UnknownTakenAsAbort,
    /// An unknown outcome is taken as a success.
    UnknownTakenAsCommitted,
    /// The offset committed is that of the last hint read.
    OffsetOfTheLastRead,
    /// A hint is covered by a GET that began before the hint was read.
    EarlierGetCovers,
    /// A hint that comes during a look is taken as settled with it, and no other look follows.
    HintDuringLookDropped,
    /// An answer older than what is published is taken as new.
    StaleAccepted,
    /// A key whose look failed has no time to come back.
    ParkedWithoutTimer,
    /// What a webhook claims is published.
    WebhookBelieved,
}
