//! The types of the contract, as `contract.sh` makes them out of contracts/schemas.

#[expect(unreachable_pub, reason = "generated")]
pub(crate) mod approved;
#[expect(unreachable_pub, reason = "generated")]
pub(crate) mod state;

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    #[test]
    fn the_types_are_those_of_the_schemas_as_they_are() {
        for (types, schema) in [
            (
                include_str!("contract/state.rs"),
                &include_bytes!("../../../contracts/schemas/kyc.submission.state.v1.json")[..],
            ),
            (
                include_str!("contract/approved.rs"),
                include_bytes!("../../../contracts/schemas/kyc.submission.approved.v1.json"),
            ),
        ] {
            let made_from = types.lines().find_map(|line| line.strip_prefix("// schema: "));
            assert_eq!(made_from, Some(hex::encode(Sha256::digest(schema)).as_str()), "run examples/rust/contract.sh");
        }
    }
}
