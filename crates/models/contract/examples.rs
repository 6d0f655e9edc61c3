//! One example for each schema, made of the types themselves: what the publisher's golden files hold, changed to what
//! each event is about. Invented people only.

use super::golden;
use crate::event::EventData;
use crate::{Agreement, AmlStatus, Cause, EventKind, KycStatus, Monitoring, Origin, Previous, Risk, Time};
use serde_json::Value;

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub(super) fn snapshot() -> Value {
    golden::read("snapshot").value
}

pub(super) fn event(kind: EventKind) -> Value {
    let mut data: EventData = serde_json::from_value(golden::read("event").value).unwrap();
    match kind {
        EventKind::Created | EventKind::Retried | EventKind::Pending => undecided(kind, &mut data),
        EventKind::Approved => {}
        EventKind::Rejected => reject(&mut data),
        EventKind::Updated => {
            about(&mut data, 3, KycStatus::Approved, &["personal_data"], "updated");
        }
        EventKind::Deleted => {
            about(&mut data, 3, KycStatus::Approved, &["kyc.status"], "delete");
            (data.kyc, data.aml, data.submission.user_id, data.submission.created_at) = (None, None, None, None);
            data.provenance.vendor_updated_at = None;
        }
        EventKind::AmlScreened | EventKind::AmlRiskChanged | EventKind::AmlMonitoringChanged => aml(kind, &mut data),
    }
    serde_json::to_value(data).unwrap()
}

/// The event before had `sequence` and `status`.
fn about(data: &mut EventData, sequence: u64, status: KycStatus, changed: &[&str], trigger: &str) {
    data.previous = Some(Previous { sequence, kyc_status: status, aml_status: AmlStatus::NotScreened });
    data.changed = changed.iter().map(|field| (*field).to_owned()).collect();
    data.provenance.trigger = Some(trigger.to_owned());
}

fn undecided(kind: EventKind, data: &mut EventData) {
    let kyc = data.kyc.as_mut().unwrap();
    (kyc.decided_at, kyc.reviewer, kyc.origin) = (None, None, Origin::Unknown);
    kyc.status = if kind == EventKind::Pending { KycStatus::Pending } else { KycStatus::Incomplete };
    kyc.vendor_status = kyc.status.as_str().to_owned();
    match kind {
        EventKind::Created => {
            (kyc.retries, kyc.reasons) = (0, Vec::new());
            (data.previous, data.changed) = (None, Vec::new());
            data.provenance.trigger = Some("created".to_owned());
        }
        EventKind::Retried => about(data, 1, KycStatus::Incomplete, &["kyc.retries", "kyc.reasons"], "retry"),
        _ => {
            about(data, 1, KycStatus::Incomplete, &["kyc.status", "kyc.vendor_status"], "submit");
            // Whether ARGOS tells of this is not certain: a re-check of ours found it.
            (data.provenance.cause, data.provenance.agreement) = (Cause::Recheck, Agreement::None);
            (data.provenance.trigger, data.provenance.hint_id, data.provenance.hinted_at) = (None, None, None);
        }
    }
}

fn reject(data: &mut EventData) {
    let kyc = data.kyc.as_mut().unwrap();
    (kyc.status, kyc.vendor_status) = (KycStatus::Rejected, "rejected".to_owned());
    (kyc.origin, kyc.reviewer) = (Origin::Manual, None);
    kyc.reasons[0].code = "id_info_dataMismatch".to_owned();
    kyc.reasons[0].category = "data_mismatch".to_owned();
    data.provenance.trigger = Some("rejected".to_owned());
}

fn aml(kind: EventKind, data: &mut EventData) {
    let aml = data.aml.as_mut().unwrap();
    data.provenance.notice_authentication = vec!["path_token".to_owned()];
    match kind {
        EventKind::AmlScreened => {
            (aml.status, aml.notice_at) = (AmlStatus::Clear, Some(time("2026-03-02T05:33:00.000Z")));
            about(data, 3, KycStatus::Approved, &["aml.status"], "aml");
        }
        EventKind::AmlRiskChanged => {
            (aml.status, aml.vendor_status) = (AmlStatus::RedFlag, "Red Flag".to_owned());
            (aml.risk, aml.matches) = (Risk::High, 1);
            about(data, 4, KycStatus::Approved, &["aml.status", "aml.risk", "aml.vendor_status", "aml.matches"], "aml");
            data.provenance.notice_authentication = Vec::new();
        }
        _ => {
            aml.monitoring = Monitoring::Registered;
            aml.monitoring_notice_at = Some(time("2026-03-02T05:40:00.000Z"));
            about(data, 5, KycStatus::Approved, &["aml.monitoring"], "aml_monitor");
        }
    }
}
