//! A row of a list whose fields are of the usual types, in one pass that builds nothing else.
//!
//! Owns: nothing that [`crate::head`] does not say too: a row that is read here is read as there (a property test holds
//! that), and a field of any other type is left to it. Pure.

use crate::head::{CHOSEN, later, time_of};
use crate::scan::{Scan, Unusual};
use crate::wire::{cleaned, meaning};
use crate::words::{self, MAX_WORD};
use models::{KycStatus, Row, SubmissionId};

type Word<'a> = Option<&'a str>;

/// Reads a row; `None` without a usable id.
pub(crate) fn read(scan: &mut Scan<'_>) -> Result<Option<(SubmissionId, Row)>, Unusual> {
    let mut row = Usual::default();
    scan.members(|scan, name| row.take(name, scan))?;
    row.row()
}

/// The members that mean something. Of a repeated name the last counts, `null` is absent.
#[derive(Default)]
struct Usual<'a> {
    ids: [Word<'a>; 2],
    created_at: Word<'a>,
    kyc: Option<Picked<'a, 2>>,
    /// `kycStatus`, `kyc_status` and `status`.
    statuses: [Word<'a>; 3],
    aml: [Option<Picked<'a, 2>>; 2],
    updated_at: [Word<'a>; 2],
    history: Option<Picked<'a, 1>>,
    labelled: bool,
    only_label: bool,
}

impl<'a> Usual<'a> {
    fn take(&mut self, name: &str, scan: &mut Scan<'a>) -> Result<(), Unusual> {
        match name {
            "submission_id" => self.ids[0] = plain(scan)?,
            "submissionId" => self.ids[1] = plain(scan)?,
            "created_at" => self.created_at = self.word(scan)?,
            "kycStatus" => self.statuses[0] = self.word(scan)?,
            "kyc_status" => self.statuses[1] = self.word(scan)?,
            "status" => self.statuses[2] = self.word(scan)?,
            "updated_at" => self.updated_at[0] = self.word(scan)?,
            "update_at" => self.updated_at[1] = self.word(scan)?,
            "kyc" => self.kyc = self.picked(["result", "status"], scan)?,
            "aml" => self.aml[0] = self.picked(["currentstatus", "risk_level_summary"], scan)?,
            "aml_result" => self.aml[1] = self.picked(["currentstatus", "risk_level_summary"], scan)?,
            "updateHistory" => self.history = self.picked(["updateTime"], scan)?,
            // An object elsewhere, and not in a list's row.
            "kyc_result" => return Err(Unusual),
            "data" => self.only_label = only_label(scan)?,
            chosen if CHOSEN.contains(&chosen) => scan.skip()?,
            _ => self.labelled |= piece(scan)? == Piece::Label,
        }
        Ok(())
    }

    fn word(&mut self, scan: &mut Scan<'a>) -> Result<Word<'a>, Unusual> {
        let word = plain(scan)?;
        self.labelled |= word.is_some_and(words::is_deleted_label);
        Ok(word)
    }

    /// Some members of an object, all of them text.
    fn picked<const N: usize>(
        &mut self,
        names: [&str; N],
        scan: &mut Scan<'a>,
    ) -> Result<Option<Picked<'a, N>>, Unusual> {
        let mut picked = Picked { words: [const { None }; N], itself: None };
        if scan.peek()? != b'{' {
            picked.itself = self.word(scan)?;
            return Ok(picked.itself.is_some().then_some(picked));
        }
        scan.members(|scan, name| {
            match names.iter().position(|known| **known == *name) {
                Some(place) => picked.words[place] = plain(scan)?,
                None => scan.skip()?,
            }
            Ok(())
        })?;
        Ok(Some(picked))
    }

    fn row(self) -> Result<Option<(SubmissionId, Row)>, Unusual> {
        let kyc_status = self.kyc_status()?;
        let Usual { ids: [id, other_id], created_at, aml: [aml, other_aml], updated_at, history, .. } = self;
        let Some(id) = id.or(other_id).and_then(meaning).and_then(|id| SubmissionId::new(id).ok()) else {
            return Ok(None);
        };
        let [vendor_status, risk] = aml.or(other_aml).map(|aml| aml.words).unwrap_or_default();
        let history = history.and_then(|Picked { words: [time], .. }| time);
        let row = Row {
            kyc_status,
            aml_vendor_status: vendor_status.and_then(meaning).map(|word| cleaned(word, MAX_WORD)),
            risk: risk.and_then(meaning).map(words::risk),
            updated_at: later(updated_at.into_iter().flatten().find_map(time_of), || history.and_then(time_of)),
            created_at: created_at.and_then(time_of),
        };
        Ok(Some((id, row)))
    }

    fn kyc_status(&self) -> Result<Option<KycStatus>, Unusual> {
        let (inside, itself) = match &self.kyc {
            Some(kyc) => (Some(&kyc.words), Some(&kyc.itself)),
            None => (None, None),
        };
        let mut first = None;
        for word in inside.into_iter().flatten().chain(itself).chain(&self.statuses) {
            let Some(word) = word.and_then(meaning) else { continue };
            if word.len() > MAX_WORD {
                return Err(Unusual);
            }
            let status = words::kyc_status(word);
            if status == KycStatus::Deleted {
                return Ok(Some(status));
            }
            first = first.or(Some(status));
        }
        Ok(if self.labelled || self.only_label { Some(KycStatus::Deleted) } else { first })
    }
}

/// Some members of an object, or the text that stands in its place.
struct Picked<'a, const N: usize> {
    words: [Word<'a>; N],
    itself: Word<'a>,
}

/// Text, or nothing.
fn plain<'a>(scan: &mut Scan<'a>) -> Result<Word<'a>, Unusual> {
    match scan.peek()? {
        b'n' => scan.word("null").map(|()| None),
        _ => scan.string().map(Some),
    }
}

/// Whether the label of a deleted submission is all that is left in `data`.
fn only_label(scan: &mut Scan<'_>) -> Result<bool, Unusual> {
    if scan.peek()? == b'n' {
        return scan.word("null").map(|()| false);
    }
    let (mut labels, mut others) = (0, 0);
    scan.members(|scan, _| {
        match piece(scan)? {
            Piece::Label => labels += 1,
            Piece::Nothing => {}
            Piece::Other => others += 1,
        }
        Ok(())
    })?;
    Ok(labels > 0 && others == 0)
}

/// What a value is, as far as the label of a deleted submission is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Label,
    Nothing,
    Other,
}

fn piece(scan: &mut Scan<'_>) -> Result<Piece, Unusual> {
    match scan.peek()? {
        b'n' => scan.word("null").map(|()| Piece::Nothing),
        b'"' => Ok(match scan.text()?.as_deref().map(meaning) {
            Some(None) => Piece::Nothing,
            Some(Some(text)) if words::is_deleted_label(text) => Piece::Label,
            // Half a surrogate is not the label either.
            Some(Some(_)) | None => Piece::Other,
        }),
        _ => scan.skip().map(|()| Piece::Other),
    }
}
