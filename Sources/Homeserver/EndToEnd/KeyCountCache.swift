// How many keys the devices have left, in memory: every sync asks for it.

import MatrixCore
import Persistence
import Synchronization

/// What `/sync` tells a device of its keys. Client-Server API §Extensions to /sync, `device_one_time_keys_count` and
/// `device_unused_fallback_key_types`.
package struct KeyCounts: Sendable {
    package let oneTimeKeys: [(String, Int)]
    package let unusedFallbackTypes: [String]

    /// `signed_curve25519` is always among the counts, be it with 0: clients upload new keys when they see that.
    package init(oneTimeKeys: [OneTimeKeyCount], unusedFallbackTypes: [ByteString]) {
        var counts = oneTimeKeys.map { ($0.algorithm.string, $0.count) }
        if !oneTimeKeys.contains(where: { $0.algorithm == KeyCounts.expected }) { counts.append((KeyCounts.expected.string, 0)) }
        self.oneTimeKeys = counts
        self.unusedFallbackTypes = unusedFallbackTypes.map(\.string)
    }

    private static let expected: ByteString = "signed_curve25519"
}

/// Key counts by device, true as long as this process is the only one that writes keys.
///
/// While a device's keys are being written, its counts are read but not kept; what was being read when the writing began is
/// not kept either. So no count from before a write stays.
package final class KeyCountCache: Sendable {
    private struct State {
        var counts: RecentCache<DeviceAddress, KeyCounts>
        /// How many writes are under way.
        var writers: [DeviceAddress: Int] = [:]
        /// The newest reading under way whose result may be kept.
        var readings: [DeviceAddress: UInt64] = [:]
        var lastReading: UInt64 = 0
    }

    private let state: Mutex<State>

    package init(capacity: Int) {
        state = Mutex(State(counts: RecentCache(capacity: capacity)))
    }

    /// The counts of a device, from memory or by `read`.
    package func counts(of address: DeviceAddress, read: () async throws -> KeyCounts) async throws -> KeyCounts {
        let (known, reading) = state.withLock { state -> (KeyCounts?, UInt64?) in
            if let counts = state.counts.value(for: address) { return (counts, nil) }
            guard state.writers[address] == nil else { return (nil, nil) }
            state.lastReading += 1
            state.readings[address] = state.lastReading
            return (nil, state.lastReading)
        }
        if let known { return known }
        do {
            let counts = try await read()
            end(reading, of: address, with: counts)
            return counts
        } catch {
            end(reading, of: address, with: nil)
            throw error
        }
    }

    private func end(_ reading: UInt64?, of address: DeviceAddress, with counts: KeyCounts?) {
        guard let reading else { return }
        state.withLock { state in
            guard state.readings[address] == reading else { return }
            state.readings[address] = nil
            if let counts { state.counts.insert(counts, for: address) }
        }
    }

    /// Runs `write`, which changes the keys of `addresses`.
    package func whileWriting<T: Sendable>(_ addresses: Set<DeviceAddress>, _ write: () async throws -> T) async rethrows -> T {
        state.withLock { state in
            for address in addresses {
                state.writers[address, default: 0] += 1
                state.readings[address] = nil
                state.counts.remove(address)
            }
        }
        defer {
            state.withLock { state in
                for address in addresses {
                    let others = state.writers[address, default: 1] - 1
                    state.writers[address] = others == 0 ? nil : others
                }
            }
        }
        return try await write()
    }

    /// Forgets the counts of devices whose keys were written elsewhere, after that writing.
    package func forget(_ addresses: [DeviceAddress]) {
        state.withLock { state in
            for address in addresses {
                state.readings[address] = nil
                state.counts.remove(address)
            }
        }
    }
}
