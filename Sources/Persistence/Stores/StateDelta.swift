// The packed form of a piece of room state: column `delta` of `state_snapshots`.

/// State keys with their events, in the order of the keys' numbers.
///
/// Packed as pairs of LEB128 varints: the distance to the key before (the first one to 0), then the event's number, 0 for
/// a key that was taken away. A pair is some six bytes.
package struct StateDelta: Sendable, Equatable {
    package struct Pair: Sendable, Equatable {
        package let key: StateKeyNID
        /// nil: the key was taken away.
        package let event: EventNID?

        package init(key: StateKeyNID, event: EventNID?) {
            self.key = key
            self.event = event
        }
    }

    /// Ordered by `key`, each key once.
    package let pairs: [Pair]

    /// - Parameter pairs: in any order; the last one of a key counts.
    package init(_ pairs: [Pair]) {
        guard pairs.count > 1 else {
            self.pairs = pairs
            return
        }
        var last: [StateKeyNID: Int] = [:]
        for (index, pair) in pairs.enumerated() { last[pair.key] = index }
        self.pairs = last.values.map { pairs[$0] }.sorted { $0.key < $1.key }
    }

    private init(sorted pairs: [Pair]) { self.pairs = pairs }

    package var count: Int { pairs.count }

    /// This delta laid over `older`: where both have a key, this one's counts.
    package func over(_ older: StateDelta) -> StateDelta {
        var merged: [Pair] = []
        merged.reserveCapacity(pairs.count + older.pairs.count)
        var a = pairs.startIndex
        var b = older.pairs.startIndex
        while a < pairs.endIndex, b < older.pairs.endIndex {
            let (mine, theirs) = (pairs[a], older.pairs[b])
            if mine.key <= theirs.key {
                merged.append(mine)
                a += 1
                if mine.key == theirs.key { b += 1 }
            } else {
                merged.append(theirs)
                b += 1
            }
        }
        merged.append(contentsOf: pairs[a...])
        merged.append(contentsOf: older.pairs[b...])
        return StateDelta(sorted: merged)
    }

    /// The same without keys that were taken away: for a state that has no parent.
    package func withoutRemovals() -> StateDelta { StateDelta(sorted: pairs.filter { $0.event != nil }) }

    /// The pair of `key`, if this piece has it.
    package func pair(_ key: StateKeyNID) -> Pair? {
        var low = 0
        var high = pairs.count
        while low < high {
            let middle = (low + high) / 2
            if pairs[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low < pairs.count && pairs[low].key == key ? pairs[low] : nil
    }

    // MARK: Packing

    package var packed: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pairs.count * 6)
        var before: Int64 = 0
        for pair in pairs {
            StateDelta.append(UInt64(bitPattern: pair.key.value - before), to: &bytes)
            StateDelta.append(UInt64(bitPattern: pair.event?.value ?? 0), to: &bytes)
            before = pair.key.value
        }
        return bytes
    }

    /// - Throws: `StateDeltaError` when the bytes are not what `packed` writes.
    package init(packed bytes: [UInt8]) throws(StateDeltaError) {
        var pairs: [Pair] = []
        pairs.reserveCapacity(bytes.count / 6)
        var index = bytes.startIndex
        var key: Int64 = 0
        while index < bytes.endIndex {
            let distance = try StateDelta.varint(bytes, &index)
            let event = try StateDelta.varint(bytes, &index)
            let (next, overflow) = key.addingReportingOverflow(distance)
            guard !overflow, pairs.isEmpty || distance > 0 else { throw StateDeltaError.damaged }
            key = next
            pairs.append(Pair(key: StateKeyNID(key), event: event == 0 ? nil : EventNID(event)))
        }
        self.pairs = pairs
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func varint(_ bytes: [UInt8], _ index: inout Int) throws(StateDeltaError) -> Int64 {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            guard shift < 63 else { throw StateDeltaError.damaged }
            number |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return Int64(bitPattern: number) }
            shift += 7
        }
        throw StateDeltaError.damaged
    }
}

package enum StateDeltaError: Error, Sendable {
    /// A row of `state_snapshots` cannot be read.
    case damaged
}
