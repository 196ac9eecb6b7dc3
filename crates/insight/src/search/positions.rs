//! Where a word stands in a call, packed: differences between positions, seven bits a byte (LEB128). Its one invariant: positions are in
//! ascending order, each once.

/// Bits of a position in one byte; the eighth says that another byte follows.
const BITS: u32 = 7;
const MORE: u8 = 1 << BITS;

/// Packs positions in ascending order.
pub fn pack(positions: &[u32]) -> Vec<u8> {
    let (mut packed, mut last) = (Vec::with_capacity(positions.len() * 2), 0);
    for position in positions {
        let mut rest = position - last;
        while rest >= u32::from(MORE) {
            packed.push(rest as u8 | MORE);
            rest >>= BITS;
        }
        packed.push(rest as u8);
        last = *position;
    }
    packed
}

/// Reads what [`pack`] made; `None` for anything else.
pub fn unpack(packed: &[u8]) -> Option<Vec<u32>> {
    let (mut positions, mut last, mut value, mut shift) = (Vec::with_capacity(packed.len()), 0u32, 0u32, 0);
    for byte in packed {
        let bits = u32::from(byte & !MORE);
        // The fifth byte has four bits of a position left.
        if shift > 4 * BITS || (shift == 4 * BITS && bits > 15) {
            return None;
        }
        value |= bits << shift;
        if byte & MORE > 0 {
            shift += BITS;
            continue;
        }
        last = last.checked_add(value)?;
        if value == 0 && !positions.is_empty() {
            return None;
        }
        positions.push(last);
        (value, shift) = (0, 0);
    }
    (shift == 0).then_some(positions)
}

/// Whether the words of a phrase stand one behind the other anywhere, each given by its positions.
pub fn adjoin(words: &[Vec<u32>]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    first.iter().any(|start| {
        (1..)
            .zip(rest)
            .all(|(at, positions)| start.checked_add(at).is_some_and(|at| positions.binary_search(&at).is_ok()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_packed_is_read_again(positions in prop::collection::btree_set(any::<u32>(), 0..50)) {
            let positions: Vec<u32> = positions.into_iter().collect();
            prop_assert_eq!(unpack(&pack(&positions)), Some(positions));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            if let Some(positions) = unpack(&bytes) {
                prop_assert!(positions.is_sorted_by(|a, b| a < b));
            }
        }
    }

    #[test]
    fn a_phrase_is_its_words_in_their_order_without_a_gap() {
        let said = [vec![3, 9], vec![4, 8], vec![5]];
        assert!(adjoin(&said) && adjoin(&said[..1]));
        assert!(!adjoin(&[vec![4], vec![3]]) && !adjoin(&[vec![3], vec![5]]) && !adjoin(&[]));
    }
}
