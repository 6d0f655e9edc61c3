//! Which partition a key belongs to.
//!
//! Owns: the murmur2 hash as Java's default partitioner uses it, so that consumers on the JVM can co-partition and this
//! crate can tell a record that came from a foreign partitioner. Pure.
//!
//! Source: Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2` and `toPositive`; Austin Appleby's `MurmurHash2`
//! with Kafka's fixed seed.

const SEED: u32 = 0x9747_b28c;
const MIX: u32 = 0x5bd1_e995;
const SHIFT: u32 = 24;

/// `MurmurHash2`, 32 bits, little-endian words, Kafka's seed.
pub fn murmur2(bytes: &[u8]) -> u32 {
    let mut hash = SEED ^ bytes.len() as u32;
    let mut words = bytes.chunks_exact(4);
    for word in words.by_ref() {
        let mut mixed = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(MIX);
        mixed = (mixed ^ (mixed >> SHIFT)).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ mixed;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

/// The partition of a key among `partitions`, as Java's default partitioner chooses it. 0 if there are none.
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    if partitions <= 0 {
        return 0;
    }
    let positive = (murmur2(key) & 0x7fff_ffff).cast_signed();
    positive % partitions
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_kafkas_own_test_vectors() {
        // From UtilsTest.testMurmur2 of Apache Kafka.
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    #[test]
    fn no_partitions_is_no_panic() {
        assert_eq!(partition_of(b"acme/k3f9x1mes3ugzb", 0), 0);
    }

    proptest! {
        #[test]
        fn is_total_and_in_range(key in proptest::collection::vec(any::<u8>(), 0..200), partitions in 1..1000i32) {
            let partition = partition_of(&key, partitions);
            prop_assert!((0..partitions).contains(&partition));
            prop_assert_eq!(partition, partition_of(&key, partitions));
        }
    }
}
